// What is injected by name: no metadata of types is needed anywhere.

/** Friendships, and the tokens that say so. */
export const FRIENDS = Symbol('FRIENDS');

/** Messages, sent if the friends service agrees. */
export const MESSAGES = Symbol('MESSAGES');

/** Logins, and what they answer with. */
export const LOGIN = Symbol('LOGIN');
