// Tokens that must be refused: good ones with one thing done to each by a seeded hand. Bytes that
// no header can carry are among them.
import type { Pick } from '../seeded.ts';

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const OTHERS = ['.', '=', ' ', '\n', '\r\nX-A: b', '\0', '%', ',', '"', '\u00ff'];
const MEMBERS = [
  '"alg":"none"',
  '"alg":"HS256"',
  '"kid":"../../dev/null"',
  '"kid":"__proto__"',
  '"crit":["exp"]',
  '"b64":false',
  '"typ":"x"',
  '"jwk":{"kty":"oct","k":"AAAA"}',
];

const splice = (text: string, at: number, remove: number, put: string) =>
  text.slice(0, at) + put + text.slice(at + remove);

function rewritten(token: string, index: number, write: (json: string) => string): string {
  const segments = token.split('.');
  const json = Buffer.from(segments[index] ?? '', 'base64url').toString();
  segments[index] = Buffer.from(write(json)).toString('base64url');
  return segments.join('.');
}

const MUTATIONS: readonly ((token: string, pick: Pick) => string)[] = [
  (token, pick) => splice(token, pick(token.length), 1, BASE64URL[pick(64)] ?? ''),
  (token, pick) => splice(token, pick(token.length), 0, BASE64URL[pick(64)] ?? ''),
  (token, pick) => splice(token, pick(token.length), 1 + pick(8), ''),
  (token, pick) => splice(token, pick(token.length), 1, String.fromCharCode(pick(256))),
  (token, pick) => splice(token, pick(token.length), 0, OTHERS[pick(OTHERS.length)] ?? ''),
  (token, pick) => token.split('.').slice(0, pick(3)).join('.'),
  (token, pick) => {
    const segments = token.split('.');
    return [segments[pick(3)], segments[pick(3)], segments[pick(3)]].join('.');
  },
  (token) => `${token}.${token.split('.')[2]}`,
  (token, pick) => rewritten(token, 0, (json) => json.replace('{', `{${MEMBERS[pick(MEMBERS.length)]},`)),
  (token, pick) => rewritten(token, 1, (json) => splice(json, pick(json.length), 1, '')),
  (token) => rewritten(token, 1, (json) => json.replace(/"exp":\d+/, '"exp":1e400')),
];

/**
 * Changes a good token so that it must be refused. The result may be the token itself by chance:
 * then it is changed again.
 */
export function hostileOf(token: string, pick: Pick): string {
  for (;;) {
    const mutated = MUTATIONS[pick(MUTATIONS.length)]?.(token, pick) ?? '';
    // Spaces around it are no part of a header's value, and a line break ends it.
    if (mutated.split(/[\r\n]/)[0]?.trim() !== token) return mutated;
  }
}
