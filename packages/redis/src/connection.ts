// Keeps one connection to Redis. A command is sent now or not at all: it never waits for Redis to
// come back. A lost or silent connection is replaced by a new one, which has no waiting commands.
import { setTimeout as pause } from 'node:timers/promises';
import { warn, withDeadline } from '@latchkey/core/adapter';
import type { RedisClient, RedisCommands, RedisConnection } from './client.ts';

/** A connection that replaces itself. */
export interface Connection {
  /**
   * Sends commands. Rejects at once if Redis cannot be asked now, and as the command does. It has
   * no deadline of its own.
   */
  ask<T>(work: (redis: RedisCommands) => Promise<T>): Promise<T>;
  /** Resolves when there is a connection. Rejects if the attempt fails that is being made. */
  ready(): Promise<void>;
  /** Ends the connection. Commands that wait for their answer reject. */
  close(): Promise<void>;
}

export interface ConnectionOptions {
  /** What the connection is for, as warnings name it. */
  readonly purpose: string;
  /** True: an outage is not warned of here. */
  readonly isQuiet?: boolean;
  /** How long Redis may say nothing while commands wait. Default: one second. */
  readonly silentMs?: number;
  /** Called with each new connection. */
  readonly opened?: (redis: RedisCommands) => void;
}

interface Session {
  readonly client: RedisConnection;
  readonly redis: RedisCommands;
}

/** A replica may not have yet what the master has, and so may a cache in this process. */
const DIRECT = { useReplicas: false, replicaPoolSize: 0, clientSideCache: undefined };
/** How long connecting may take: TLS and AUTH over a long way included. */
const CONNECT_MS = 5_000;
/** The pause after an attempt that failed. */
const RETRY_MS = 200;
/** A connection with unanswered commands that says nothing for as long is replaced. */
const SILENT_MS = 1_000;
/** How many commands may wait for their answers. */
const MAX_WAITING = 10_000;
/** How long a command may wait to be written. */
const WRITE_MS = 1_000;

/** Opens a connection with the options of a client. */
export function keepConnection(
  source: RedisClient,
  { purpose, isQuiet = false, silentMs = SILENT_MS, opened }: ConnectionOptions,
): Connection {
  const closing = new AbortController();
  let session: Session | undefined;
  let opening: Promise<void> | undefined;
  /** The attempt that is being made; settles with it. */
  let attempt: Promise<void> = Promise.resolve();
  let isDown = false;
  let waiting = 0;
  let heardAt = 0;
  let isSilent = false;
  let timer: NodeJS.Timeout | undefined;
  let renewedAt = Number.NEGATIVE_INFINITY;

  function renew(): void {
    if (closing.signal.aborted) return;
    opening ??= open().finally(() => {
      opening = undefined;
    });
  }

  async function open(): Promise<void> {
    while (!closing.signal.aborted) {
      attempt = connect();
      try {
        await attempt;
        return;
      } catch (error) {
        report(error);
        await pause(RETRY_MS, undefined, { signal: closing.signal }).catch(() => {});
      }
    }
  }

  async function connect(): Promise<void> {
    const client = source.duplicate(DIRECT);
    const refused = Promise.withResolvers<never>();
    client.on('error', (error) => {
      // A client of a cluster goes on with its other nodes, and later finds the new ones.
      if ('masters' in client) return;
      refused.reject(error);
      if (session?.client === client && !client.isReady) renew();
    });
    const connected = Promise.race([client.connect(), refused.promise]);
    try {
      await withDeadline(CONNECT_MS, closing.signal, () => connected);
    } catch (error) {
      end(client);
      throw error;
    }
    const before = session;
    const redis = client.withCommandOptions({ timeout: WRITE_MS, typeMapping: {} });
    session = { client, redis };
    renewedAt = performance.now();
    isSilent = false;
    // What waited for the old connection fails now.
    if (before !== undefined) end(before.client);
    if (isDown) warn('LATCHKEY_RECOVERED', `${purpose}: Redis answers again`);
    isDown = false;
    opened?.(redis);
  }

  function report(error: unknown): void {
    if (isQuiet || isDown || closing.signal.aborted) return;
    isDown = true;
    warn('LATCHKEY_UNAVAILABLE', `${purpose}: no connection to Redis${codeOf(error)}; it is tried again`);
  }

  /** Looks from time to time, while commands wait, whether anything has come. */
  function watch(): void {
    // What has arrived while this process was busy is read before the look.
    timer ??= setTimeout(() => setImmediate(look), silentMs).unref();
  }

  function look(): void {
    timer = undefined;
    if (waiting === 0) return;
    if (performance.now() - heardAt >= silentMs) {
      isSilent = true;
      renew();
    }
    watch();
  }

  function heard(): void {
    heardAt = performance.now();
    isSilent = false;
  }

  renew();
  return {
    async ask(work) {
      if (closing.signal.aborted) throw new Error(`${purpose}: it is closed`);
      if (session?.client.isReady !== true || isSilent || waiting >= MAX_WAITING) {
        renew();
        throw new Error(`${purpose}: Redis does not answer`);
      }
      if (waiting++ === 0) heardAt = performance.now();
      watch();
      try {
        const answer = await work(session.redis);
        heard();
        return answer;
      } catch (error) {
        const reply = replyOf(error);
        if (reply !== undefined) heard();
        // After a failover, a name may lead to another server by now.
        if (reply === 'READONLY' && performance.now() - renewedAt >= SILENT_MS) renew();
        throw error;
      } finally {
        waiting--;
      }
    },
    async ready() {
      if (session?.client.isReady !== true) renew();
      await attempt;
      closing.signal.throwIfAborted();
    },
    async close() {
      closing.abort(new Error(`${purpose}: it is closed`));
      clearTimeout(timer);
      await opening;
      if (session !== undefined) end(session.client);
    },
  };
}

function end(client: RedisConnection): void {
  // A client of sentinels says later that it could not end. There is nothing to do then.
  void Promise.resolve()
    .then(() => client.destroy())
    .catch(() => {});
}

/** The code of an error reply, such as `READONLY`; undefined if the error is of the client. */
function replyOf(error: unknown): string | undefined {
  return error instanceof Error ? /^([A-Z]+) /.exec(error.message)?.[1] : undefined;
}

/** A code of Node, such as ECONNREFUSED, or of Redis, such as WRONGPASS. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const code = 'code' in error ? error.code : replyOf(error);
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(code) ? ` (${code})` : '';
}
