// The store of used proofs in Redis: one `SET … NX PX` for each. How long core waits for it is in
// core, and the connection is in connection.ts.
import type { ReplayStore } from '@latchkey/core';
import { readObject } from '@latchkey/core/adapter';
import { type RedisClient, readClient } from './client.ts';
import { keepConnection } from './connection.ts';
import { warnOfForgetting } from './forgetting.ts';
import { readName } from './name.ts';

/** Options of the store. */
export interface ReplayStoreOptions {
  /**
   * What all keys begin with. Services of one audience share it. The `keyPrefix` of the client is
   * put before it. Default: `latchkey:proof:`.
   */
  readonly prefix?: string;
}

/** A store that has a connection. */
export interface RedisReplayStore extends ReplayStore {
  use(id: string, untilMs: number): Promise<boolean>;
  /** Resolves when there is a connection. Rejects if none can be made now. */
  ready(): Promise<void>;
  /** Ends the connection. `use` rejects from then on. */
  close(): Promise<void>;
}

/**
 * How much longer than asked a proof is remembered: the clocks of two services may differ by as
 * much.
 */
const MARGIN_MS = 60_000;

/**
 * Makes a store of used proofs that several processes share, in Redis: a single server, a cluster,
 * or a server behind sentinels. Tested with Redis 7.0; Valkey has the same commands, and was not
 * tested. It opens a connection of its own, with the options of the client, and keeps it until
 * `close`.
 *
 * `use` sends one command. It rejects if the connection is lost, also before the answer, and if
 * Redis answers with an error. The request then gets a 503. Nothing waits for Redis to come back. A
 * command that is still carried out after that only makes a proof a used one.
 * @throws ConfigError
 * @example
 * ```ts
 * const replayStore = createReplayStore(createClient({ url: 'redis://localhost:6379' }));
 * const authenticator = createAuthenticator({ keySets, audience, dpop, replayStore });
 * ```
 */
export function createReplayStore(client: RedisClient, options: ReplayStoreOptions = {}): RedisReplayStore {
  const source = readClient(client);
  const given = readObject(options, ['prefix'], '');
  const prefix = readName(given.prefix, 'latchkey:proof:', 'prefix');
  const connection = keepConnection(source, {
    purpose: 'used proofs',
    opened: warnOfForgetting('used proofs'),
  });
  return Object.freeze<RedisReplayStore>({
    async use(id, untilMs) {
      // A span, because the clock of Redis may differ from that of the service.
      const value = Math.max(0, Math.ceil(untilMs - Date.now())) + MARGIN_MS;
      const answer = await connection.ask((redis) =>
        redis.set(prefix + id, '1', { condition: 'NX', expiration: { type: 'PX', value } }),
      );
      if (answer === 'OK') return true;
      if (answer === null) return false;
      throw new Error('used proofs: Redis gave an answer that cannot be read');
    },
    ready: connection.ready,
    close: connection.close,
  });
}
