// Imports of KrakenD's configuration: the descriptor accepts the tokens that KrakenD accepts, and
// refuses the others.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonObject } from '@latchkey/core';
import { createResponseSigner, type OutgoingReply } from '@latchkey/core/adapter';
import { fromKrakend } from '@latchkey/core/signing';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningHosts, startHosts } from '../hosts.ts';
import { admits, decides, fixture, hour, importData, importText, load } from './imported.ts';

const ISSUER = 'https://idp.example.com/';
const AUDIENCES = ['https://api.example.com', 'https://admin.example.com'];
const VALIDATOR = 'github.com/devopsfaith/krakend-jose/validator';

let key: SigningKey;
let other: SigningKey;
let hosts: RunningHosts;

beforeAll(async () => {
  key = await generateSigningKey('ES256', 'k1');
  other = await generateSigningKey('ES256', 'k2');
  hosts = await startHosts({
    'idp.example.com': { '/jwks.json': { keys: [key.publicJwk] } },
    'idp2.example.com': { '/jwks.json': { keys: [other.publicJwk] } },
  });
});

afterAll(() => hosts.close());

const token = (claims: JsonObject = {}, header = {}, by = key) =>
  mint(by, { iss: ISSUER, aud: AUDIENCES, sub: 'john', ...hour(), ...claims }, header);

/** An extra_config with one validator. */
const validator = (members: object) => ({
  extra_config: {
    'auth/validator': { alg: 'ES256', jwk_url: 'https://idp.example.com/jwks.json', cache: true, ...members },
  },
});

describe('a whole krakend.json', () => {
  it('S25 S31 decides per endpoint as the gateway does', async () => {
    const { authenticator, name } = load(await importText(fixture('krakend.json')));
    expect(name).toBe('bookshop');
    const admin = (roles: unknown) => token({ realm_access: { roles } } as JsonObject);
    expect(await decides(authenticator, await admin(['owner', 'x']), 'GET /admin')).toBe(200);
    expect(await decides(authenticator, await admin('x admin'), 'GET /admin')).toBe(200);
    expect(await decides(authenticator, await admin(['x']), 'GET /admin')).toBe(403);
    expect(await decides(authenticator, await admin('administrator'), 'GET /admin')).toBe(403);
    // A claim with a dotted name is not a claim inside another.
    const flat = await token({ 'realm_access.roles': ['admin'] });
    expect(await decides(authenticator, flat, 'GET /admin')).toBe(403);
    const write = 'PUT /books/{id}';
    expect(await decides(authenticator, await token({ scope: 'x books:write books:read' }), write)).toBe(200);
    expect(await decides(authenticator, await token({ scope: 'books:write' }), write)).toBe(403);
    expect(await decides(authenticator, await token(), write)).toBe(403);
    await authenticator.close();
  });

  it('S25 requires all audiences, the issuer, a kid, the algorithm and the key', async () => {
    const { authenticator } = load(await importText(fixture('krakend.json')));
    expect(await decides(authenticator, await token())).toBe(200);
    expect(await decides(authenticator, await token({ aud: AUDIENCES[0] as string }))).toBe(401);
    expect(await decides(authenticator, await token({ iss: 'https://idp.example.com' }))).toBe(401);
    expect(await decides(authenticator, await mint(key, { aud: AUDIENCES, ...hour() }))).toBe(401);
    expect(await decides(authenticator, await token({}, { kid: undefined }))).toBe(401);
    expect(await decides(authenticator, await token({}, {}, other))).toBe(401);
    expect(await decides(authenticator, await token({}, { kid: 'k1' }, other))).toBe(401);
    await authenticator.close();
  });

  it('notes settings that have no equivalent, were made safer or must be checked, and counts them', async () => {
    const { stdout, stderr } = await importText(fixture('krakend.json'));
    expect(stdout).toContain('# safer: "GET /health" has no validator');
    expect(stdout).toMatch(/no equivalent: this was a restriction: revoked/);
    expect(stdout).toContain('refreshInterval: 1800s');
    expect(stderr).toMatch(/3 made safer/);
    expect(stderr).toMatch(/warning: 3 without an equivalent; some of it restricted/);
    const { notes } = await importData(fixture('krakend.json'));
    expect(notes.map(({ kind, path }) => `${kind} ${path}`)).toContain(
      'no-equivalent endpoints[1].extra_config["auth/revoker"]',
    );
    for (const note of notes) expect(Object.keys(note).sort()).toEqual(['kind', 'path', 'text']);
  });
});

