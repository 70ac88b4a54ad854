// RFC 9068, requirement by requirement: what `profile: 'at+jwt'` does with tokens that keep or
// break it. docs/access-tokens.md has the same rows, without the tokens.
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { createClock, forge, generateSigningKey, type MintClaims, mint } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { ConfigError, isAuthError } from '../../src/errors.ts';
import { startAuthenticator } from '../support/authenticators.ts';

const API = 'https://api.example.com';
const ISSUER = 'https://issuer.example/';
const OTHER = 'https://other.example/';
const NOW = 1_700_000_000;
const INVALID = 'token_claims_invalid';
const SYSTEM = { sub: 'okera', client_id: 'okera' };
/** In every token, and in no text about a refusal. */
const PRIVATE = 'private-claim-of-alice';

const [key, stranger] = await Promise.all([
  generateSigningKey('ES256', 'one'),
  generateSigningKey('ES256', 'one'),
]);

const GOOD = {
  iss: ISSUER,
  aud: API,
  sub: 'alice',
  client_id: 'app',
  exp: NOW + 300,
  iat: NOW,
  jti: 'j1',
  email: PRIVATE,
} as const;

/** A token that is good but for this. */
interface Change {
  readonly claims?: MintClaims;
  readonly header?: Parameters<typeof mint>[2];
  readonly options?: Partial<AuthenticatorOptions>;
  /** The whole token, made from the claims. */
  readonly make?: (claims: object) => Promise<string> | string;
}

type Try = readonly [title: string, change: Change, expected: string];

const claims = (title: string, changed: MintClaims, expected = INVALID): Try => [
  title,
  { claims: changed },
  expected,
];
const typ = (value: string | undefined, expected = 'token_type_refused'): Try => [
  `typ ${value ?? 'absent'}`,
  { header: { typ: value } },
  expected,
];

interface Requirement {
  readonly section: string;
  readonly requires: string;
  readonly does: string;
  readonly tries: readonly Try[];
}

