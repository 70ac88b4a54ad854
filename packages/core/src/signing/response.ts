// Signs fields of a reply: decides which replies and which fields, and makes the reply to send.
// Adapters pass the reply in and send the result.
import { STATUS_CODES } from 'node:http';
import { ConfigError } from '../errors.ts';
import { warn } from '../events.ts';
import { isPlainObject, readObject, type UncheckedOptions } from '../values/readers.ts';
import { keptOfError } from './error-reply.ts';
import type { SignerOptions } from './options.ts';
import { readSignedFields, type SignedFields, signerOptionNames } from './options.ts';
import {
  heldBody,
  isJsonType,
  isStream,
  NO_LONGER_TRUE,
  notJson,
  type OutgoingReply,
  parseBody,
  readBody,
  removeBody,
  type SignedReply,
  textOf,
} from './reply-body.ts';
import { createSigner, type Signer } from './signer.ts';

/** Which fields are signed, and by which signer: an existing one, or the options of one. */
export type SignResponseOptions =
  | (SignedFields & { readonly signer: Signer })
  | (SignedFields & SignerOptions);

/** Signs the replies of one route. */
export interface ResponseSigner {
  readonly signer: Signer;
  /**
   * Signs a reply's fields, and puts its headers right: those of a reply with tokens, or after a
   * failure, none that spoke of its body. A 2xx is JSON, and all of it, or has no body. Another
   * status keeps its body only if that is JSON or plain text without any of the fields, at any
   * depth.
   * @returns undefined for a reply that leaves as it is: JSON with none of the fields, no body, or
   *   the name of the status
   * @throws Error for a 2xx that is not JSON, or has a field that cannot be signed: nothing may
   *   leave then. Nothing of the body is in its message
   */
  sign(reply: OutgoingReply): Promise<SignedReply | undefined>;
}

/** RFC 6749 §5.1: tokens must not be cached. */
const HEADERS = {
  'Content-Type': 'application/json; charset=utf-8',
  'Cache-Control': 'no-store',
  Pragma: 'no-cache',
} as const;
const PART = 'signResponse: the reply is a part of another';

/**
 * Checks a signer whose keys are to be published.
 * @returns gives its public keys
 * @throws ConfigError for anything else, such as undefined from a missing import
 */
export function keysPublisher(signer: Signer): Signer['publish'] {
  if (typeof signer?.publish !== 'function')
    throw new ConfigError('signer', 'expected a signer; make one with createSigner');
  return () => signer.publish();
}

/**
 * Makes the signer of a route's replies, and starts loading its keys.
 * @throws ConfigError
 */
export function createResponseSigner(options: SignResponseOptions): ResponseSigner {
  const { keysToSign, full, onMissing, ...rest } = readObject(
    options,
    ['keysToSign', 'full', 'onMissing', 'signer', ...signerOptionNames],
    '',
  );
  const { names, form, mustHaveAll } = readSignedFields({ keysToSign, full, onMissing });
  const signer = readSigner(rest);

  async function signField(name: string, claims: unknown): Promise<unknown> {
    if (!isPlainObject(claims)) throw new Error(`signResponse: ${name} is not an object`);
    const token = await signer.sign(claims);
    if (form === 'compact') return token;
    const [header, payload, signature] = token.split('.');
    const flattened = { payload, protected: header, signature };
    return form === 'object' ? flattened : JSON.stringify(flattened);
  }

  async function signReply(reply: OutgoingReply): Promise<SignedReply | undefined> {
    const { getHeader, body, status } = reply;
    // Which part that is, the client says: it may be what is in a field, and no field any more.
    if (status === 206 || getHeader('content-range') !== undefined) throw new Error(PART);
    const type = getHeader('content-type');
    // A body of another type is not parsed by the rules of JSON: a page, a script, events, or lines
    // of JSON.
    const isJson = type === undefined || isJsonType(type);
    if (!isJson && isStream(body)) throw notJson();
    const given = await readBody(reply);
    const text = textOf(given);
    const value = text === '' || text === STATUS_CODES[reply.status] ? undefined : parseBody(text, isJson);
    const present = isPlainObject(value) ? names.filter((name) => Object.hasOwn(value, name)) : [];
    if (mustHaveAll && present.length < names.length)
      throw new Error('signResponse: a field to sign is missing');
    if (!isPlainObject(value) || present.length === 0)
      return given === body ? undefined : { object: value, body: given as Buffer };
    const signed = new Map<string, unknown>();
    for (const name of present) signed.set(name, await signField(name, value[name]));
    // Parsed again with the original digits, so that numbers with more digits than a double are
    // unchanged.
    const members = Object.entries(JSON.parse(text, keepDigits) as Record<string, unknown>);
    const object = Object.fromEntries(
      members.map(([name, member]) => [name, signed.has(name) ? signed.get(name) : member]),
    );
    return { object, body: JSON.stringify(object) };
  }

  async function judge(reply: OutgoingReply): Promise<SignedReply | undefined> {
    if (reply.status < 200 || reply.status > 299) return keptOfError(reply, names);
    let signed: SignedReply | undefined;
    try {
      signed = await signReply(reply);
    } catch (error) {
      removeBody(reply);
      reply.removeHeader('Cache-Control');
      throw error;
    }
    if (typeof signed?.body === 'string') {
      for (const name of NO_LONGER_TRUE) reply.removeHeader(name);
      for (const [name, value] of Object.entries(HEADERS)) reply.setHeader(name, value);
    }
    return signed;
  }

  return Object.freeze<ResponseSigner>({
    signer,
    async sign(given) {
      const { body, discard } = heldBody(given.body);
      if (given.response?.destroyed === true) discard();
      given.response?.once('close', discard);
      try {
        return await judge({ ...given, body });
      } finally {
        discard();
      }
    },
  });
}

function readSigner({ signer, ...options }: UncheckedOptions): Signer {
  if (signer === undefined) {
    const made = createSigner(options as unknown as SignerOptions);
    made.ready().catch((error: Error) => {
      // A source that fails has warned itself.
      if (made.report().failures === 0)
        warn('LATCHKEY_UNAVAILABLE', `signResponse: no key can sign yet: ${error.message}`);
    });
    return made;
  }
  const [other] = Object.keys(options);
  if (other !== undefined)
    throw new ConfigError(other, 'expected no options next to an existing signer; remove it');
  if (typeof (signer as Partial<Signer> | null)?.sign !== 'function')
    throw new ConfigError('signer', 'expected a signer made by createSigner');
  return signer as Signer;
}

/** ECMAScript 2026: JSON.parse gives the text of a number, which is then written unchanged. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

function keepDigits(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  return typeof value === 'number' && source !== undefined && source !== String(value)
    ? rawJSON(source)
    : value;
}
