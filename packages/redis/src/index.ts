// The public API: the store of proofs, the list of revocations, and their options.
export type { RedisClient, RedisCommands, RedisConnection } from './client.ts';
export type { RedisReplayStore, ReplayStoreOptions } from './replay-store.ts';
export { createReplayStore } from './replay-store.ts';
export type { RedisRevocationFeed, RevocationFeedOptions } from './revocation-feed.ts';
export { createRevocationFeed } from './revocation-feed.ts';