const REQUIREMENTS: readonly Requirement[] = [
  {
    section: '2.1, 4',
    requires: '`typ` is `at+jwt` or `application/at+jwt`',
    does: 'Any other `typ`, or none, is refused. The case does not matter.',
    tries: [
      typ('at+jwt', 'accepted'),
      typ('application/at+jwt', 'accepted'),
      typ('AT+JWT', 'accepted'),
      typ('Application/At+Jwt', 'accepted'),
      typ('JWT'),
      typ('at'),
      typ('text/at+jwt'),
      typ('at+jwt; v=1'),
      typ('', 'token_malformed'),
      typ(undefined),
    ],
  },
  {
    section: '2.1, 4',
    requires: 'the token is signed, and `alg` is not `none`',
    does: '`none` is unknown here. Only algorithms that the keyset and the key allow are accepted.',
    tries: [
      ['alg none', { make: (payload) => forged(payload, 'none') }, 'token_algorithm_refused'],
      ['alg NONE', { make: (payload) => forged(payload, 'NONE') }, 'token_algorithm_refused'],
      ['alg none, no signature', { make: (payload) => forged(payload, 'none', 0) }, 'token_malformed'],
      ['alg HS256', { make: (payload) => forged(payload, 'HS256') }, 'token_algorithm_refused'],
      ['another signature', { make: (payload) => forged(payload, 'ES256') }, 'token_signature_invalid'],
      ['no signature', { make: (payload) => forged(payload, 'ES256', 0) }, 'token_malformed'],
    ],
  },
  {
    section: '2.2',
    requires: '`iss`, `exp`, `aud`, `sub`, `client_id`, `iat` and `jti` are in the token',
    does: 'A token without one of them is refused, whatever other options say.',
    tries: [
      claims('no iss', { iss: undefined }, 'token_issuer_untrusted'),
      claims('no exp', { exp: undefined }),
      claims('no aud', { aud: undefined }),
      claims('no sub', { sub: undefined }),
      claims('no client_id', { client_id: undefined }),
      claims('no iat', { iat: undefined }),
      claims('no jti', { jti: undefined }),
      claims('client_id null', { client_id: null }),
      ['no exp, requireExp false', { claims: { exp: undefined }, options: { requireExp: false } }, INVALID],
      ['no aud, audience null', { claims: { aud: undefined }, options: { audience: null } }, INVALID],
    ],
  },
  {
    section: '2.2',
    requires: 'they have the types of RFC 7519 and RFC 8693',
    does: 'A time that is not a number, and a name that is blank or not a string, are refused.',
    tries: [
      claims('exp as text', { exp: String(NOW + 300) }),
      claims('iat as text', { iat: String(NOW) }),
      claims('sub as a number', { sub: 5 }),
      claims('client_id as a list', { client_id: ['app'] }),
      claims('client_id, blank', { client_id: ' ' }),
      claims('jti as a number', { jti: 1 }),
    ],
  },
  {
    section: '2.2.1',
    requires: '`auth_time`, `acr` and `amr` are a time, a string and a list of strings',
    does: 'Other types are refused. Without these claims the token is accepted.',
    tries: [
      claims('all', { auth_time: NOW - 60, acr: 'urn:mfa', amr: ['pwd', 'otp'] }, 'accepted'),
      claims('an empty amr', { amr: [] }, 'accepted'),
      claims('auth_time as text', { auth_time: String(NOW) }),
      claims('auth_time in milliseconds', { auth_time: NOW * 1000 }),
      claims('auth_time null', { auth_time: null }),
      claims('acr as a number', { acr: 2 }),
      claims('acr as a list', { acr: ['urn:mfa'] }),
      claims('an empty acr', { acr: '' }),
      claims('acr with a line break', { acr: 'a\nb' }),
      claims('amr as text', { amr: 'otp' }),
      claims('amr with a number', { amr: ['pwd', 5] }),
      claims('amr as an object', { amr: { 0: 'otp' } }),
    ],
  },
  {
    section: '2.2.2',
    requires: 'claims about the user may be in the token',
    does: 'They are in `claims` of the principal. They grant nothing without a rule.',
    tries: [claims('some', { name: 'Alice', email_verified: 'yes', address: { country: 'DE' } }, 'accepted')],
  },
  {
    section: '2.2.3',
    requires: '`scope` is a string of scopes with spaces between',
    does: 'A list, and characters that no scope has, are refused.',
    tries: [
      claims('two scopes', { scope: 'read write' }, 'accepted'),
      claims('no scope', { scope: '' }, 'accepted'),
      claims('a list', { scope: ['read'] }),
      claims('null', { scope: null }),
      claims('a line break', { scope: 'read\nadmin' }),
      claims('a tab', { scope: 'read\tadmin' }),
      claims('a quote', { scope: 'read"' }),
      claims('no ASCII', { scope: 'lesen-für-alle' }),
    ],
  },
  {
    section: '2.2.3.1',
    requires: '`groups`, `roles` and `entitlements` may be in the token',
    does: 'A text in `groups` is one group; anything else that is not a list of strings has none. Rules decide what the others grant.',
    tries: [
      claims('all', { groups: ['dev'], roles: ['admin'], entitlements: ['e'] }, 'accepted'),
      claims('groups as text', { groups: 'dev' }, 'accepted'),
      claims('groups of objects', { groups: [{ value: 'dev' }] }, 'accepted'),
    ],
  },
  {
    section: '4',
    requires: 'an encrypted token is decrypted',
    does: 'Encryption is not supported: a token of five parts is refused.',
    tries: [
      ['a JWE', { make: () => 'eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkExMjhHQ00ifQ.a.b.c.d' }, 'token_malformed'],
    ],
  },
  {
    section: '4',
    requires: '`iss` is exactly the issuer identifier of the authorization server',
    does: '`iss` selects the keyset. Its issuer is compared character by character.',
    tries: [
      claims('without the last slash', { iss: ISSUER.slice(0, -1) }, 'token_issuer_untrusted'),
      claims('in another case', { iss: ISSUER.toUpperCase() }, 'token_issuer_untrusted'),
      claims('of another server', { iss: 'https://evil.example/' }, 'token_issuer_untrusted'),
    ],
  },
  {
    section: '4, 5',
    requires: '`aud` names this resource server',
    does: 'One of the names in `aud` has to be an `audience` of the options. `audience: null` turns that off.',
    tries: [
      claims('this one', { aud: API }, 'accepted'),
      claims('this one and another', { aud: [OTHER, API] }, 'accepted'),
      claims('another one', { aud: OTHER }, 'token_audience_mismatch'),
      claims('a longer name', { aud: `${API}/` }, 'token_audience_mismatch'),
      claims('an empty list', { aud: [] }, 'token_audience_mismatch'),
      claims('an object', { aud: { 0: API } }, 'token_audience_mismatch'),
    ],
  },
  {
    section: '4',
    requires: 'the signature is valid for a key of the authorization server',
    does: 'Only the keysets of the `iss` are asked, and not those of other issuers.',
    tries: [
      ['an unknown key', { make: (payload) => signed(payload, stranger) }, 'token_signature_invalid'],
      claims('a key of another issuer', { iss: OTHER }, 'token_signature_invalid'),
      ['other claims', { make: (payload) => changed(payload) }, 'token_signature_invalid'],
    ],
  },
  {
    section: '4',
    requires: 'the time is before `exp`, with a small leeway',
    does: 'The leeway is `clockSkew`: 5s, and 60s at most.',
    tries: [
      claims('in the leeway', { exp: NOW - 4, iat: NOW - 60 }, 'accepted'),
      claims('after it', { exp: NOW - 5, iat: NOW - 60 }, 'token_expired'),
    ],
  },
  {
    section: '5',
    requires: 'an ID token is not an access token',
    does: 'Its `typ` is not `at+jwt`, so it is refused, also if its `aud` is an audience here.',
    tries: [
      [
        'an ID token',
        { claims: { nonce: 'n', at_hash: 'h', auth_time: NOW }, header: { typ: 'JWT' } },
        'token_type_refused',
      ],
      [
        'an ID token without typ',
        { claims: { nonce: 'n' }, header: { typ: undefined } },
        'token_type_refused',
      ],
    ],
  },
  {
    section: '5',
    requires: 'a client cannot choose a `sub` that is taken for that of another subject',
    does: 'The authorization server has to keep them apart. `systemSubject` is only of keysets with `system: true`.',
    tries: [
      ['a client named like the system', { claims: SYSTEM, options: { systemSubject: 'okera' } }, INVALID],
    ],
  },
];

