// Where a KrakenD validator or signer finds its keys: the members that both have in common. What is
// done with the keys is theirs.
import type { Draft, NoteKind } from './draft.ts';
import { quoted } from './draft.ts';
import type { SourceNode } from './source.ts';

/** Says something about a member of what is being made; with an empty name about all of it. */
export type Say = (kind: NoteKind, member: string, from: SourceNode, text: string) => void;

/** Members of an option that is being made, with where each came from. */
export type Made = Map<string, readonly [value: unknown, from: SourceNode]>;

const URLS = ['jwk_url', 'jwk-url'] as const;
/** Suites that KrakenD offers and OpenSSL 3 has no more: RC4 and 3DES. */
const BROKEN_SUITES: ReadonlySet<number> = new Set([5, 10, 49159, 49169, 49170]);
const PIN_BYTES = 32;

/** The URL of the keys, under both its names. */
export function urlOf(node: SourceNode): SourceNode | undefined {
  return node.oneOf(...URLS);
}

/** `disable_jwk_security`, which is about plain HTTP here and about nothing else. */
export function readAllowHttp(node: SourceNode, url: SourceNode | undefined, made: Made, say: Say): void {
  const switched = node.member('disable_jwk_security');
  if (switched?.boolean() !== true) return;
  const isHttp = url !== undefined && /^http:/i.test(url.text());
  if (isHttp) made.set('allowHttp', [true, switched]);
  say(
    'safer',
    isHttp ? 'allowHttp' : '',
    switched,
    `disable_jwk_security also turned off the checks of certificates, which are always made here${isHttp ? '; allowHttp is for tests, give keys out by https' : ''}`,
  );
}

/** What the connection to the keys is like. */
export function readTls(node: SourceNode, made: Made, say: Say): void {
  const tls: Record<string, unknown> = {};
  const ca = node.member('jwk_local_ca');
  if (ca !== undefined) {
    tls.ca = { file: ca.text() };
    say('check', 'tls', ca, `${quoted(ca.text())} has to be there where the service runs`);
  }
  const pins = node.member('jwk_fingerprints');
  if (pins !== undefined) tls.fingerprints = pins.items().map(readPin);
  const suites = node.member('cipher_suites');
  if (suites !== undefined) {
    const numbers = suites.items().map((suite) => suite.integer());
    const kept = numbers.filter((number) => !BROKEN_SUITES.has(number));
    if (kept.length > 0) tls.cipherSuites = kept;
    if (kept.length < numbers.length)
      say(
        'safer',
        kept.length > 0 ? 'tls' : '',
        suites,
        `cipher suites ${numbers.filter((number) => BROKEN_SUITES.has(number)).join(', ')} (RC4, 3DES) are broken and left out${kept.length > 0 ? '' : '; the suites of Node.js are used'}`,
      );
  }
  const from = pins ?? suites ?? ca;
  if (Object.keys(tls).length > 0 && from !== undefined) made.set('tls', [tls, from]);
}

/**
 * A pin that is none would pin nothing, and leaving it out would take the pin away: neither is for
 * an import to do.
 */
function readPin(node: SourceNode): string {
  const text = node.text();
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(text))
    return node.refuse('expected the SHA-256 of a public key, base64');
  const { length } = Buffer.from(text, 'base64');
  return length === PIN_BYTES
    ? text
    : node.refuse(
        `is not the SHA-256 of a public key, which has ${PIN_BYTES} bytes; this has ${length}. Put the right one there, or take it out`,
      );
}

/**
 * Members of the vault of keys, which has no equivalent: what is in the file itself is not known to
 * be a secret.
 */
export function noteVault(node: SourceNode, say: Say): void {
  for (const name of ['secret_url', 'cypher_key']) {
    const member = node.member(name);
    if (member !== undefined)
      say(
        'no-equivalent',
        '',
        member,
        `${name} opens an encrypted file of keys; give the keys to a secret store`,
      );
  }
}

/** Puts what was made into a draft, in its order. */
export function putMade(draft: Draft, at: readonly (string | number)[], made: Made): void {
  for (const [name, [value, from]] of made) draft.set([...at, name], value, from);
}
