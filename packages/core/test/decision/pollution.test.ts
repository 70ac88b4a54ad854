// Only an object's own members are options: whatever something else puts on Object.prototype,
// before options are read or afterwards, each request is decided as it is without that.
import { createClock, generateSigningKey, mint } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import { type CompiledAccess, compileAccess } from '../../src/decision/access.ts';
import {
  type AuthenticatorOptions,
  authorize,
  createAuthenticator,
  type Principal,
  type RouteAccess,
  requireAny,
  route,
} from '../../src/index.ts';
import { optionTables, ruleFormRows } from '../../src/tools/index.ts';
import { HOSTILE, polluted } from '../support/pollution.ts';

const NOW = 1_700_000_000;
const [key, other] = await Promise.all([generateSigningKey('RS256'), generateSigningKey('RS256')]);
const clock = createClock(NOW * 1000);

const MINIMAL = () =>
  ({ keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }], audience: 'me', clock }) as const;
const FULL = (): AuthenticatorOptions => ({
  keySets: [
    { issuer: 'i', jwks: { keys: [key.publicJwk] }, allowedAlgorithms: ['RS256'], kidless: 'refuse' },
    { issuer: 'o', jwks: { keys: [other.publicJwk] }, system: true },
  ],
  audience: ['me', 'you'],
  issuers: ['i', { pattern: 'o' }],
  claims: [
    { sub: { present: true }, groups: { optional: { noneOf: ['banned'] } } },
    { path: ['a', 'b'], rule: { optional: ['c'] } },
    { name: 'dept', validate: true, value: 'IT' },
  ],
  tokenFrom: [{ header: 'Authorization' }, { cookie: 'token' }, { query: 'token' }],
  routes: { admin: { claims: { roles: { allOf: ['admin'] } } } },
  maxTokenAge: '1h',
  systemSubject: 'okera',
  clock,
});
const STRICT = (): AuthenticatorOptions => ({
  keySets: [
    { issuer: 'i', jwks: { keys: [key.publicJwk] }, audience: 'me', maxLifetime: '1h' },
    { issuer: 'o', jwks: { keys: [other.publicJwk] }, claims: { sub: 'okera' }, typ: 'jwt' },
  ],
  resource: { url: 'https://api.example.com' },
  scopes: { implies: { files: ['read'] } },
  routes: { admin: { acr: ['mfa'], actors: false, audience: 'me', issuers: ['i'], maxAge: '5m' } },
  mode: 'permissive',
  clock,
});
const BUILDS: readonly (() => ReturnType<typeof createAuthenticator> | ReturnType<typeof requireAny>)[] = [
  () => createAuthenticator({ ...MINIMAL(), mode: 'optional', groups: { trust: { i: 'all' } } }),
  () => createAuthenticator(FULL()),
  () => createAuthenticator(STRICT()),
  () => requireAny({ user: createAuthenticator(MINIMAL()), full: createAuthenticator(FULL()) }),
];
const ACCESSES: readonly (() => RouteAccess)[] = [
  () => ({}),
  () => ({ claims: { roles: ['admin'] } }),
  () => ({ claims: [{ roles: { allOf: ['admin'], split: ',' }, email: { pattern: 'a@[a-z]+' } }] }),
  () => ({ claims: route('admin') }),
  () => ({ issuers: ['o'] }),
  () => ({ claims: { scope: 'read' } }),
  () => ({ acr: ['mfa'], maxAge: '5m' }),
  () => ({ actors: [false, 'gateway'], audience: 'me' }),
  () => ({ mode: 'optional' }),
  () => ({ mode: 'permissive' }),
];

const good = { iss: 'i', aud: 'me', sub: 'alice', iat: NOW - 60, exp: NOW + 300, dept: 'IT' };
const tokens = await Promise.all([
  mint(key, { ...good, roles: ['admin'], groups: ['dev'] }),
  mint(key, { ...good, roles: 'admin,dev', email: 'a@b' }),
  mint(key, { ...good, roles: ['user'] }),
  mint(key, { ...good, groups: ['banned'] }),
  mint(key, { ...good, aud: 'other' }),
  mint(key, { ...good, exp: NOW - 300 }),
  mint(key, { ...good, iat: NOW - 7200 }),
  mint(key, { ...good, sub: 'okera' }),
  mint(other, { ...good, iss: 'o', sub: 'okera' }),
  mint(other, { ...good, iss: 'i' }),
  mint(key, { ...good, iss: 'stranger' }),
  mint(key, good, { kid: undefined }),
  mint(key, good, { typ: 'x' }),
  mint(key, { ...good, cnf: { jkt: 'x' } }),
  Promise.resolve('a.b.c'),
]);
const REQUESTS = [
  { method: 'GET', url: '/', headers: {}, rawHeaders: [] },
  ...tokens.map((token) => ({
    method: 'GET',
    url: '/',
    headers: { authorization: `Bearer ${token}` },
    rawHeaders: ['Authorization', `Bearer ${token}`],
  })),
  { method: 'GET', url: `/?token=${tokens[0]}`, headers: {}, rawHeaders: [] },
  ...['https://evil.example', 'https://me.example'].map((origin) => ({
    method: 'POST',
    url: '/',
    headers: { cookie: `token=${tokens[0]}`, origin, host: 'me.example' },
    rawHeaders: ['Cookie', `token=${tokens[0]}`, 'Origin', origin, 'Host', 'me.example'],
  })),
];