describe('a validator', () => {
  it('puts the rules of one extra_config to the top, under both namespaces and spellings', async () => {
    const old = {
      extra_config: {
        [VALIDATOR]: { alg: 'ES256', 'jwk-url': 'https://idp.example.com/jwks.json', roles: ['a'] },
      },
    };
    const { authenticator } = load(await importText(old));
    expect(await decides(authenticator, await token({ roles: ['b', 'a'] }))).toBe(200);
    expect(await decides(authenticator, await token({ roles: ['b'] }))).toBe(401);
    // Without an issuer and audience in the source, neither is checked.
    expect(await decides(authenticator, await token({ roles: ['a'], iss: 'anybody', aud: 'x' }))).toBe(200);
    await authenticator.close();
  });

  it('defaults to RS256 as the gateway does, and accepts no other algorithm', async () => {
    const { jwt } = await importData({
      extra_config: { 'auth/validator': { jwk_url: 'https://idp.example.com/jwks.json' } },
    });
    expect(jwt).toMatchObject({ keySets: [{ allowedAlgorithms: ['RS256'] }] });
  });

  it('S31 reads dots in a scopes_key as a path, but not those of a URL', async () => {
    const nested = await importData(validator({ scopes: ['x'], scopes_key: 'data.scopes' }));
    expect(nested.jwt.claims).toEqual([{ path: ['data', 'scopes'], rule: { anyOf: ['x'], split: ' ' } }]);
    const named = await importData(validator({ scopes: ['x'], scopes_key: 'http://gip.net/roles.a' }));
    expect(named.jwt.claims).toEqual({ 'http://gip.net/roles.a': { anyOf: ['x'], split: ' ' } });
  });

  it('makes scopes without a scopes_key a rule, although the gateway ignores them', async () => {
    const imported = await importText(validator({ scopes: ['x'] }));
    const { authenticator } = load(imported);
    expect(imported.stdout).toContain('scopes without scopes_key');
    expect(await decides(authenticator, await token({ scope: 'a x' }))).toBe(200);
    expect(await decides(authenticator, await token({ scope: 'a' }))).toBe(401);
    await authenticator.close();
  });

  it('reads the token from cookie_key and auth_header_name', async () => {
    const { authenticator } = load(
      await importText(validator({ cookie_key: 'session', auth_header_name: 'X-Token' })),
    );
    const good = await token();
    expect(await admits(authenticator, { 'x-token': `Bearer ${good}` })).toBe(200);
    expect(await admits(authenticator, { cookie: `session=${good}` })).toBe(200);
    expect(await admits(authenticator, { cookie: `session=${good}` }, { method: 'POST' })).toBe(403);
    expect(await admits(authenticator, { authorization: `Bearer ${good}` })).toBe(401);
    await authenticator.close();
  });

  it('omits the default cookie, and notes how to restore it', async () => {
    const imported = await importText(validator({}));
    const { authenticator } = load(imported);
    expect(imported.stdout).toContain('access_token');
    expect(await admits(authenticator, { cookie: `access_token=${await token()}` })).toBe(401);
    expect(await admits(authenticator, { authorization: `bearer ${await token()}` })).toBe(200);
    await authenticator.close();
  });

  it.each([
    ['1s', '1s', false],
    ['1m0s', '1m0s', false],
    ['90s', '60s', true],
    ['2h', '60s', true],
  ])('S30 a leeway of %s is a skew of %s', async (leeway, skew, safer) => {
    const { jwt, notes } = await importData(validator({ leeway }));
    expect(jwt.clockSkew).toBe(skew);
    expect(notes.some(({ path }) => path.endsWith('.leeway'))).toBe(safer);
  });

  it('D8 S44 disable_jwk_security permits plain HTTP and nothing else', async () => {
    const clear = await importData(
      validator({ jwk_url: 'http://127.0.0.1:1/jwks.json', disable_jwk_security: true }),
    );
    expect(clear.jwt.keySets).toMatchObject([{ jwksUrl: 'http://127.0.0.1:1/jwks.json', allowHttp: true }]);
    expect(
      clear.notes
        .filter(({ kind }) => kind === 'safer')
        .map(({ text }) => text)
        .join(),
    ).toContain('certificates');
    const secure = await importData(validator({ disable_jwk_security: true }));
    expect(secure.jwt.keySets).toMatchObject([{ jwksUrl: 'https://idp.example.com/jwks.json' }]);
    expect(JSON.stringify(secure.jwt)).not.toContain('allowHttp');
    const without = await importText(validator({ jwk_url: 'http://127.0.0.1:1/jwks.json' }));
    expect(without.code).toBe(2);
    expect(without.stderr).toMatch(/source:1:\d+: extra_config\["auth\/validator"\]\.jwk_url: must be https/);
  });

  it('S43 S45 keeps pins and suites, refuses an invalid pin, and drops broken suites with a note', async () => {
    const pin = randomBytes(32).toString('base64url');
    const kept = await importData(
      validator({
        jwk_fingerprints: [pin],
        cipher_suites: [5, 10, 49199],
        jwk_local_ca: '/etc/not-here/ca.pem',
      }),
    );
    expect(kept.jwt.keySets).toMatchObject([
      { tls: { fingerprints: [pin], cipherSuites: [49199], ca: { file: '/etc/not-here/ca.pem' } } },
    ]);
    const dropped = await importData(validator({ cipher_suites: [5, 10] }));
    expect(JSON.stringify(dropped.jwt)).not.toContain('tls');
    expect(dropped.notes.map(({ text }) => text).join()).toContain('cipher suites 5, 10');
    // The example of KrakenD's documentation.
    const example = 'S3Jha2VuRCBpcyB0aGUgYmVzdCBnYXRld2F5LCBhbmQgeW91IGtub3cgaXQ==';
    const omitted = await importData(validator({ jwk_fingerprints: [example] }));
    expect(JSON.stringify(omitted.jwt)).not.toContain('tls');
    expect(omitted.notes.map(({ text }) => text).join()).toContain('this was a restriction: the fingerprint');
    const mixed = await importData(validator({ jwk_fingerprints: [example, pin] }));
    expect(mixed.jwt.keySets).toMatchObject([{ tls: { fingerprints: [pin] } }]);
    const bogus = await importText(validator({ jwk_fingerprints: [`A${example.slice(1)}`] }));
    expect(bogus.code).toBe(2);
    expect(bogus.stderr).toContain('this has 44');
    expect((await importText(validator({ cipher_suites: [1] }))).code).toBe(2);
  });

  it('D6 imports a shared secret as a secret, and never from a URL', async () => {
    const k = randomBytes(32).toString('base64url');
    const imported = await importText(
      validator({ alg: 'HS256', jwk_url: 'https://idp.example.com/symmetric.json' }),
    );
    expect(imported.stdout).toContain('secrets/idp-example-com-symmetric/jwks.json');
    const jwks = { keys: [{ kty: 'oct', kid: 's', alg: 'HS256', k }] };
    const { authenticator } = load(imported, { secrets: { 'idp-example-com-symmetric': jwks } });
    const { createSigner } = await import('@latchkey/core/signing');
    const signer = createSigner({ jwks });
    expect(await decides(authenticator, await signer.sign({ sub: 'john', ...hour() }))).toBe(200);
    expect(await decides(authenticator, await token())).toBe(401);
    await authenticator.close();
  });

  it('imports keys of a local file as a secret', async () => {
    const imported = await importText(
      validator({ jwk_url: null, jwk_local_path: './keys/public.json', issuer: ISSUER }),
    );
    const { authenticator } = load(imported, { secrets: { 'keys-public': { keys: [key.publicJwk] } } });
    expect(await decides(authenticator, await token())).toBe(200);
    await authenticator.close();
  });

  it('notes that introspection restricted access', async () => {
    const { notes } = await importData(
      validator({ introspection: { url: 'https://idp.example.com/introspect' } }),
    );
    expect(
      notes
        .filter(({ kind }) => kind === 'no-equivalent')
        .map(({ text }) => text)
        .join(),
    ).toContain('restriction');
  });
});

