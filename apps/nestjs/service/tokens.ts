// Injection tokens. With them, Nest needs no type metadata. The services themselves are in
// apps/friends.

/** The friends and their friend tokens. */
export const FRIENDS = Symbol('FRIENDS');

/** Sends messages between friends. */
export const MESSAGES = Symbol('MESSAGES');

/** Ends tokens. */
export const LOGOUT = Symbol('LOGOUT');

/** Answers logins and refreshes. */
export const LOGIN = Symbol('LOGIN');
