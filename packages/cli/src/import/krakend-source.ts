// Reads the key source of a KrakenD validator or signer: the members that both share.
// krakend-validator.ts and krakend-signer.ts use it.
import type { Draft, NoteKind } from './draft.ts';
import { quoted } from './draft.ts';
import type { SourceNode } from './source.ts';

/** Adds a note about a member of the option; with an empty name about the whole option. */
export type Say = (kind: NoteKind, member: string, from: SourceNode, text: string) => void;

/** The members of the new option, with their places in the source. */
export type Made = Map<string, readonly [value: unknown, from: SourceNode]>;

const URLS = ['jwk_url', 'jwk-url'] as const;
/** Suites that KrakenD offers and OpenSSL 3 has removed: RC4 and 3DES. */
const BROKEN_SUITES: ReadonlySet<number> = new Set([5, 10, 49159, 49169, 49170]);
const PIN_BYTES = 32;
/** In base64: "KrakenD is the best gateway, and you know it". */
const EXAMPLE_PIN = 'S3Jha2VuRCBpcyB0aGUgYmVzdCBnYXRld2F5LCBhbmQgeW91IGtub3cgaXQ==';

/** Reads the URL of the keys, which has two names. */
export function urlOf(node: SourceNode): SourceNode | undefined {
  return node.oneOf(...URLS);
}

/** Reads `disable_jwk_security`, which here only permits plain HTTP. */
export function readAllowHttp(node: SourceNode, url: SourceNode | undefined, made: Made, say: Say): void {
  const switched = node.member('disable_jwk_security');
  if (switched?.boolean() !== true) return;
  const isHttp = url !== undefined && /^http:/i.test(url.text());
  if (isHttp) made.set('allowHttp', [true, switched]);
  say(
    'safer',
    isHttp ? 'allowHttp' : '',
    switched,
    `disable_jwk_security also turned off the checks of certificates, which are always made here${isHttp ? '; allowHttp is for tests, publish keys over https' : ''}`,
  );
}

/** Reads the TLS settings of the connection to the keys. */
export function readTls(node: SourceNode, made: Made, say: Say): void {
  const tls: Record<string, unknown> = {};
  const ca = node.member('jwk_local_ca');
  if (ca !== undefined) {
    tls.ca = { file: ca.text() };
    say('check', 'tls', ca, `${quoted(ca.text())} must exist where the service runs`);
  }
  const pins = node.member('jwk_fingerprints');
  const items = pins?.items() ?? [];
  const examples = items.filter((pin) => pin.value === EXAMPLE_PIN);
  const [example] = examples;
  if (example !== undefined)
    say(
      'no-equivalent',
      '',
      example,
      "this was a restriction: the fingerprint is the example of KrakenD's documentation, which is of no key; write the real one to tls.fingerprints",
    );
  if (items.length > examples.length)
    tls.fingerprints = items.filter((pin) => !examples.includes(pin)).map(readPin);
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
        `cipher suites ${numbers.filter((number) => BROKEN_SUITES.has(number)).join(', ')} (RC4, 3DES) are broken and omitted${kept.length > 0 ? '' : '; the suites of Node.js are used'}`,
      );
  }
  const from = pins ?? suites ?? ca;
  if (Object.keys(tls).length > 0 && from !== undefined) made.set('tls', [tls, from]);
}

/** Refuses a wrong pin: it would match no key, and omitting it would remove the restriction. */
function readPin(node: SourceNode): string {
  const text = node.text();
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(text))
    return node.refuse('expected the SHA-256 of a public key, base64');
  const { length } = Buffer.from(text, 'base64');
  return length === PIN_BYTES
    ? text
    : node.refuse(
        `is not the SHA-256 of a public key, which has ${PIN_BYTES} bytes; this has ${length}. Correct it, or remove it`,
      );
}

/** The members of KrakenD's encrypted key file, which has no equivalent. */
export function noteVault(node: SourceNode, say: Say): void {
  for (const name of ['secret_url', 'cypher_key']) {
    const member = node.member(name);
    if (member !== undefined)
      say(
        'no-equivalent',
        '',
        member,
        `${name} opens an encrypted file of keys; move the keys to a secret store`,
      );
  }
}

/** Adds the new members to a draft, in their order. */
export function putMade(draft: Draft, at: readonly (string | number)[], made: Made): void {
  for (const [name, [value, from]] of made) draft.set([...at, name], value, from);
}