describe('several endpoints', () => {
  const endpoint = (path: string, members: object) => ({ endpoint: path, ...validator(members) });

  it('separates issuers by route', async () => {
    const { authenticator } = load(
      await importText({
        endpoints: [
          endpoint('/one', { issuer: ISSUER }),
          endpoint('/two', {
            issuer: 'https://idp2.example.com/',
            jwk_url: 'https://idp2.example.com/jwks.json',
          }),
        ],
      }),
    );
    const two = await token({ iss: 'https://idp2.example.com/' }, {}, other);
    expect(await decides(authenticator, await token(), 'GET /one')).toBe(200);
    expect(await decides(authenticator, two, 'GET /two')).toBe(200);
    expect(await decides(authenticator, await token(), 'GET /two')).toBe(401);
    expect(await decides(authenticator, two, 'GET /one')).toBe(401);
    // The key of one issuer does not verify tokens of the other.
    expect(await decides(authenticator, await token({}, {}, other), 'GET /one')).toBe(401);
    await authenticator.close();
  });

  it('S25 separates audiences by route', async () => {
    const { authenticator } = load(
      await importText({
        endpoints: [endpoint('/one', { audience: ['a', 'b'] }), endpoint('/two', { audience: ['c'] })],
      }),
    );
    expect(await decides(authenticator, await token({ aud: ['a', 'b'] }), 'GET /one')).toBe(200);
    expect(await decides(authenticator, await token({ aud: ['a'] }), 'GET /one')).toBe(403);
    expect(await decides(authenticator, await token({ aud: 'c' }), 'GET /two')).toBe(200);
    expect(await decides(authenticator, await token({ aud: ['a', 'b'] }), 'GET /two')).toBe(401);
    expect(await decides(authenticator, await token({ aud: ['d'] }), 'GET /two')).toBe(401);
    await authenticator.close();
  });

  it.each([
    ['other keys without an issuer', { jwk_url: 'https://idp2.example.com/jwks.json' }],
    ['another algorithm', { alg: 'RS256' }],
    ['another header', { auth_header_name: 'X-Token' }],
    ['another leeway', { leeway: '2s' }],
    ['an issuer next to none', { issuer: ISSUER, jwk_url: 'https://idp2.example.com/jwks.json' }],
  ])('refuses %s, which one descriptor cannot express', async (_what, members) => {
    const { code, stderr, stdout } = await importText({
      endpoints: [endpoint('/one', {}), endpoint('/two', members)],
    });
    expect(code).toBe(2);
    expect(stderr).toMatch(/source:1:\d+: endpoints\[1\].*import one endpoint by itself, with --endpoint/);
    expect(stdout).toBe('');
  });
});

