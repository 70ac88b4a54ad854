// The whole text of `detail` for common refusals: what was expected, in words of the options, and
// what was found where that is not token data. A detail that becomes worse shows here.
import { sign } from 'node:crypto';
import { forge, generateSigningKey, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { isAuthError } from '../../src/errors.ts';
import { AUDIENCE, create } from './issuers.ts';

const NOW = 1_800_000_000;
const ISSUER = 'https://issuer.example/';
const CLAIMS = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', iat: NOW, exp: NOW + 300 };

let key: SigningKey;
let second: SigningKey;

beforeAll(async () => {
  key = await generateSigningKey('ES256', 'first');
  second = await generateSigningKey('ES256', 'second');
});

type Options = Partial<Omit<AuthenticatorOptions, 'keySets'>>;

function authenticatorOf(options: Options = {}) {
  return create([{ issuer: ISSUER, jwks: { keys: [key.publicJwk, second.publicJwk] } }], {
    clock: { now: () => NOW * 1000 },
    ...options,
  });
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
    ['two parts', 'e30.e30', 'two parts instead of three'],
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
    ['a long one', `e30.${'A'.repeat(9_000)}.e30`, 'longer than maxTokenBytes (8192)'],
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
    ['sub as a number', { sub: 42 }, `token_claims_invalid: sub: ${IDENTIFIER}, got a number`],
    ['a blank jti', { jti: ' ' }, `token_claims_invalid: jti: ${IDENTIFIER}, got a blank string`],
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
