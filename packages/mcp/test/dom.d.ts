// The types of SDK v1 name a type of the DOM.
type HeadersInit = NonNullable<RequestInit['headers']>;
