// Imports of Akamai's JWT settings: the table of claims makes the same decisions as the gateway.
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readdirSync } from 'node:fs';
import type { JsonObject } from '@latchkey/core';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningHosts, startHosts } from '../hosts.ts';
import { admits, decides, hour, importData, importText, load } from './imported.ts';

let primary: SigningKey;
let backup: SigningKey;
let stranger: SigningKey;
let curve: SigningKey;
let hosts: RunningHosts;

beforeAll(async () => {
  [primary, backup, stranger] = [
    await generateSigningKey('RS256', 'a'),
    await generateSigningKey('RS256', 'b'),
    await generateSigningKey('RS256', 'c'),
  ];
  curve = await generateSigningKey('ES256', 'ec');
  const set = { keys: [primary.publicJwk, curve.publicJwk] };
  hosts = await startHosts({
    'keys.example.com': { '/jwks.json': set },
    'else.example.com': { '/jwks.json': set },
  });
});

afterAll(() => hosts.close());

const pemOf = ({ privateKey }: SigningKey) =>
  createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString();

const CLAIMS = [
  { name: 'aud', required: false, type: 'ARRAY', validate: false, value: [] },
  { name: 'iss', required: false, type: 'STRING', validate: true, value: 'akamai' },
  { name: 'sub', required: false, type: 'REGEX', validate: true, value: '^[a-zA-Z0-9_]*$' },
  { name: 'exp', required: false, type: 'TIMESTAMP', validate: true, value: null },
  { name: 'nbf', required: false, type: 'TIMESTAMP', validate: true, value: null },
  { name: 'dept', required: true, type: 'STRING', validate: true, value: 'IT' },
  { name: 'roles', required: true, type: 'ARRAY', validate: true, value: ['admin', 'dev'] },
  { name: 'internal', required: true, type: 'BOOLEAN', validate: true, value: true },
  { name: 'bldg', required: false, type: 'INTEGER', validate: true, value: 4 },
];

const settings = (validation: object = {}, around: object = {}, top: object = {}) => ({
  enabled: true,
  resources: {},
  settings: {
    clockSkew: 10,
    location: 'HEADER',
    paramName: 'Authorization',
    validation: {
      rsaPublicKeyA: { name: 'primary', content: pemOf(primary) },
      rsaPublicKeyB: null,
      claims: CLAIMS,
      ...validation,
    },
    ...around,
  },
  ...top,
});

const GOOD = { iss: 'akamai', sub: 'john_1', dept: 'IT', roles: ['dev', 'x', 'admin'], internal: true };
const token = (claims: JsonObject = {}, header = {}, by = primary) =>
  mint(by, { ...GOOD, ...hour(), ...claims }, header);

