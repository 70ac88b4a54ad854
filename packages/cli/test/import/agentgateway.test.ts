// Imports of agentgateway policies: providers, modes, and rules on claims in CEL and RBAC.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { JsonObject } from '@latchkey/core';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCel } from '../../src/import/cel.ts';
import { type RunningHosts, startHosts } from '../hosts.ts';
import { admits, decides, fixture, hour, importData, importText, load } from './imported.ts';

const ISSUER = 'https://keycloak.example.com/realms/master';
let key: SigningKey;
let other: SigningKey;
let hosts: RunningHosts;

beforeAll(async () => {
  key = await generateSigningKey('RS256', 'k1');
  other = await generateSigningKey('ES256', 'k2');
  hosts = await startHosts({
    'keys.example.com': { '/realms/master/protocol/openid-connect/certs': { keys: [key.publicJwk] } },
  });
});

afterAll(() => hosts.close());

const GOOD = {
  iss: ISSUER,
  aud: 'api',
  sub: 'alice',
  org: 'solo.io',
  teams: ['ops', 'dev'],
  metadata: { auth: { role: 'owner' } },
};
const token = (claims: JsonObject = {}, header = {}, by = key) =>
  mint(by, { ...GOOD, ...hour(), ...claims }, header);
const inline = (...keys: readonly object[]) => ({ inline: JSON.stringify({ keys }) });
const provider = (members: object = {}) => ({ issuer: ISSUER, jwks: inline(key.publicJwk), ...members });
const policy = (jwtAuthentication: object, beside: object = {}) => ({
  apiVersion: 'agentgateway.dev/v1alpha1',
  kind: 'AgentgatewayPolicy',
  spec: { traffic: { jwtAuthentication, ...beside } },
});

