// What is in the stream of revocations: entries with ids, each with one revocation as JSON.

/** The name of the one field of an entry. */
export const FIELD = 'revocation';
/** The id before all ids. */
export const START = '0-0';

/** An entry as Redis gives it. */
export interface StreamEntry {
  readonly id: string;
  /** The text of the revocation. Undefined if the entry has none. */
  readonly text: string | undefined;
}

/**
 * Reads the entries of one stream from an answer to XREAD or XRANGE. No answer is no entry.
 * @throws Error if the answer cannot be read
 */
export function readEntries(answer: unknown): readonly StreamEntry[] {
  if (answer === null) return [];
  const [first] = listOf(answer);
  const messages = first !== undefined && 'messages' in Object(first) ? member(first, 'messages') : answer;
  return listOf(messages).map((message) => {
    const id = member(message, 'id');
    if (typeof id !== 'string' || !/^\d+-\d+$/.test(id)) throw unreadable();
    const text = member(member(message, 'message'), FIELD);
    return { id, text: typeof text === 'string' ? text : undefined };
  });
}

/** Returns the greatest id that a stream has ever given. @throws Error */
export function lastIdOf(answer: unknown): string {
  const id = member(answer, 'last-generated-id');
  if (typeof id !== 'string') throw unreadable();
  return id;
}

/** Parses an entry. What it means is not checked. @throws Error that has nothing of its text */
export function parseEntry({ id, text }: StreamEntry): unknown {
  try {
    if (text !== undefined) return JSON.parse(text);
  } catch {
    // The message of JSON.parse quotes the text.
  }
  throw new Error(`its entry ${id} has no JSON in the field ${FIELD}; remove it by XDEL`);
}

/** The time of an id by the clock of Redis, in milliseconds since the epoch. */
export function timeOf(id: string): number {
  return Number(id.split('-')[0]);
}

/** True if an id is before another one. */
export function isBefore(id: string, other: string): boolean {
  const [ms = 0, count = 0] = id.split('-').map(Number);
  const [otherMs = 0, otherCount = 0] = other.split('-').map(Number);
  return ms === otherMs ? count < otherCount : ms < otherMs;
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw unreadable();
  return value;
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function unreadable(): Error {
  return new Error('Redis gave an answer that cannot be read');
}
