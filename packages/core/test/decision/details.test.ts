// The whole text of `detail` for common refusals: what was expected, in words of the options, and
// what was found where that is not token data. A detail that becomes worse shows here.
import { sign } from 'node:crypto';
import { forge, generateSigningKey, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { isAuthError } from '../../src/errors.ts';
import { requireAll, requireAny } from '../../src/index.ts';
import { AUDIENCE, create } from './issuers.ts';

const NOW = 1_800_000_000;
const ISSUER = 'https://issuer.example/';
const CLAIMS = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', iat: NOW, exp: NOW + 300 };

/** RFC 7517 A.1. */
const RFC_KEY = {
  kty: 'EC',
  crv: 'P-256',
  x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
  y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
};

let key: SigningKey;
let second: SigningKey;

beforeAll(async () => {
  key = await generateSigningKey('ES256', 'first');
  second = await generateSigningKey('ES256', 'second');
});

type Options = Partial<AuthenticatorOptions>;

function authenticatorOf(options: Options = {}) {
  const { keySets = [{ issuer: ISSUER, jwks: { keys: [key.publicJwk, second.publicJwk] } }], ...rest } =
    options;
  return create(keySets, { clock: { now: () => NOW * 1000 }, ...rest });
}

/** A token of these claims. */
function signed(claims: object, by = key, header: object = {}): string {
  return forge({
    header: { alg: 'ES256', kid: by.kid, ...header },
    payload: JSON.parse(JSON.stringify({ ...CLAIMS, ...claims })),
    signature: (input) => sign('sha256', input, { key: by.privateKey, dsaEncoding: 'ieee-p1363' }),
  });
}

/** `code: detail` of the refusal. Explanations have the same detail. */
async function refused(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => undefined).catch((thrown: unknown) => thrown);
  if (!isAuthError(error)) throw error ?? new Error('was not refused');
  return `${error.code}: ${error.detail}`;
}

async function refusedToken(token: string, options?: Options): Promise<string> {
  const authenticator = authenticatorOf(options);
  const text = await refused(authenticator.verify(token));
  const { code, detail, checks } = await authenticator.explain(token);
  expect(`${code}: ${detail}`).toBe(text);
  expect(checks.find((check) => check.code === code)?.detail).toBe(detail);
  return text;
}

describe('a text that is not a signed JWT', () => {
  it.each([
    [
      'an opaque token',
      'ya29a0AfH6SMBx',
      'not a JWT: an opaque token? Ask the issuer for one for this audience, or use remote with introspection',
    ],
    [
      'two parts',
      'e30.e30',
      'two parts instead of three; not a JWT: an opaque token? Ask the issuer for one for this audience, or use remote with introspection',
    ],
    ['four parts', 'e30.e30.e30.e30', '4 parts instead of three'],
    [
      'five parts',
      'a.b.c.d.e',
      'an encrypted token (JWE), which is not supported; ask the issuer for a signed one',
    ],
    [
      'five parts, one of them empty',
      'e30..e30.e30.e30',
      'an encrypted token (JWE), which is not supported; ask the issuer for a signed one',
    ],
    ['other characters', 'a.b.*', 'not three base64url segments'],
    [
      'the JSON serialization of a signed token, in which there are four dots',
      '{"payload":"e30","signatures":[{"header":{"kid":"a.b"},"signature":"c.d.e"}]}',
      'the JSON serialization of JOSE; a JWT is in the compact one: ask the issuer for that',
    ],
    ['a long one', `e30.${'A'.repeat(16_400)}.e30`, 'longer than maxTokenBytes (16384)'],
  ])('%s', async (_, token, detail) => {
    expect(await refusedToken(token)).toBe(`token_malformed: ${detail}`);
  });
});