describe('a policy of Kubernetes', () => {
  it('AG-7 AG-8 AG-10 needs a variable for the host of a backend, and then decides the same', async () => {
    const imported = await importText(fixture('agentgateway-policy.yaml'));
    expect(imported.stdout).toMatch(/# check: set JWKS_HOST.*\n.*keycloak\/keycloak", port 8080/);
    expect(imported.stdout).toContain('refreshInterval: 5m');
    expect(() => load(imported)).toThrow('the variable JWKS_HOST is not set');
    const { authenticator } = load(imported, { environment: { JWKS_HOST: 'keys.example.com' } });
    expect(await decides(authenticator, await token())).toBe(200);
    expect(await decides(authenticator, await token({ aud: ['account', 'x'] }))).toBe(200);
    expect(await decides(authenticator, await token({ aud: 'x' }))).toBe(401);
    expect(await decides(authenticator, await token({ org: 'else' }))).toBe(401);
    expect(await decides(authenticator, await token({ teams: ['ops'] }))).toBe(401);
    expect(await decides(authenticator, await token({ teams: 'dev' }))).toBe(401);
    expect(await decides(authenticator, await token({ metadata: { auth: { role: 'guest' } } }))).toBe(401);
    expect(await decides(authenticator, await token({ 'metadata.auth.role': 'user', metadata: {} }))).toBe(
      401,
    );
    expect(await decides(authenticator, await token({}, { kid: undefined }))).toBe(401);
    expect(await decides(authenticator, await mint(key, GOOD))).toBe(401);
    await authenticator.close();
  });

  it('AG-9 imports inline keys, each provider for its issuer', async () => {
    const second = { issuer: 'second', jwks: inline(other.publicJwk) };
    const { authenticator } = load(
      await importText(policy({ mode: 'Strict', providers: [provider(), second] })),
    );
    expect(await decides(authenticator, await token())).toBe(200);
    expect(await decides(authenticator, await token({ iss: 'second' }, {}, other))).toBe(200);
    expect(await decides(authenticator, await token({ iss: 'second' }))).toBe(401);
    expect(await decides(authenticator, await token({ iss: 'third' }))).toBe(401);
    await authenticator.close();
  });

  it('requires of each token an audience of its own provider', async () => {
    const second = { issuer: 'second', jwks: inline(other.publicJwk), audiences: ['b', 'c'] };
    const imported = await importText(
      policy({ mode: 'Strict', providers: [provider({ audiences: ['a', 'b'] }), second] }),
    );
    const { authenticator } = load(imported);
    for (const [aud, first, another] of [
      ['a', 200, 401],
      ['b', 200, 200],
      ['c', 401, 200],
      [['a', 'c'], 200, 200],
      ['d', 401, 401],
    ] as const) {
      expect(await decides(authenticator, await token({ aud })), `${aud}`).toBe(first);
      const ofOther = await token({ iss: 'second', aud }, {}, other);
      expect(await decides(authenticator, ofOther), `${aud} of the second`).toBe(another);
    }
    await authenticator.close();
  });

  it('checks no audience of a provider without one, says so, and keeps a common one in one place', async () => {
    const second = (audiences?: readonly string[]) => ({
      issuer: 'second',
      jwks: inline(other.publicJwk),
      ...(audiences && { audiences }),
    });
    const both = (two: object) =>
      policy({ mode: 'Strict', providers: [provider({ audiences: ['a', 'b'] }), two] });
    const imported = await importText(both(second()));
    expect(imported.stdout).toMatch(/# check: the gateway did not check aud/);
    const { authenticator } = load(imported);
    expect(await decides(authenticator, await token({ iss: 'second', aud: 'x' }, {}, other))).toBe(200);
    expect(await decides(authenticator, await token({ aud: 'x' }))).toBe(401);
    await authenticator.close();
    const { jwt } = await importData(both(second(['b', 'a'])));
    expect(jwt.audience).toEqual(['a', 'b']);
    expect(JSON.stringify(jwt.keySets)).not.toContain('audience');
  });

  it('requires claims of the tokens of the provider that names them', async () => {
    const required = { jwtValidationOptions: { requiredClaims: ['exp', 'org'] } };
    const second = { issuer: 'second', jwks: inline(other.publicJwk), ...required };
    const { authenticator } = load(
      await importText(policy({ mode: 'Strict', providers: [provider(), second] })),
    );
    const without = { org: undefined } as unknown as JsonObject;
    expect(await decides(authenticator, await token(without))).toBe(200);
    expect(await decides(authenticator, await token({ ...without, iss: 'second' }, {}, other))).toBe(401);
    expect(await decides(authenticator, await token({ iss: 'second' }, {}, other))).toBe(200);
    await authenticator.close();
  });

  it.each([
    ['Strict', 401, 401],
    ['Optional', 200, 401],
    ['Permissive', 200, 200],
  ])('%s becomes the same mode', async (mode, without, bad) => {
    const { authenticator } = load(await importText(policy({ mode, providers: [provider()] })));
    expect(await admits(authenticator, {})).toBe(without);
    expect(await admits(authenticator, { authorization: `Bearer ${await token({ iss: 'x' })}` })).toBe(bad);
    await authenticator.close();
  });

  it('S36 without a mode it is strict, with a note for the standalone file', async () => {
    const kubernetes = await importData(policy({ providers: [provider()] }));
    expect([kubernetes.jwt.mode, kubernetes.notes.filter(({ kind }) => kind === 'safer')]).toEqual([
      'strict',
      [],
    ]);
    const standalone = await importData({ jwtAuth: provider() });
    expect(standalone.jwt.mode).toBe('strict');
    expect(standalone.notes.map(({ text }) => text).join()).toContain('optional restores that');
  });

  it('refuses policies that differ, and notes rules outside of them', async () => {
    const one = JSON.stringify(policy({ providers: [provider()] }));
    const two = JSON.stringify(policy({ providers: [provider({ issuer: 'else' })] }));
    expect((await importText(`${one}\n---\n${two}`)).code).toBe(2);
    expect((await importText(`${one}\n---\n${one}`)).code).toBe(0);
    const apart = {
      kind: 'AgentgatewayPolicy',
      spec: { traffic: { authorization: { rules: ['jwt.a == "b"'] } } },
    };
    const { notes } = await importData(`${one}\n---\n${JSON.stringify(apart)}`);
    expect(notes.map(({ text }) => text).join()).toContain('this was a restriction');
  });
});

describe('keys', () => {
  it.each([
    [
      'private',
      () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
    ],
    ['symmetric', () => ({ kty: 'oct', alg: 'HS256', k: randomBytes(32).toString('base64url') })],
  ])('omits a %s key, also in JSON', async (what, make) => {
    const secret = { ...make(), kid: 's' };
    const source = policy({ mode: 'Strict', providers: [provider({ jwks: inline(key.publicJwk, secret) })] });
    for (const args of [[], ['-o', 'json']]) {
      const { stdout, stderr } = await importText(source, { args });
      for (const name of ['d', 'p', 'q', 'k'])
        if (name in secret) expect(stdout + stderr).not.toContain(Reflect.get(secret, name));
    }
    const { jwt, notes } = await importData(source);
    expect(jwt.keySets).toMatchObject([
      { secret: { name: 'keycloak-example-com-realms-master', key: 'jwks.json' } },
    ]);
    expect(notes.map(({ text }) => text).join()).toContain(`a ${what} key was here`);
  });

  it('copies only the public members of a public key', async () => {
    const { jwt } = await importData(
      policy({ providers: [provider({ jwks: inline({ ...key.publicJwk, note: 'x' }) })] }),
    );
    expect(jwt.keySets).toMatchObject([{ jwks: { keys: [key.publicJwk] } }]);
    expect(JSON.stringify(jwt)).not.toContain('note');
  });

  it('fetches keys over https, and in clear only from this machine', async () => {
    const at = (url: string) => importData({ jwtAuth: { mode: 'strict', issuer: ISSUER, jwks: { url } } });
    const clear = await at('http://keys.example.com/jwks.json');
    expect(clear.jwt.keySets).toMatchObject([{ jwksUrl: 'https://keys.example.com/jwks.json' }]);
    expect(clear.notes).toContainEqual(expect.objectContaining({ kind: 'safer', path: 'jwtAuth.jwks.url' }));
    const here = await at('http://localhost:7080/jwks.json');
    expect(here.jwt.keySets).toMatchObject([{ jwksUrl: 'http://localhost:7080/jwks.json', allowHttp: true }]);
  });

  it('imports keys of a file as a secret', async () => {
    const imported = await importText({
      jwtAuth: { mode: 'strict', issuer: ISSUER, jwks: { file: './pub-key' } },
    });
    const { authenticator } = load(imported, {
      secrets: { 'keycloak-example-com-realms-master': { keys: [key.publicJwk] } },
    });
    expect(await decides(authenticator, await token())).toBe(200);
    await authenticator.close();
  });

  it.each([
    ['no issuer', { issuer: null }],
    ['no keys', { jwks: null }],
    ['keys twice', { jwks: { url: 'https://a.example.com', file: './x' } }],
    ['invalid JSON', { jwks: { inline: '{' } }],
    ['a key twice named', { jwks: { inline: '{"keys":[],"keys":[]}' } }],
    ['an empty set', { jwks: { inline: '{"keys":[]}' } }],
    ['a weak key', { jwks: inline({ kty: 'RSA', n: 'AQAB', e: 'AQAB' }) }],
  ])('refuses a provider with %s', async (_what, members) => {
    const { code, stderr, stdout } = await importText(policy({ providers: [provider(members)] }));
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('providers[0]');
  });
});

describe('the standalone file', () => {
  const file = (...policies: readonly object[]) => ({
    binds: [{ port: 3000, listeners: [{ routes: policies.map((one) => ({ policies: one })) }] }],
  });

  it('finds the policies of routes', async () => {
    const jwtAuth = {
      mode: 'strict',
      issuer: ISSUER,
      audiences: ['api'],
      jwks: { inline: JSON.stringify({ keys: [key.publicJwk] }) },
    };
    const { authenticator } = load(
      await importText(
        file({
          jwtAuth,
          cors: {},
          authorization: { rules: [{ require: 'has(jwt.email)' }, { deny: 'jwt.sub == "mallory"' }] },
        }),
      ),
    );
    expect(await decides(authenticator, await token({ email: 'a@example.com' }))).toBe(200);
    expect(await decides(authenticator, await token())).toBe(401);
    expect(await decides(authenticator, await token({ email: 'a@example.com', sub: 'mallory' }))).toBe(401);
    await authenticator.close();
  });

  it('merges alternatives of one claim, and notes conditions that rules cannot express', async () => {
    const rules = async (...list: readonly string[]) =>
      importData({ jwtAuth: provider({ mode: 'strict' }), authorization: { rules: list } });
    const merged = await rules('jwt.team == "dev"', 'jwt.team == "ops"');
    expect(merged.jwt.claims).toEqual([{ path: ['team'], rule: { anyOf: ['dev', 'ops'] } }]);
    const either = await rules('jwt.team == "dev"', 'jwt.sub == "root"');
    expect(either.jwt.claims).toBeUndefined();
    expect(either.notes.filter(({ kind }) => kind === 'no-equivalent')).toHaveLength(2);
    const foreign = await rules('request.path.startsWith("/public")');
    expect(foreign.notes.filter(({ text }) => text.startsWith('this was a restriction'))).toHaveLength(1);
    const issuers = await rules(`jwt.iss == "${ISSUER}"`);
    expect(issuers.jwt.issuers).toEqual([ISSUER]);
  });

  it('says that a token is a 401 that the gateway answers by 403', async () => {
    const said = async (members: object) => {
      const { notes } = await importData({ jwtAuth: provider({ mode: 'strict' }), ...members });
      return notes.filter(({ text }) => text.includes('gets 401 here')).length;
    };
    expect(await said({ authorization: { rules: ['jwt.team == "dev"'] } })).toBe(1);
    expect(await said({ authorization: { rules: [`jwt.iss == "${ISSUER}"`] } })).toBe(1);
    expect(await said({})).toBe(0);
  });

  it('requires the claims that the policy requires', async () => {
    const { authenticator } = load(
      await importText({
        jwtAuth: provider({ mode: 'strict', jwtValidationOptions: { requiredClaims: ['exp', 'nbf'] } }),
      }),
    );
    expect(await decides(authenticator, await token())).toBe(401);
    expect(await decides(authenticator, await token({ nbf: hour().iat }))).toBe(200);
    await authenticator.close();
  });
});

describe('RBAC', () => {
  const rbac = (members: object, principal: object) =>
    policy(
      { providers: [provider()] },
      { rbac: { policies: { viewer: { ...members, principals: [{ jwtPrincipal: principal }] } } } },
    );

  it('AG-6 uses paths into claims only with a delimiter', async () => {
    const claims = { 'metadata.auth.role': 'owner' };
    const split = load(await importText(rbac({ nestedClaimDelimiter: '.' }, { claims })));
    expect(await decides(split.authenticator, await token())).toBe(200);
    const whole = load(await importText(rbac({}, { claims })));
    expect(await decides(whole.authenticator, await token())).toBe(401);
    expect(await decides(whole.authenticator, await token({ 'metadata.auth.role': 'owner' }))).toBe(200);
    await Promise.all([split.authenticator.close(), whole.authenticator.close()]);
  });

  it.each([
    ['LIST_CONTAINS', { teams: 'dev' }, 200],
    ['LIST_CONTAINS', { org: 'solo.io' }, 401],
    ['BOOLEAN', { admin: 'true' }, 200],
    ['BOOLEAN', { org: 'true' }, 401],
  ])('matches by %s: %j', async (matcher, claims, status) => {
    const { authenticator } = load(await importText(rbac({}, { claims, matcher })));
    expect(await decides(authenticator, await token({ admin: true }))).toBe(status);
    await authenticator.close();
  });

  it('refuses alternatives, and policies that accept no token', async () => {
    const two = rbac({}, { claims: { a: 'b' } });
    two.spec.traffic = {
      ...two.spec.traffic,
      rbac: {
        policies: {
          a: {
            principals: [{ jwtPrincipal: { claims: { a: 'b' } } }, { jwtPrincipal: { claims: { c: 'd' } } }],
          },
        },
      },
    } as never;
    expect((await importText(two)).code).toBe(2);
    expect((await importText(rbac({}, { claims: {} }))).code).toBe(2);
    expect((await importText(rbac({}, { claims: { a: 'b' }, matcher: 'REGEX' }))).code).toBe(2);
  });
});

describe('CEL', () => {
  it.each([
    'jwt.a == "b" || true',
    'jwt.a != "b"',
    '!(jwt.a == "b")',
    'jwt.a == "b\\"c"',
    'jwt.a == jwt.b',
    'jwt.a == 1.5',
    'jwt.a == "b" && request.path == "/"',
    'jwt == "a"',
    '"a" in ["a"]',
    '',
    '&&',
    `jwt${'.a'.repeat(2_000)} == "b"`,
  ])('does not import %s', (expression) => {
    expect(readCel(expression)).toBeUndefined();
  });

  it('does not split a string at &&', () => {
    expect(readCel('jwt.a == "x && jwt.b == 1"')).toEqual([
      { path: ['a'], values: ['x && jwt.b == 1'], inList: false },
    ]);
  });

  it('reads names in brackets, numbers and booleans', () => {
    expect(readCel('jwt["https://x.com/roles"].a == 4 && true == jwt.b')).toEqual([
      { path: ['https://x.com/roles', 'a'], values: [4], inList: false },
      { path: ['b'], values: [true], inList: false },
    ]);
  });
});
