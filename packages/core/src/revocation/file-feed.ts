// A list of revocations in a file that several processes share: one JSON object per line. Follows
// the file, and adds to it. What a line means is checked by the sink.
import { basename, dirname, join, resolve } from 'node:path';
import { asError, ConfigError } from '../errors.ts';
import { watchFileAt, watchPath } from '../secrets/directory.ts';
import { withLockFile } from '../secrets/lock-file.ts';
import { replaceFile } from '../secrets/write-file.ts';
import type { Clock } from '../values/clock.ts';
import { type JsonObject, parseJsonObject } from '../values/json.ts';
import { readSmallFile } from '../values/small-file.ts';
import { mapInTurns } from '../values/turns.ts';
import type { FollowedFeed, RevocationFeed, RevocationSink } from './feed.ts';
import { readStoredRevocation, type StoredRevocation } from './revocation.ts';

/** About 100,000 revocations. */
const MAX_LIST_BYTES = 16 * 1024 * 1024;
/** Editors may write a file in several steps. */
const SETTLE_MS = 100;
/** The longest time between two readings, for file systems that do not report changes. */
const LOOK_AGAIN_MS = 10_000;
/** How many lines are parsed in one turn of the event loop. */
const LINES_PER_TURN = 1000;
/** How long the lock of the file may take. */
const PUBLISH_DEADLINE_MS = 10_000;

/** Makes the feed of a file. Reads nothing before it is followed. */
export function createFileFeed(file: string, clock: Pick<Clock, 'now'>): RevocationFeed {
  const path = resolve(file);
  return Object.freeze<RevocationFeed>({
    description: `file ${file}`,
    follow: (sink) => followFile(path, sink, clock),
    publish: (revocation) => addToFile(path, revocation, clock),
  });
}

function followFile(path: string, sink: RevocationSink, clock: Pick<Clock, 'now'>): FollowedFeed {
  const stopping = new AbortController();
  let read: Buffer | undefined;
  let readAtMs = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | undefined;
  let settling: NodeJS.Timeout | undefined;
  /** The file has changed while it was read. */
  let isMissed = false;

  async function look(): Promise<void> {
    const at = sink.now();
    try {
      const bytes = readSmallFile(path, MAX_LIST_BYTES);
      // A clock that was ahead has made entries look as if they were over.
      if (read?.equals(bytes) !== true || clock.now() < readAtMs) {
        const entries = await parseLines(bytes, stopping.signal);
        if (stopping.signal.aborted) return;
        // The sink checks each entry.
        sink.replace(entries as unknown as readonly StoredRevocation[]);
        read = bytes;
        readAtMs = clock.now();
      }
      sink.current(at);
    } catch (error) {
      if (!stopping.signal.aborted) sink.failed(inFile(error));
    }
  }

  function lookNow(): void {
    if (looking !== undefined) {
      isMissed = true;
      return;
    }
    isMissed = false;
    looking = look().finally(() => {
      looking = undefined;
      if (isMissed && !stopping.signal.aborted) lookNow();
    });
  }

  function lookSoon(): void {
    clearTimeout(settling);
    settling = setTimeout(lookNow, SETTLE_MS).unref();
  }

  const unwatch = [
    watchPath(dirname(path), lookSoon, new Set([basename(path)])),
    watchFileAt(path, lookSoon),
  ];
  const polling = setInterval(lookNow, Math.min(LOOK_AGAIN_MS, sink.maxStaleMs / 3)).unref();
  lookNow();
  return {
    async close() {
      stopping.abort();
      for (const stop of unwatch) stop();
      clearTimeout(settling);
      clearInterval(polling);
      await looking;
    },
  };
}

/** Parses all lines. @throws Error that names the line, and contains nothing of it */
async function parseLines(bytes: Buffer, signal: AbortSignal): Promise<readonly JsonObject[]> {
  if (bytes.length > 0 && bytes.at(-1) !== NEWLINE)
    throw new Error('its last line does not end; write the whole file, and a newline at its end');
  return mapInTurns(
    linesOf(bytes),
    LINES_PER_TURN,
    ([line, number]) => {
      try {
        return parseJsonObject(line);
      } catch (error) {
        throw new Error(`line ${number}: ${asError(error).message}`);
      }
    },
    signal,
  );
}

const NEWLINE = 0x0a;

/** The lines that are not empty, with their numbers. */
function linesOf(bytes: Buffer): readonly (readonly [line: Buffer, number: number])[] {
  const lines: [line: Buffer, number: number][] = [];
  let number = 1;
  for (let from = 0; from < bytes.length; number++) {
    const end = bytes.indexOf(NEWLINE, from);
    if (end > from) lines.push([bytes.subarray(from, end), number]);
    from = end + 1;
  }
  return lines;
}

/** A ConfigError names an entry by its place in the list. */
function inFile(error: unknown): Error {
  return error instanceof ConfigError
    ? new Error(`one of its lines is wrong: ${error.path.replace('revocations', 'entry ')}: ${error.problem}`)
    : asError(error);
}

/**
 * Adds a revocation to a file, and drops those that have ended. Processes take turns.
 * @throws Error without the content of the file, if it is missing or a line is wrong
 */
async function addToFile(
  path: string,
  revocation: StoredRevocation,
  clock: Pick<Clock, 'now'>,
): Promise<void> {
  const signal = AbortSignal.timeout(PUBLISH_DEADLINE_MS);
  await withLockFile(join(dirname(path), `.${basename(path)}.lock`), signal, async (lock) => {
    const parsed = await parseLines(readSmallFile(path, MAX_LIST_BYTES), signal);
    const nowMs = clock.now();
    const added = lineOf(revocation);
    const kept = parsed
      .map((entry, at) => readStoredRevocation(entry, `revocations[${at}]`))
      .filter(({ until }) => until + DROPPED_AFTER_MS > nowMs)
      .map(lineOf);
    if (kept.length === parsed.length && kept.includes(added)) return;
    const bytes = Buffer.from([...new Set([...kept, added])].join(''));
    if (bytes.length > MAX_LIST_BYTES)
      throw new Error(`the list of revocations is full: ${MAX_LIST_BYTES} bytes; use a feed for more`);
    await lock.check();
    await replaceFile(path, bytes, signal);
  });
}

/**
 * Entries are dropped this long after they have ended: the clock of one writer may be ahead, and
 * must not end what another one has written.
 */
const DROPPED_AFTER_MS = 604_800_000;

/** The members always have the same order, so that equal entries are equal lines. */
function lineOf({ issuer, jti, sid, sub, client, issuedBefore, until }: StoredRevocation): string {
  return `${JSON.stringify({ issuer, jti, sid, sub, client, issuedBefore, until })}\n`;
}