describe('registered claims', () => {
  const IDENTIFIER = 'expected a string that is not blank, without control characters';
  it.each<readonly [string, object, string]>([
    ['expired', { exp: NOW - 90 }, 'token_expired: expired 90 s ago'],
    ['too early', { nbf: NOW + 90.5 }, 'token_not_yet_valid: valid in 90 s (nbf)'],
    ['issued later', { iat: NOW + 90 }, 'token_not_yet_valid: iat is 90 s in the future'],
    ['too old', { iat: NOW - 7200 }, 'token_expired: issued 7200 s ago; maxTokenAge is 3600 s'],
    ['exp in a string', { exp: '1' }, 'token_claims_invalid: exp: expected a time in seconds, got a string'],
    ['iat null', { iat: null }, 'token_claims_invalid: iat: expected a time in seconds, got null'],
    [
      'milliseconds',
      { exp: NOW * 1000 },
      'token_claims_invalid: exp: expected a time in seconds, got a number that is too large; is it in milliseconds?',
    ],
    [
      'sub as a number',
      { sub: 42 },
      `token_claims_invalid: sub: ${IDENTIFIER}, got a number; numericSub: true accepts whole numbers`,
    ],
    ['a blank jti', { jti: ' ' }, `token_claims_invalid: jti: ${IDENTIFIER}, got a blank string`],
    [
      'an aud with another slash',
      { aud: `${AUDIENCE}/` },
      `token_audience_mismatch: aud names none of ${AUDIENCE}; it differs by a trailing slash`,
    ],
    ['another aud', { aud: 'x' }, `token_audience_mismatch: aud names none of ${AUDIENCE}`],
    ['no aud', { aud: undefined }, `token_audience_mismatch: aud: expected ${AUDIENCE}, got nothing`],
    ['aud as a number', { aud: 7 }, `token_audience_mismatch: aud: expected ${AUDIENCE}, got a number`],
  ])('%s', async (_, claims, detail) => {
    expect(await refusedToken(signed(claims), { maxTokenAge: '1h' })).toBe(detail);
  });
});