const NAMES = [
  ...new Set([
    ...optionTables().flatMap(({ rows }) => rows.map(({ name }) => name)),
    ...ruleFormRows().flatMap(({ form }) => /^\w+$/.exec(form) ?? []),
    ...['auth', 'kind', 'from', 'split', 'match', 'optional', 'path', 'rule', 'name', 'required', 'validate'],
    ...['type', 'value', 'only', 'prefix', 'pattern', 'file', 'pem', 'algorithm', 'descriptor', 'directory'],
    ...['key', 'headers', 'rawHeaders', 'params', 'authorization', 'origin', 'host', 'scope', 'detail'],
    ...[
      'bodies',
      'welcomes',
      'route',
      'environment',
      'delimiter',
      'request',
      'failOnUndecided',
      'algorithms',
      'requires',
      'needsToken',
      'scopes',
      'also',
      'signed',
      'now',
      'owner',
      'acrValues',
      'maxAgeSeconds',
      'resourceMetadata',
      'act',
      'auth_time',
      'skipped',
      'missingAudience',
      'audienceMatch',
      'clockSkewMs',
      'implied',
      'anonymous',
      'outputs',
      'trace',
    ],
  ]),
];

type Asked = ReturnType<(typeof BUILDS)[number]>;

/** What each request comes to: the subject, or the code of the refusal. */
function decisions(asked: readonly Asked[]): readonly string[] {
  return asked.flatMap((one) =>
    ACCESSES.flatMap((access, index) => {
      // The first says nothing: what it comes to is up to the token.
      const requests = index === 0 ? REQUESTS : REQUESTS.slice(0, 4);
      const compiled = compiledFrom(access);
      return requests.map((request) => decided(one, { ...request }, compiled));
    }),
  );
}

function compiledFrom(access: () => RouteAccess): CompiledAccess | string {
  try {
    return compileAccess(access());
  } catch (error) {
    return String(error);
  }
}

function decided(asked: Asked, request: object, access: CompiledAccess | string): string {
  if (typeof access === 'string') return access;
  try {
    const decision = asked.decide(request as never, access);
    if (decision instanceof Promise) {
      decision.catch(() => {});
      return 'later';
    }
    if (!decision.ok) return decision.error.code;
    const { principal } = decision;
    return JSON.stringify(principal, (name, value) => (name === 'claims' ? undefined : value)) ?? 'anonymous';
  } catch (error) {
    return String(error);
  }
}

const clean = BUILDS.map((build) => build());
const cold = decisions(clean);
// Tokens that verified twice are kept, and groups are found later the first time.
for (let round = 0; round < 3; round++) {
  decisions(clean);
  await new Promise(setImmediate);
}
const warm = decisions(clean);

describe('a member of Object.prototype', () => {
  it('has something to change', () => {
    expect(new Set(warm).size).toBeGreaterThan(12);
    expect(warm.filter((one) => one.startsWith('{')).length).toBeGreaterThan(30);
  });

  it.each(NAMES)('%s: has no effect on requests', (name) => {
    for (const value of HOSTILE) {
      const found = polluted(name, value, () => decisions(clean));
      expect(found, `${name} = ${JSON.stringify(value)}`).toEqual(warm);
    }
  });

  it.each(NAMES)('%s: is not read as an option', (name) => {
    for (const value of [false, 'optional', ['x']]) {
      const found = polluted(name, value, () => {
        try {
          return decisions(BUILDS.map((build) => build()));
        } catch (error) {
          return String(error);
        }
      });
      expect(found, `${name} = ${JSON.stringify(value)}`).toEqual(cold);
    }
  });

  it('roles: does not replace a claim', () => {
    const principal = (clean[0] as ReturnType<typeof createAuthenticator>).decide(REQUESTS[3] as never);
    const { principal: user } = principal as { readonly principal: Principal };
    const judge = () => polluted('roles', ['admin'], () => authorize(user, { roles: ['admin'] }));
    expect(judge).toThrow(expect.objectContaining({ code: 'claims_insufficient' }));
  });
});
