// `latchkey jwks add --provider`: the flags that each provider takes and refuses, and what happens
// to a file that has keysets already. What it writes is in providers-pages.test.ts.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseDescriptor } from '@latchkey/core/tools';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../src/index.ts';
import { PROVIDERS } from '../src/providers/choose.ts';
import { startHosts } from './hosts.ts';
import { createTerminal } from './terminal.ts';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'latchkey-providers-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

const read = (path = 'service.yaml') => readFileSync(join(cwd, path), 'utf8');
const jwt = (path = 'service.yaml') => parseDescriptor(read(path), path).jwt;

async function add(line: string) {
  const { terminal, stdout, stderr } = createTerminal({ cwd });
  const code = await run(['jwks', 'add', ...line.split(' ').filter((word) => word !== '')], terminal);
  return { code, stdout: stdout(), stderr: stderr() };
}

const TENANT = '72f988bf-86f1-41af-91ab-2d7cd011db47';
const AUTH0 = '--provider auth0 --domain tenant.eu.auth0.com --audience https://api.example.com';
const IAP = '--provider iap --audience /projects/1/apps/a --skip-validation';

describe('jwks add --provider', () => {
  it.each(PROVIDERS)('$name says which flag is missing, with an example that works', async (provider) => {
    const { name, needs, example } = provider;
    const { code, stderr } = await add(`--provider ${name}`);
    expect(code).toBe(2);
    expect(stderr).toContain(`${name} needs --`);
    expect(stderr).toContain(`latchkey jwks add --provider ${name} ${example}`);
    expect(needs.length).toBeGreaterThan(0);
    expect(existsSync(join(cwd, 'service.yaml'))).toBe(false);
    expect(await add(`--provider ${name} ${example} --skip-validation`)).toMatchObject({ code: 0 });
  });

  it('lists the providers for an unknown name, and takes other names of some', async () => {
    const { code, stderr } = await add('--provider entar');
    expect(code).toBe(2);
    expect(stderr).toContain(PROVIDERS.map(({ name }) => name).join(', '));
    expect(stderr).toContain('did you mean entra?');
    const other = '--provider google-iap --audience /projects/1/apps/a --skip-validation';
    expect(await add(other)).toMatchObject({ code: 0 });
  });

  it.each([
    [`${AUTH0} --realm shop`, '--realm is not a flag of auth0; it takes --domain, --audience'],
    [`${AUTH0} --oidc-discovery`, '--oidc-discovery: expected nothing of that kind next to --provider'],
    [`${AUTH0} --secret s`, '--secret: expected'],
    [`${AUTH0} --allow-http`, '--allow-http: expected'],
    [`${AUTH0} --allowed-algorithms ES256`, '--allowed-algorithms: expected'],
    ['--oidc-discovery --issuer https://a.example --tenant x', '--tenant requires --provider'],
    [
      '--provider cognito --user-pool eu-west-1_a --region us-east-1 --client-id c',
      '--region: expected eu-west-1',
    ],
    [
      `--provider entra-v1 --tenant ${TENANT} --tenant ${TENANT} --audience a`,
      '--tenant: expected one tenant for entra-v1',
    ],
    ['--provider keycloak --domain a.example --audience b', 'keycloak needs --realm'],
    [
      '--provider keycloak --realm a --issuer https://a.example/auth/realms/a --audience b',
      '--issuer: expected it in place of --domain and --realm',
    ],
    ['--provider supabase --project a --issuer https://a.example', '--issuer: expected it in place of'],
  ])('refuses %s', async (line, message) => {
    const { code, stderr } = await add(`${line} --skip-validation`);
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
    expect(existsSync(join(cwd, 'service.yaml'))).toBe(false);
  });

  // A value must not change another part of the URL that it becomes a part of.
  it.each([
    [
      'auth0 --audience a --domain',
      ['https://a.example', 'a.example/x', 'u@a.example', 'a.example?x', 'a.example#x'],
    ],
    [
      'auth0 --audience a --domain',
      ['A.example', 'localhost', 'a..example', 'a.example:x', 'ä.example', '../a.b'],
    ],
    [
      'keycloak --domain a.example --audience a --realm',
      ['..', '.', 'a/b', 'a%2fb', 'a?b', 'a#b', '../master'],
    ],
    [
      'keycloak --audience a --issuer',
      ['http://a.example', 'https://u:p@a.example', 'https://a.example/../b'],
    ],
    ['entra --client-id a --tenant', ['common', 'contoso.onmicrosoft.com', '../x', '{tid}']],
    [
      'cognito --client-id a --user-pool',
      ['AbC', 'eu-west-1_a/b', 'evil.example/eu-west-1_a', 'eu-west-1_a.b'],
    ],
    ['firebase --project', ['a/b', 'A', 'a@b', '..']],
    ['supabase --project', ['a.evil', 'a/b', 'evil.example/', '-a']],
    ['cloudflare-access --audience a --team', ['a.b', 'a/b', 'https://a', 'a@b']],
    ['okta --domain a.example --audience a --authorization-server', ['../v1', 'a/b', 'a?b']],
    ['github-actions --audience a --repository', ['a', 'a/b/c', 'a/..', '*/b']],
    ['github-actions --audience a --repository-id', ['a', '1e3']],
    ['kubernetes --audience a --service-account', ['a', 'a:b', 'a/b/c', 'A/b']],
    ['spiffe --audience a --jwks-url https://a.example/ --trust-domain', ['spiffe://a', 'a/b', 'A', 'a|b']],
    ['spiffe --audience a --trust-domain a --jwks-url', ['http://a.example', 'https://u@a.example/']],
    ['clerk --domain a.example --origin', ['https://a.example/', 'http://a.example', 'a.example']],
  ])('%s refuses what is more than one part: %j', async (line, values) => {
    const flag = line.split(' ').at(-1);
    for (const value of values) {
      const { code, stderr } = await add(`--provider ${line} ${value} --skip-validation`);
      expect({ value, code }).toEqual({ value, code: 2 });
      expect(stderr).toContain(`${flag}: expected`);
    }
    expect(existsSync(join(cwd, 'service.yaml'))).toBe(false);
  });

  it('reads the keys before it writes, as without a provider', async () => {
    const issuer = 'https://tenant.eu.auth0.com/';
    const hosts = await startHosts({
      'tenant.eu.auth0.com': {
        '/.well-known/openid-configuration': { issuer, jwks_uri: `${issuer}keys` },
        '/keys': { keys: [] },
      },
    });
    try {
      expect(await add(AUTH0)).toMatchObject({
        code: 0,
        stderr: expect.stringContaining('no key that verifies'),
      });
      expect(hosts.requests).toEqual([`${issuer}.well-known/openid-configuration`, `${issuer}keys`]);
      const other = await add('--provider okta --domain tenant.eu.auth0.com --audience a');
      expect(other).toMatchObject({ code: 3, stderr: expect.stringContaining('--skip-validation') });
    } finally {
      await hosts.close();
    }
    expect(jwt().keySets).toHaveLength(1);
  });

  it('writes the interval and the start without keys, too', async () => {
    await add(`${AUTH0} --skip-validation --refresh-interval 30m --start-without-keys`);
    expect(jwt().keySets).toMatchObject([{ refreshInterval: '30m', skipValidation: true }]);
    const again = await add(`${AUTH0} --skip-validation --refresh-interval 30m --start-without-keys`);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('keyset 1 is the same') });
  });

  it('keeps the place where other keysets have their tokens', async () => {
    await add(`${AUTH0} --skip-validation`);
    await add(IAP);
    expect(jwt().tokenFrom).toEqual([{ header: 'Authorization' }, { header: 'x-goog-iap-jwt-assertion' }]);
    // The first provider of a file needs no other place.
    rmSync(join(cwd, 'service.yaml'));
    await add(IAP);
    expect(jwt().tokenFrom).toEqual([{ header: 'x-goog-iap-jwt-assertion' }]);
    // A place that is there already may be spelt otherwise.
    writeFileSync(join(cwd, 'service.yaml'), read().replace('x-goog-iap', 'X-Goog-IAP'));
    expect(await add(IAP.replace('apps/a', 'apps/b'))).toMatchObject({ code: 0 });
    expect(jwt().tokenFrom).toHaveLength(1);
  });

  it('leaves places of a token that are chosen already to the user', async () => {
    writeFileSync(join(cwd, 'service.yaml'), 'service:\n  jwt:\n    tokenFrom: [{ cookie: __Host-t }]\n');
    const before = read();
    const { code, stderr } = await add(IAP);
    expect(code).toBe(2);
    expect(stderr).toContain('service.yaml:3:');
    expect(stderr).toContain('{ header: x-goog-iap-jwt-assertion }; add that, then try again');
    expect(read()).toBe(before);
  });

  it('asks for an issuer where a keyset without one would take tokens of others', async () => {
    await add(`${AUTH0} --skip-validation`);
    const line = `--provider spiffe ${PROVIDERS.find(({ name }) => name === 'spiffe')?.example} --skip-validation`;
    expect(await add(line)).toMatchObject({ code: 2, stderr: expect.stringContaining('--issuer: expected') });
    expect(await add(`${line} --issuer https://spire.example.org`)).toMatchObject({ code: 0 });
  });

  it('adds and changes a keyset whose files are only in a pod', async () => {
    const { code, stderr } = await add('--provider kubernetes --audience orders');
    expect({ code, stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('serviceaccount/token, which is not here'),
    });
    const { terminal } = createTerminal({ cwd });
    const words = 'jwks update --index 1 --refresh-interval 30m'.split(' ');
    expect(await run(words, terminal)).toBe(0);
    expect(jwt().keySets).toMatchObject([{ refreshInterval: '30m', proxy: false }]);
    // A file next to the descriptor has to be there.
    writeFileSync(join(cwd, 'service.yaml'), read().replaceAll('/var/run/secrets', 'secrets'));
    expect(await run(['jwks', 'update', '--index', '1', '--clear-refresh-interval'], terminal)).toBe(2);
  });

  it('writes JSON without the comments, and says so', async () => {
    const { code, stderr } = await add(`${AUTH0} --skip-validation --file service.json`);
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('JSON has none') });
    expect(jwt('service.json').keySets).toMatchObject([{ issuer: 'https://tenant.eu.auth0.com/' }]);
  });

  it('removes its comments with the keyset', async () => {
    await add(`${AUTH0} --skip-validation`);
    const { terminal } = createTerminal({ cwd });
    expect(await run(['jwks', 'remove', '--index', '1'], terminal)).toBe(0);
    expect(read()).toBe('service:\n  jwt:\n    keySets: []\n');
  });
});
