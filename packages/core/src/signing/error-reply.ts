// Decides what is sent of a reply with a status other than 2xx, on a route that signs replies. Such
// a reply is never signed.
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
 * Filters the body of an error reply. The handler may have failed while it had the claims, so the
 * body is sent only if it is JSON or plain text without any of the fields. Else the name of the
 * status is sent, or no body.
 * @returns undefined for a reply that is sent unchanged
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
    // An unreadable body is not sent.
  }
  return removeBody(reply);
}

/**
 * Whether a field is a member at any depth, or is written with an object in a text: a message that
 * quotes a reply.
 */
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

/**
 * However a text writes an object down, escaped or with the name of its class, it opens it by a
 * bracket.
 */
function quotes(text: string, name: string): boolean {
  const at = text.indexOf(name);
  return at !== -1 && /[{[]|%[57]B/i.test(text.slice(at + name.length));
}
