// Follows a stream: reads all of it, and then waits for new entries over a connection of its own.
// What was read stays in force, whatever happens to the stream.
import { setTimeout as pause } from 'node:timers/promises';
import { ConfigError, type FollowedFeed, type RevocationSink, type StoredRevocation } from '@latchkey/core';
import { asError } from '@latchkey/core/adapter';
import type { RedisClient, RedisCommands } from './client.ts';
import { keepConnection } from './connection.ts';
import { isBefore, lastIdOf, parseEntry, readEntries, START, type StreamEntry, timeOf } from './stream.ts';

/** How many entries are read at once. */
const PAGE = 1_000;
/** How long Redis waits for a new entry before it answers that there is none. */
const MAX_BLOCK_MS = 5_000;
/** How long its answer may take after that. */
const ANSWER_MS = 2_000;
/** The pause after a failure. */
const RETRY_MS = 250;
/** The pause before a stream with a wrong entry is read again. */
const WRONG_MS = 2_000;
/**
 * A new connection may lead to a replica that has become the master, and that gives new entries ids
 * before those which it never got. So this much is read again.
 */
const OVERLAP_MS = 600_000;

/** A stream, and the client of its server. */
export interface Stream {
  readonly source: RedisClient;
  readonly key: string;
  /** Called with each new connection. */
  readonly opened: (redis: RedisCommands) => void;
}

/** Follows a stream until it is closed. */
export function followStream({ source, key, opened }: Stream, sink: RevocationSink): FollowedFeed {
  const closing = new AbortController();
  const blockMs = Math.min(MAX_BLOCK_MS, Math.floor(sink.maxStaleMs / 4));
  /** The entries after this one have not been delivered. */
  let last = START;
  /** The greatest id that was seen. */
  let top = START;
  /** True when all entries have been read that were there. */
  let isAtEnd = false;
  /** Why an entry was not delivered, since the stream has been read from its start. */
  let wrong: Error | undefined;
  const connection = keepConnection(source, {
    purpose: 'revocations',
    isQuiet: true,
    silentMs: blockMs + ANSWER_MS,
    opened(redis) {
      last = `${Math.max(0, timeOf(last) - OVERLAP_MS)}-0`;
      isAtEnd = false;
      opened(redis);
    },
  });

  async function follow(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        await connection.ready();
        await step();
      } catch (error) {
        if (closing.signal.aborted) return;
        sink.failed(error);
        await pause(error === wrong ? WRONG_MS : RETRY_MS, undefined, { signal: closing.signal }).catch(
          () => {},
        );
      }
    }
  }

  /** Reads one page, or waits for it, and delivers it. */
  async function step(): Promise<void> {
    const at = sink.now();
    const from = last;
    const waits = isAtEnd ? { BLOCK: blockMs } : {};
    const [entries, lastId] = await connection.ask((redis) =>
      Promise.all([
        redis.xRead({ key, id: from }, { COUNT: PAGE, ...waits }).then(readEntries),
        lastIdIn(redis, key),
      ]),
    );
    // Not for an answer of a connection that has been replaced meanwhile.
    if (closing.signal.aborted || last !== from) return;
    if (from === START) wrong = undefined;
    wrong = deliver(entries, sink) ?? wrong;
    last = entries.at(-1)?.id ?? last;
    if (isBefore(top, last)) top = last;
    isAtEnd = entries.length < PAGE;
    // If it is before, the stream is another one now, or has lost its end.
    if (isBefore(lastId, top)) readAgain();
    else if (isAtEnd && wrong === undefined) sink.current(at);
    else if (isAtEnd && wrong !== undefined) {
      readAgain();
      throw wrong;
    }
  }

  function readAgain(): void {
    last = START;
    top = START;
    isAtEnd = false;
  }

  const following = follow();
  return {
    async close() {
      closing.abort();
      await connection.close();
      await following;
    },
  };
}

/** The greatest id that the stream has given; without a stream, the first one. */
async function lastIdIn(redis: RedisCommands, key: string): Promise<string> {
  try {
    return lastIdOf(await redis.xInfoStream(key));
  } catch (error) {
    if (error instanceof Error && error.message === 'ERR no such key') return START;
    throw error;
  }
}

/**
 * Delivers entries. One that is wrong does not keep the others back.
 * @returns why one is wrong; undefined if none is
 */
function deliver(entries: readonly StreamEntry[], sink: RevocationSink): Error | undefined {
  const values: StoredRevocation[] = [];
  try {
    // The sink checks what they are.
    for (const entry of entries) values.push(parseEntry(entry) as StoredRevocation);
    if (values.length > 0) sink.add(values);
    return undefined;
  } catch (error) {
    if (entries.length > 1) {
      const middle = entries.length >> 1;
      const [first, second] = [entries.slice(0, middle), entries.slice(middle)].map((half) =>
        deliver(half, sink),
      );
      return first ?? second;
    }
    if (!(error instanceof ConfigError)) return asError(error);
    return new Error(`its entry ${entries[0]?.id} is wrong: ${error.problem}; remove it by XDEL`);
  }
}