describe('the table of claims', () => {
  it.each<[string, JsonObject, number]>([
    ['all of it', {}, 200],
    ['bldg 4', { bldg: 4 }, 200],
    ['bldg 5', { bldg: 5 }, 401],
    ['bldg "4"', { bldg: '4' }, 401],
    ['another dept', { dept: 'it' }, 401],
    ['one role alone', { roles: ['admin'] }, 401],
    ['internal false', { internal: false }, 401],
    ['internal "true"', { internal: 'true' }, 401],
    ['another iss', { iss: 'Akamai' }, 401],
    ['a sub that does not match', { sub: 'john doe' }, 401],
    ['any aud', { aud: 'whatever' }, 200],
  ])('AM-13 AM-14 AM-21 AM-22 AM-23 %s', async (_what, claims, status) => {
    const { authenticator } = load(await importText(settings()));
    expect(await decides(authenticator, await token(claims))).toBe(status);
    await authenticator.close();
  });

  it.each(['dept', 'roles', 'internal'])('AM-13 needs %s', async (name) => {
    const { authenticator } = load(await importText(settings()));
    const claims: Record<string, unknown> = { ...GOOD, ...hour() };
    delete claims[name];
    expect(await decides(authenticator, await mint(primary, claims as JsonObject))).toBe(401);
    await authenticator.close();
  });

  it('AM-6 AM-7 AM-8 AM-17 judges exp and nbf with the skew of the settings', async () => {
    const { authenticator } = load(await importText(settings()));
    const now = Math.floor(Date.now() / 1000);
    expect(await decides(authenticator, await token({ exp: now - 5, iat: now - 60 }))).toBe(200);
    expect(await decides(authenticator, await token({ exp: now - 20, iat: now - 60 }))).toBe(401);
    expect(await decides(authenticator, await token({ nbf: now + 5 }))).toBe(200);
    expect(await decides(authenticator, await token({ nbf: now + 30 }))).toBe(401);
    await authenticator.close();
  });

  it('S29 S34 is safer without exp and iss, with a note at each place', async () => {
    const { authenticator } = load(await importText(settings()));
    const { iss: _iss, ...unissued } = GOOD;
    expect(await decides(authenticator, await mint(primary, { ...unissued, ...hour() }))).toBe(401);
    expect(await decides(authenticator, await mint(primary, GOOD))).toBe(401);
    const { stdout } = await importText(settings());
    expect(stdout).toMatch(
      /# safer: the gateway also accepted tokens without exp.*\n.*\n? *requireExp: true/,
    );
    expect(stdout).toMatch(/# safer: a token without iss.*\n.*issuers:/);
    await authenticator.close();
  });

  it('AM-20 treats iat as nbf, and then requires it', async () => {
    const { authenticator } = load(await importText(settings({ treatIatAsNbf: true })));
    expect(await decides(authenticator, await token())).toBe(200);
    expect(await decides(authenticator, await mint(primary, { ...GOOD, exp: hour().exp }))).toBe(401);
    await authenticator.close();
  });

  it.each([
    [{}, true],
    [{ treatIatAsNbf: false }, true],
    [{ treatIatAsNbf: true }, false],
  ])('AM-20 says that iat in the future is refused also without the switch: %j', async (given, isSaid) => {
    const { stdout } = await importText(settings(given));
    expect(/# safer: .*iat in the future is refused/.test(stdout)).toBe(isSaid);
  });

  it('AM-13 requires nbf if its row requires it', async () => {
    const { authenticator } = load(
      await importText(
        settings({ claims: [{ name: 'nbf', required: true, validate: true, type: 'TIMESTAMP' }] }),
      ),
    );
    expect(await decides(authenticator, await token())).toBe(401);
    expect(await decides(authenticator, await token({ nbf: hour().iat }))).toBe(200);
    await authenticator.close();
  });

  it('AM-15 AM-18 accepts issuers by pattern and any of the audiences', async () => {
    const { authenticator } = load(
      await importText(
        settings({
          claims: [
            { name: 'aud', required: true, validate: true, type: 'ARRAY', value: ['a', 'b'] },
            {
              name: 'iss',
              required: true,
              validate: true,
              type: 'REGEX',
              value: 'https://[a-z]+\\.example\\.com',
            },
          ],
        }),
      ),
    );
    const from = (iss: string, aud: string[]) => token({ iss, aud });
    expect(await decides(authenticator, await from('https://x.example.com', ['z', 'b']))).toBe(200);
    expect(await decides(authenticator, await from('https://x.example.com', ['z']))).toBe(401);
    expect(await decides(authenticator, await from('https://x.example.com.evil', ['a']))).toBe(401);
    await authenticator.close();
  });

  it.each([
    ['a name twice', [CLAIMS[5], CLAIMS[5]]],
    ['validate without a value', [{ name: 'dept', validate: true, type: 'STRING' }]],
    ['an unknown type', [{ name: 'dept', validate: true, type: 'FLOAT', value: 1 }]],
    ['a look-ahead', [{ name: 'dept', validate: true, type: 'REGEX', value: '(?=IT)IT' }]],
    ['an issuer by look-ahead', [{ name: 'iss', validate: true, type: 'REGEX', value: '(?!x)a' }]],
    ['an empty audience', [{ name: 'aud', validate: true, type: 'ARRAY', value: [] }]],
    ['a switch that is a string', [{ name: 'dept', required: 'yes' }]],
  ])('refuses %s, with the place', async (_what, claims) => {
    const { code, stderr, stdout } = await importText(settings({ claims }));
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/source:1:\d+: settings\.validation\.claims\[\d\]/);
  });
});

describe('keys', () => {
  it('AM-3 accepts only the primary and the backup key', async () => {
    const { authenticator } = load(
      await importText(settings({ rsaPublicKeyB: { name: 'backup', content: pemOf(backup) } })),
    );
    expect(await decides(authenticator, await token())).toBe(200);
    expect(await decides(authenticator, await token({}, {}, backup))).toBe(200);
    expect(await decides(authenticator, await token({}, {}, stranger))).toBe(401);
    await authenticator.close();
  });

  it.each([
    { jwksUrl: 'https://keys.example.com/jwks.json' },
    { jku: { url: 'https://keys.example.com/jwks.json' } },
  ])('AM-4 with a fixed URL, jku is ignored, and keys are RSA: %j', async (keys) => {
    const { authenticator } = load(await importText(settings({ rsaPublicKeyA: null, ...keys })));
    expect(await decides(authenticator, await token())).toBe(200);
    expect(await decides(authenticator, await token({}, { jku: 'https://evil.example.com/' }))).toBe(200);
    expect(await decides(authenticator, await token({}, {}, curve))).toBe(401);
    await authenticator.close();
  });

  it('AM-4 with allowed hosts, jku selects the URL', async () => {
    const imported = await importText(
      settings({ rsaPublicKeyA: null, jku: { hosts: ['https://Keys.example.com/'] } }),
    );
    expect(imported.stdout).toMatch(/jwksHosts:\n\s+- keys\.example\.com/);
    const { authenticator } = load(imported);
    expect(await decides(authenticator, await token({}, { jku: 'https://else.example.com/jwks.json' }))).toBe(
      401,
    );
    expect(await decides(authenticator, await token())).toBe(401);
    await authenticator.close();
  });

  it('omits a private key in any format, and prints the command to run', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const source = settings({ rsaPublicKeyA: { name: 'Primary Key', content: pem } });
    for (const args of [[], ['-o', 'json'], ['--write']]) {
      const { stdout, stderr, cwd } = await importText(source, { args });
      expect(stdout + stderr).not.toContain('PRIVATE KEY');
      expect(stdout + stderr).not.toContain(pem.split('\n')[2]);
      expect(readdirSync(cwd)).not.toContain('secrets');
    }
    const { jwt, notes } = await importData(source);
    expect(jwt.keySets).toEqual([
      { publicKeys: [{ file: 'secrets/primary-key/public.key', algorithm: 'RS256' }] },
    ]);
    expect(notes.map(({ text }) => text).join()).toContain(
      'latchkey secrets create asymmetric primary-key --private-key FILE --extract-public-key',
    );
  });

  it.each([
    ['none', { rsaPublicKeyA: null }],
    ['two sources', { jwksUrl: 'https://keys.example.com/jwks.json' }],
    ['a value that is not a key', { rsaPublicKeyA: { name: 'x', content: 'MIIB' } }],
    ['plain HTTP', { rsaPublicKeyA: null, jwksUrl: 'http://keys.example.com/jwks.json' }],
    ['an invalid host', { rsaPublicKeyA: null, jwkHosts: ['a b'] }],
  ])('refuses %s', async (_what, keys) => {
    const { code, stderr } = await importText(settings(keys));
    expect([code, stderr]).toEqual([2, expect.stringMatching(/source:1:\d+: settings\.validation/)]);
  });
});