describe('a signer', () => {
  it('KD-7 KD-9 KD-10 signs the same as core does with the gateway’s own configuration', async () => {
    const k = randomBytes(32).toString('base64url');
    const server = createServer((_request, response) => {
      response.end(JSON.stringify({ keys: [{ kty: 'oct', kid: 'sim2', k, alg: 'HS256' }] }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const text = fixture('krakend-signer.txt').replace('127.0.0.1:1', `127.0.0.1:${port}`);
    const imported = await importText(text);
    const { signResponse } = load(imported, { environment: { ISSUER: 'https://idp.example.com' } });
    const source = JSON.parse(`{${text.replace('...', '')}}`);
    const { iat, exp } = hour();
    const body = {
      access_token: { sub: 'john', jti: '1', iat, exp },
      refresh_token: { sub: 'john', jti: '2', iat, exp },
      exp,
    };
    const reply: OutgoingReply = {
      status: 200,
      body,
      getHeader: () => undefined,
      setHeader: () => {},
      removeHeader: () => {},
    };
    const mine = createResponseSigner(signResponse as never);
    const theirs = createResponseSigner(fromKrakend(source));
    expect((await mine.sign(reply))?.object).toEqual((await theirs.sign(reply))?.object);
    expect((await mine.sign(reply))?.object).toMatchObject({
      exp,
      access_token: expect.stringContaining('"protected"'),
    });
    await expect(mine.sign({ ...reply, body: { access_token: 'text' } })).rejects.toThrow('not an object');
    await Promise.all([mine.signer.close(), theirs.signer.close()]);
    await new Promise((resolve) => server.close(resolve));
  });

  it('starts no service until the user sets the trusted issuer', async () => {
    const imported = await importText(fixture('krakend-signer.txt'));
    expect(() => load(imported)).toThrow('the variable ISSUER is not set');
  });

  it('refuses two signers that differ, and accepts two equal ones', async () => {
    const signer = (kid: string) => ({
      endpoint: `/${kid}`,
      extra_config: {
        'auth/signer': {
          alg: 'ES256',
          kid,
          keys_to_sign: ['t'],
          jwk_url: 'https://idp.example.com/private.json',
        },
      },
    });
    expect((await importText({ endpoints: [signer('a'), signer('b')] })).code).toBe(2);
    expect((await importText({ endpoints: [signer('a'), { ...signer('a'), endpoint: '/b' }] })).code).toBe(0);
  });

  it.each(['alg', 'kid', 'keys_to_sign', 'jwk_url'])('needs %s', async (name) => {
    const signer = {
      alg: 'ES256',
      kid: 'a',
      keys_to_sign: ['t'],
      jwk_url: 'https://idp.example.com/private.json',
      [name]: null,
    };
    const { code, stderr } = await importText({ extra_config: { 'auth/signer': signer } });
    expect([code, stderr]).toEqual([2, expect.stringContaining(name)]);
  });
});
