// Good tokens, each changed in one place at random. Bytes that no header can carry are among them.
import type { Pick } from './random.ts';

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const OTHERS = ['.', '=', ' ', '\n', '\r\nX-A: b', '\0', '%', ',', '"', '\u00ff'];
const MEMBERS = [
  '"alg":"none"',
  '"alg":"HS256"',
  '"kid":"other"',
  '"kid":"../../dev/null"',
  '"kid":"__proto__"',
  '"crit":["exp"]',
  '"b64":false',
  '"typ":"x"',
  '"jwk":{"kty":"oct","k":"AAAA"}',
];

const splice = (text: string, at: number, remove: number, put: string) =>
  text.slice(0, at) + put + text.slice(at + remove);

function rewritten(token: string, index: number, write: (bytes: Buffer) => Uint8Array | string): string {
  const segments = token.split('.');
  segments[index] = Buffer.from(write(Buffer.from(segments[index] ?? '', 'base64url'))).toString('base64url');
  return segments.join('.');
}

const CHANGES: readonly ((token: string, pick: Pick) => string)[] = [
  // One bit of a decoded segment.
  (token, pick) =>
    rewritten(token, pick(3), (bytes) => {
      const at = pick(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << pick(8));
      return bytes;
    }),
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
  (token, pick) =>
    rewritten(token, 0, (bytes) => `${bytes}`.replace('{', `{${MEMBERS[pick(MEMBERS.length)]},`)),
  (token, pick) => rewritten(token, 1, (bytes) => splice(`${bytes}`, pick(bytes.length), 1, '')),
  (token) => rewritten(token, 1, (bytes) => `${bytes}`.replace(/"exp":\d+/, '"exp":1e400')),
];

/** Changes a good token in one place. By chance, the result may be the token itself. */
export function changed(token: string, pick: Pick): string {
  return CHANGES[pick(CHANGES.length)]?.(token, pick) ?? '';
}
