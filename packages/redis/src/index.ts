// The public API: stores in Redis, and their options. There is no logic here.
export type { RedisClient, RedisCommands, RedisConnection } from './client.ts';
export type { RedisReplayStore, ReplayStoreOptions } from './replay-store.ts';
export { createReplayStore } from './replay-store.ts';
