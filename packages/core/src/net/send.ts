// The types of a request and its response, for every HTTP client that sends one.

/** A request. No redirect is followed. */
export interface Sent {
  readonly signal: AbortSignal;
  readonly headers: Readonly<Record<string, string>>;
  /** Default `GET`. */
  readonly method?: string;
  readonly body?: string;
}

/** The part of a response that is used. */
export interface Received {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  /** The Content-Encoding that the body still has. Absent if the client has unpacked it. */
  readonly packing?: string | undefined;
  readonly body: (AsyncIterable<Uint8Array> & { cancel(): Promise<void> }) | null;
}

/** Sends a request, and resolves with the response when its headers have arrived. */
export type Send = (url: URL, request: Sent) => Promise<Received>;