describe('locations and resources', () => {
  it('AM-5 reads the token from a header, a cookie or the query', async () => {
    const find = async (location: string, paramName: string) =>
      load(await importText(settings({}, { location, paramName }))).authenticator;
    const good = await token();
    const header = await find('HEADER', 'X-Jwt');
    expect(await admits(header, { 'x-jwt': good })).toBe(200);
    const cookie = await find('COOKIE', 'jwt');
    expect(await admits(cookie, { cookie: `jwt=${good}` })).toBe(200);
    const query = await find('QUERY_PARAM', 'jwt');
    expect(await admits(query, {}, { url: `/?jwt=${good}` })).toBe(200);
    expect(await admits(query, { authorization: `Bearer ${good}` })).toBe(401);
    await Promise.all([header, cookie, query].map((one) => one.close()));
  });

  it('AM-9 AM-10 notes exempt resources, by their own switch or an inherited one', async () => {
    const resources = {
      1: { enabled: false, inheritsFromEndpoint: false, path: '/health', methods: ['GET'] },
      2: { enabled: false, inheritsFromEndpoint: true, path: '/book', methods: ['GET'] },
    };
    const { notes } = await importData(settings({}, {}, { resources }));
    const exempt = notes.filter(({ path }) => path.startsWith('resources'));
    expect(exempt.map(({ kind, path }) => [kind, path])).toEqual([['safer', 'resources["1"]']]);
    const off = await importData(
      settings(
        {},
        {},
        {
          enabled: false,
          resources: { ...resources, 3: { enabled: true, inheritsFromEndpoint: false, path: '/x' } },
        },
      ),
    );
    expect(off.notes.filter(({ path }) => path.startsWith('resources'))).toHaveLength(2);
  });

  it('refuses settings that are switched off, because no descriptor decides the same', async () => {
    const { code, stderr } = await importText(settings({}, {}, { enabled: false }));
    expect([code, stderr]).toEqual([2, expect.stringContaining('switches JWT off')]);
  });

  it('S30 refuses a skew of more than a minute', async () => {
    expect((await importText(settings({}, { clockSkew: 61 }))).code).toBe(2);
  });
});
