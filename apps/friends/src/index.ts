// What the sample services have in common, whatever their framework: friends, messages, and settings from the environment.
export type { Friend, Friends } from './friends.ts';
export { createFriends } from './friends.ts';
export type { Message } from './message.ts';
export { readMessage } from './message.ts';
export type { ServiceSettings } from './settings.ts';
export { readSettings } from './settings.ts';
export { onStop } from './stop.ts';