describe('no token, or one that is not taken', () => {
  const tokenFrom = [{ query: 'token' }, { cookie: 'session' }, { body: 'access_token' }] as const;
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const missing = 'no query parameter token; no cookie session';
  it.each<readonly [string, Options, object, string]>([
    ['no header', {}, { headers: {} }, 'credentials_missing: no header Authorization'],
    [
      'no scheme',
      {},
      { headers: { authorization: 'eyJ.secret.x' } },
      'credentials_missing: Authorization has no scheme Bearer',
    ],
    [
      'another header',
      { tokenFrom: [{ header: 'X-Token', scheme: 'Token' }] },
      { headers: { 'x-token': 'x' } },
      'credentials_missing: X-Token has no scheme Token',
    ],
    ['no form', { tokenFrom }, { headers: {} }, `credentials_missing: ${missing}; no form in the body`],
    [
      'a form that was not parsed',
      { tokenFrom },
      { method: 'POST', headers: form },
      `credentials_missing: ${missing}; request.body is not set; a form parser must run before`,
    ],
    [
      'a form without the field',
      { tokenFrom },
      { method: 'POST', headers: form, body: {} },
      `credentials_missing: ${missing}; no form field access_token`,
    ],
    [
      'a POST with a cookie alone',
      { tokenFrom },
      { method: 'POST', headers: { cookie: 'session=x' } },
      'origin_refused: neither Sec-Fetch-Site nor Origin was sent; a cookie on POST needs one',
    ],
    [
      'an upgrade with a cookie alone',
      { tokenFrom },
      { method: 'GET', headers: { cookie: 'session=x', upgrade: 'websocket' } },
      'origin_refused: neither Sec-Fetch-Site nor Origin was sent; a cookie on an upgrade needs one',
    ],
    [
      'a POST of another site',
      { tokenFrom },
      {
        method: 'POST',
        headers: { cookie: 'session=x', 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
      },
      'origin_refused: sent with Sec-Fetch-Site cross-site and Origin "https://evil.example"; if the page is yours, add its origin to allowedOrigins',
    ],
    [
      'a site that does not exist',
      { tokenFrom },
      { method: 'POST', headers: { cookie: 'session=x', 'sec-fetch-site': 'x' } },
      'origin_refused: sent with Sec-Fetch-Site with an unknown value; if the page is yours, add its origin to allowedOrigins',
    ],
  ])('%s', async (_, options, request, detail) => {
    const authenticator = authenticatorOf(options);
    expect(await refused(authenticator.authenticate({ method: 'GET', ...request } as never))).toBe(detail);
    const explained = await authenticator.explain({ method: 'GET', ...request } as never);
    expect(`${explained.code}: ${explained.detail}`).toBe(detail);
    expect(explained.checks[0]?.detail).toBe(explained.detail);
  });
});

describe('issuers', () => {
  const keySets = ['https://a.example', 'b', 'c', 'd'].map((issuer) => ({
    issuer,
    jwks: { keys: [RFC_KEY] },
  }));
  it.each<readonly [string, Options, unknown, string]>([
    [
      'without its slash',
      {},
      'https://issuer.example',
      'iss "https://issuer.example" differs from keySets[0].issuer by a trailing slash',
    ],
    [
      'with a slash',
      { keySets },
      'https://a.example/',
      'iss "https://a.example/" differs from keySets[0].issuer by a trailing slash',
    ],
    [
      'another one',
      {},
      'x\n\u202e',
      'iss "x\\n\\u{202e}" is not the issuer of a keyset: "https://issuer.example/"',
    ],
    [
      'another one of many',
      { keySets },
      'x',
      'iss "x" is not the issuer of a keyset: "https://a.example", "b", "c" and others',
    ],
    ['none', {}, undefined, 'the token has no iss, and every keyset is for an issuer'],
    ['a number', {}, 7, 'iss: expected a string, got a number'],
    ['not in issuers', { issuers: ['b'] }, ISSUER, `issuers does not accept iss "${ISSUER}"`],
  ])('%s', async (_, options, iss, detail) => {
    expect(await refusedToken(signed({ iss }), options)).toBe(`token_issuer_untrusted: ${detail}`);
  });

  it('of a route', async () => {
    const request = { headers: { authorization: `Bearer ${signed({})}` } };
    const detail = await refused(authenticatorOf().authenticate(request, { issuers: ['b'] }));
    expect(detail).toBe(`token_issuer_untrusted: issuers of the route does not accept iss "${ISSUER}"`);
  });

  it('a long one is cut', async () => {
    expect((await refusedToken(signed({ iss: 'x'.repeat(5_000) }))).length).toBeLessThan(500);
  });
});

describe('algorithms and keys', () => {
  const keysetOf = (keys: readonly object[], more: object = {}): Options => ({
    keySets: [{ issuer: ISSUER, jwks: { keys }, ...more } as never],
  });
  const both = () => [key.publicJwk, second.publicJwk];

  it.each<readonly [string, () => Options, () => string, string]>([
    [
      'an algorithm that is not allowed',
      () => keysetOf(both(), { allowedAlgorithms: ['ES256'] }),
      () => signed({}, key, { alg: 'RS256' }),
      'token_algorithm_refused: RS256 is not among keySets[0].allowedAlgorithms: ES256',
    ],
    [
      'an algorithm of another key',
      () => ({}),
      () => signed({}, key, { alg: 'RS256' }),
      "token_algorithm_refused: RS256 is not among the algorithms of the token's key in keySets[0]: ES256",
    ],
    [
      'no key for the algorithm',
      () => ({}),
      () => signed({}, key, { alg: 'RS256', kid: undefined }),
      'token_algorithm_refused: RS256 is not among the algorithms of the keys in keySets[0]: ES256',
    ],
    [
      'none',
      () => ({}),
      () => signed({}, key, { alg: 'none' }),
      'token_algorithm_refused: the token is not signed: its alg is none',
    ],
    [
      'another type',
      () => ({ typ: ['at+jwt'] }),
      () => signed({}, key, { typ: 'JWT' }),
      'token_type_refused: typ is not at+jwt',
    ],
    [
      'the second key without a kid',
      () => ({}),
      () => signed({}, second, { kid: undefined }),
      "token_signature_invalid: the token has no kid, so only the first key of keySets[0] was tried; kidless: 'try-all' tries more",
    ],
    [
      'no kid where one is needed',
      () => keysetOf(both(), { kidless: 'refuse' }),
      () => signed({}, key, { kid: undefined }),
      "token_key_unknown: the token has no kid, and keySets[0] has kidless: 'refuse'",
    ],
    [
      'another key',
      () => ({}),
      () => signed({}, second, { kid: 'first' }),
      'token_signature_invalid: not made with a key of keySets[0]',
    ],
    [
      'another kid',
      () => ({}),
      () => signed({}, key, { kid: 'other' }),
      'token_key_unknown: keySets[0] has no key with the kid of the token, but kid first, kid second',
    ],
    [
      'a key that was skipped',
      () => keysetOf([key.publicJwk, { ...second.publicJwk, use: 'enc' }]),
      () => signed({}, second),
      'token_key_unknown: keySets[0] has no key with the kid of the token, but kid first; not used: kid second (use is not "sig")',
    ],
  ])('%s', async (_, options, token, detail) => {
    expect(await refusedToken(token(), options())).toBe(detail);
  });
});

describe('several tokens', () => {
  const sources = () => ({
    user: authenticatorOf(),
    device: authenticatorOf({ tokenFrom: [{ header: 'X-Device' }] }),
  });
  const user = () => ({ authorization: `Bearer ${signed({})}` });

  it('requireAll names the source that refused', async () => {
    const asked = requireAll(sources()).authenticate({ headers: user() });
    expect(await refused(asked)).toBe('credentials_missing: device: no header X-Device');
  });

  it('requireAny names the source, or all of them', async () => {
    const either = requireAny(sources());
    expect(await refused(either.authenticate({ headers: { 'x-device': signed({ exp: NOW - 9 }) } }))).toBe(
      'token_expired: device: expired 9 s ago',
    );
    expect(await refused(either.authenticate({ headers: {} }))).toBe(
      'credentials_missing: user: no header Authorization; device: no header X-Device',
    );
  });
});