function forged(payload: object, alg: string, bytes = 64): string {
  const header = { alg, kid: 'one', typ: 'at+jwt' };
  return forge({ header, payload: { ...payload }, signature: Buffer.alloc(bytes, 1) });
}

function signed(payload: object, by: typeof key): Promise<string> {
  return mint(by, { ...payload }, { typ: 'at+jwt' });
}

async function changed(payload: object): Promise<string> {
  const [head, , signature] = (await signed(payload, key)).split('.');
  const [, body] = (await signed({ ...payload, sub: 'root' }, key)).split('.');
  return `${head}.${body}.${signature}`;
}

/** The refusal of a token, or `accepted`. */
async function decide({ claims: more = {}, header = {}, options = {}, make }: Change) {
  const authenticator = startAuthenticator({
    keySets: [
      { issuer: ISSUER, jwks: { keys: [key.publicJwk] } },
      { issuer: OTHER, jwks: { keys: [stranger.publicJwk] } },
    ],
    audience: API,
    profile: 'at+jwt',
    clock: createClock(NOW * 1000),
    ...options,
  });
  const payload = { ...GOOD, ...more };
  const token = await (make?.(payload) ?? mint(key, payload, { typ: 'at+jwt', ...header }));
  try {
    await authenticator.verify(token);
    return 'accepted';
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return error;
  }
}

describe.each(REQUIREMENTS.map((one) => [one.section, one.requires, one.tries] as const))(
  'RFC 9068 §%s: %s',
  (_section, _requires, tries) => {
    it.each(tries)('%s', async (_title, change, expected) => {
      const refusal = await decide(change);
      if (refusal === 'accepted') return void expect(refusal).toBe(expected);
      expect(refusal.code).toBe(expected);
      // RFC 9068 §4: the error of RFC 6750 §3.1. §6: nothing of the token is in a text.
      expect(refusal.headers['WWW-Authenticate']).toContain('error="invalid_token"');
      const texts = [inspect(refusal), JSON.stringify(refusal), JSON.stringify(refusal.headers)].join();
      expect(texts).not.toContain(PRIVATE);
      for (const claim of Object.values(change.claims ?? {}))
        if (typeof claim === 'string' && claim.length > 8 && change.claims?.iss !== claim)
          expect(texts).not.toContain(claim);
      return undefined;
    });
  },
);

it('RFC 9068 §4: the leeway is a minute at most', async () => {
  await expect(decide({ options: { clockSkew: '61s' } })).rejects.toThrow(ConfigError);
});

it('explain shows the claims of the profile', async () => {
  const authenticator = startAuthenticator({
    keySets: [{ issuer: ISSUER, jwks: { keys: [key.publicJwk] } }],
    audience: API,
    profile: 'at+jwt',
    clock: createClock(NOW * 1000),
  });
  const token = await mint(key, { ...GOOD, amr: 'otp', acr: 'urn:mfa' }, { typ: 'at+jwt' });
  const { checks } = await authenticator.explain(token);
  expect(checks).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ about: 'acr', outcome: 'passed' }),
      expect.objectContaining({ about: 'amr', outcome: 'failed', detail: expect.stringContaining('a list') }),
    ]),
  );
  expect(checks.some(({ about }) => about === 'auth_time')).toBe(false);
});

it('without the profile, these types are the concern of rules', async () => {
  const authenticator = startAuthenticator({
    keySets: [{ issuer: ISSUER, jwks: { keys: [key.publicJwk] } }],
    audience: API,
    clock: createClock(NOW * 1000),
  });
  const token = await mint(key, { ...GOOD, amr: 'otp', auth_time: 'then', scope: ['read'] });
  expect(await authenticator.verify(token, { amr: 'otp' })).toMatchObject({ scopes: ['read'] });
});

it('docs/access-tokens.md has these rows', () => {
  const page = readFileSync(new URL('../../../../docs/access-tokens.md', import.meta.url), 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| §'));
  expect(rows.slice(0, REQUIREMENTS.length)).toEqual(
    REQUIREMENTS.map(({ section, requires, does }) => `| §${section} | ${requires} | ${does} |`),
  );
});
