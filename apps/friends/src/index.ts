// The exports that the sample services of all frameworks share: friends, messages, a login, and
// settings. No code is here.
export type { Friend, Friends } from './friends.ts';
export type { Login, LoginAnswer } from './login.ts';
export { keysToSign } from './login.ts';
export type { Logout } from './logout.ts';
export { ownToken } from './logout.ts';
export type { Message } from './message.ts';
export { readMessage } from './message.ts';
export type { Messages, SentMessage } from './messages.ts';
export type { Sample } from './sample.ts';
export { createSample } from './sample.ts';
export type { ServiceSettings } from './settings.ts';
export { readSettings } from './settings.ts';
export { onStop } from './stop.ts';
export { systemOnly } from './system.ts';
