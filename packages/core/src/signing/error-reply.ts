// What leaves of a reply that is no 2xx, on a route that signs. Such a reply is never signed, since
// it refuses.
import { STATUS_CODES } from 'node:http';
import {
  isJsonType,
  isStream,
  type OutgoingReply,
  parseBody,
  readBody,
  removeBody,
  type SignedReply,
  textOf,
} from './reply-body.ts';

/**
 * The body may come from the handler, which failed with its claims in hand: it leaves as JSON or
 * plain text in which no field is, or as the name of the status, or not at all.
 * @returns undefined for a reply that leaves as it is
 */
export async function keptOfError(
  reply: OutgoingReply,
  names: readonly string[],
): Promise<SignedReply | undefined> {
  const type = reply.getHeader('content-type');
  const isJson = type === undefined || isJsonType(type);
  try {
    if (!isJson && isStream(reply.body)) return removeBody(reply);
    const given = await readBody(reply);
    const text = textOf(given);
    const asItIs = (object: unknown) =>
      given === reply.body ? undefined : { object, body: given as Buffer };
    if (text === '' || text === STATUS_CODES[reply.status]) return asItIs(text);
    const object = /^text\/plain\s*(?:;|$)/i.test(String(type)) ? text : parseBody(text, isJson);
    if (!hasAny(object, names)) return asItIs(object);
  } catch {
    // What cannot be read leaves no body either.
  }
  return removeBody(reply);
}

/** Whether a field is a member at any depth, or is written with an object in a text: a message that quotes a reply. */
function hasAny(value: unknown, names: readonly string[]): boolean {
  const left = [value];
  while (left.length > 0) {
    const next = left.pop();
    if (typeof next === 'string' && names.some((name) => quotes(next, name))) return true;
    if (typeof next !== 'object' || next === null) continue;
    if (names.some((name) => Object.hasOwn(next, name))) return true;
    left.push(...Object.values(next));
  }
  return false;
}

/** However a text writes an object down, escaped or with the name of its class, it opens it by a bracket. */
function quotes(text: string, name: string): boolean {
  const at = text.indexOf(name);
  return at !== -1 && /[{[]|%[57]B/i.test(text.slice(at + name.length));
}
