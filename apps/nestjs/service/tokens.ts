// What is injected by name: no metadata of types is needed anywhere.

/** Friendships, and the tokens that say so. */
export const FRIENDS = Symbol('FRIENDS');

/** Logins, and what they answer with. */
export const LOGIN = Symbol('LOGIN');
