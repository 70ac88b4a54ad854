// `latchkey jwks`: the arguments that it accepts and refuses, the files that it writes, and its
// messages. Against real servers.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createAuthenticator, createDirectoryStore } from '@latchkey/core';
import { createSigner } from '@latchkey/core/signing';
import { parseDescriptor } from '@latchkey/core/tools';
import { createAuthority } from '@latchkey/test-kit/certificate';
import { createIssuer, generateSigningKey } from '@latchkey/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../src/index.ts';
import { startHosts } from './hosts.ts';
import { createTerminal } from './terminal.ts';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'latchkey-jwks-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

const put = (path: string, text: string) => {
  mkdirSync(dirname(join(cwd, path)), { recursive: true });
  writeFileSync(join(cwd, path), text);
};
const read = (path = 'service.yaml') => readFileSync(join(cwd, path), 'utf8');
const keySets = () => parseDescriptor(read(), 'service.yaml').jwt.keySets;

async function latchkey(line: string, env: Record<string, string> = {}) {
  const { terminal, stdout, stderr } = createTerminal({ cwd, env });
  const code = await run(
    line.split(' ').filter((word) => word !== ''),
    terminal,
  );
  return { code, stdout: stdout(), stderr: stderr() };
}

const SEED = `name: my-service
service:
  jwt:
    keySets: # whom we trust
    - issuer: a
      jwksUrl: https://a.example/jwks?key=hidden
    - issuer: b
      useOidcDiscovery: true
    - issuer: a
      secret: { name: s }
    - externalSecret: { name: e }
    - jwksHosts: [one.example, two.example]
    - publicKeys: [{ file: a.pem, algorithm: RS256 }, { pem: x, algorithm: RS256 }]
    - jwks: { keys: [{}] }
`;

describe('list', () => {
  it('AK-19 S13 names every kind of source, and no query', async () => {
    put('service.yaml', SEED);
    const { code, stdout } = await latchkey('service jwks list my-service');
    expect(code).toBe(0);
    expect(stdout).toBe(`ISSUER   SOURCE
a        https://a.example/jwks
b        oidc-discovery
a        secret: s
-        external-secret: e
-        jwks-hosts: one.example, two.example
-        public-keys: a.pem, inline
-        inline: 1 key
`);
  });

  it('gives keysets as data', async () => {
    put('service.yaml', SEED);
    const { stdout } = await latchkey('jwks list -o json');
    expect(JSON.parse(stdout)).toEqual(keySets());
  });

  it('T-168 shows the content of the file without control characters', async () => {
    put(
      'service.yaml',
      `service: {jwt: {keySets: [{issuer: "\\e]0;x\\a\\u202E", jwksUrl: "https://a/\\e[2J"}]}}`,
    );
    const { stdout } = await latchkey('jwks list');
    expect(['\u001b', '\u0007', '\u202e'].filter((character) => stdout.includes(character))).toEqual([]);
    expect(stdout).toContain('\\u{1b}]0;x\\u{7}\\u{202e}');
  });

  it('is misuse for another service, and for a value that is not a list', async () => {
    put('service.yaml', SEED);
    expect(await latchkey('jwks list another')).toMatchObject({ code: 2, stdout: '' });
    put('service.yaml', 'service:\n  jwt:\n    keySets: yes\n');
    expect((await latchkey('jwks list')).stderr).toMatch(/service\.yaml:3:\d+: keySets: expected a list/);
  });
});

describe('add', () => {
  it('AK-20 requires exactly one source', async () => {
    for (const sources of [
      '',
      '--secret a --jwks-url https://a.example',
      '--oidc-discovery --external-secret e --issuer https://a',
      '--oidc-discovery --discovery any --issuer https://a',
    ])
      expect(await latchkey(`jwks add ${sources}`), sources).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('exactly one of'),
      });
    expect(existsSync(join(cwd, 'service.yaml'))).toBe(false);
  });

  it('refuses options that belong to another source', async () => {
    for (const line of [
      '--jwks-url https://a.example --secret-key k',
      '--secret s --allow-http',
      '--secret s --external-secrets d',
      '--oidc-discovery',
      '--discovery any',
      '--discovery saml --issuer https://a.example',
    ])
      expect(await latchkey(`jwks add ${line}`), line).toMatchObject({ code: 2 });
  });

  it('AK-12 refuses metadata of another issuer, and writes no file', async () => {
    put('service.yaml', SEED);
    const hosts = await startHosts({
      'a.example': {
        '/.well-known/openid-configuration': {
          issuer: 'https://a.example/',
          jwks_uri: 'https://a.example/k',
        },
      },
    });
    try {
      const { code, stderr } = await latchkey('jwks add --oidc-discovery --issuer https://a.example');
      expect(code).toBe(3);
      expect(stderr).toContain('they differ by the last slash');
      expect(hosts.requests).toHaveLength(1);
    } finally {
      await hosts.close();
    }
    expect(read()).toBe(SEED);
  });

  it('AK-12 reads the metadata of an authorization server with --discovery', async () => {
    const issuer = await createIssuer();
    try {
      const line = `jwks add my-service --issuer ${issuer.issuer} --allow-http --discovery`;
      expect(await latchkey(`${line} oauth`)).toMatchObject({
        code: 0,
        stderr: expect.stringContaining('oauth-discovery'),
      });
      expect(await latchkey(`${line} any`)).toMatchObject({ code: 0 });
      expect(issuer.requests).toEqual({ metadata: 2, jwks: 2 });
      const common = { issuer: issuer.issuer, allowHttp: true };
      expect(keySets()).toEqual([
        { ...common, useDiscovery: 'oauth' },
        { ...common, useDiscovery: 'any' },
      ]);
      expect((await latchkey('jwks list')).stdout).toMatch(/ oauth-discovery\n.* discovery\n$/);
      const moved = await latchkey(
        'jwks update --index 1 --new-issuer https://other.example --skip-validation',
      );
      expect(moved).toMatchObject({ code: 0, stderr: expect.stringContaining('not validated') });
    } finally {
      await issuer.close();
    }
  });

  it('AK-13 refuses a URL that does not answer with a JWK Set, and writes no file', async () => {
    put('service.yaml', SEED);
    const hosts = await startHosts({ 'a.example': { '/none?key=hidden': { jwks: [] } } });
    try {
      for (const [path, reason] of [
        ['none', 'expected a JWK Set'],
        ['other', 'status 404'],
      ] as const) {
        const { code, stderr } = await latchkey(
          `jwks add --jwks-url https://a.example/${path}?key=hidden --issuer x`,
        );
        expect(code).toBe(3);
        expect(stderr).toContain(`https://a.example/${path}: `);
        expect(stderr).toContain(reason);
        expect(stderr).not.toContain('hidden');
      }
    } finally {
      await hosts.close();
    }
    expect(read()).toBe(SEED);
  });

  it('AK-13 refuses a server with an untrusted certificate, and one that does not listen', async () => {
    const issuer = await createIssuer({ tls: createAuthority('nobody').issue('localhost') });
    const refused = await latchkey(`jwks add --jwks-url ${issuer.jwksUrl} --issuer x`);
    await issuer.close();
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringMatching(/certificate/) });
    expect(issuer.requests.jwks).toBe(0);
    const closed = await latchkey(`jwks add --jwks-url ${issuer.jwksUrl} --issuer x`);
    expect(closed).toMatchObject({ code: 3, stderr: expect.stringMatching(/ECONNREFUSED/) });
    expect(existsSync(join(cwd, 'service.yaml'))).toBe(false);
  });

  it('AK-13 accepts http only with --allow-http, writes it to the file, and warns', async () => {
    const issuer = await createIssuer();
    try {
      const line = `jwks add my-service --jwks-url ${issuer.jwksUrl} --issuer ${issuer.issuer}`;
      expect(await latchkey(line)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('must be https'),
      });
      expect(issuer.requests.jwks).toBe(0);
      const { code, stderr } = await latchkey(`${line} --allow-http`);
      expect({ code, stderr }).toMatchObject({
        code: 0,
        stderr: expect.stringContaining('do not use it in production'),
      });
      expect(issuer.requests.jwks).toBe(1);
      expect(keySets()).toEqual([{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }]);
      expect(read()).toContain('name: my-service');
      const again = await latchkey(`${line} --allow-http`);
      expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('keyset 1 is the same') });
    } finally {
      await issuer.close();
    }
  });

  it('warns of keys that a service could not use', async () => {
    const issuer = await createIssuer();
    try {
      issuer.publish([{ ...issuer.key.publicJwk, use: 'enc', kid: 'for\u001bencryption' }]);
      const { code, stderr } = await latchkey(
        `jwks add --jwks-url ${issuer.jwksUrl} --issuer x --allow-http`,
      );
      expect(code).toBe(0);
      expect(stderr).toMatch(/the key for\\u\{1b\}encryption of .* is not used: use is not "sig"/);
      expect(stderr).toContain('has no key that verifies a token');
    } finally {
      await issuer.close();
    }
  });

  it('AK-18 makes no requests with --skip-validation, and the start still waits for the keys', async () => {
    const add = 'jwks add --jwks-url https://nowhere.invalid/jwks --skip-validation --issuer';
    expect(await latchkey(`${add} x`)).toMatchObject({ code: 0 });
    expect(await latchkey(`${add} y --start-without-keys`)).toMatchObject({ code: 0 });
    expect(keySets()).toEqual([
      { issuer: 'x', jwksUrl: 'https://nowhere.invalid/jwks' },
      { issuer: 'y', jwksUrl: 'https://nowhere.invalid/jwks', skipValidation: true },
    ]);
    expect((await latchkey('lint')).stdout).toContain('validation-skipped keySets[1].skipValidation');
  });

  it('AK-14 requires the secret to exist, and to be a JWK Set', async () => {
    put('service.yaml', SEED);
    expect(await latchkey('jwks add --secret n --issuer x')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no entry jwks.json'),
    });
    put('secrets/n/jwks.json', '{"kty":"oct","k":"c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0"}');
    const { code, stderr } = await latchkey('jwks add --secret n --issuer x');
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('expected a JWK Set'),
    });
    expect(stderr).not.toContain('c2Vj');
    expect(await latchkey('jwks add --secret ../n --issuer x')).toMatchObject({ code: 2 });
    expect(read()).toBe(SEED);
    const { publicJwk } = await generateSigningKey();
    put('elsewhere/n/keys.json', JSON.stringify({ keys: [publicJwk] }));
    expect(
      await latchkey('jwks add --secret n --secret-key keys.json --issuer x --secrets elsewhere'),
    ).toMatchObject({ code: 0 });
    expect(keySets()).toContainEqual({ issuer: 'x', secret: { name: 'n', key: 'keys.json' } });
  });

  it('AK-15 validates a mounted external secret, and notes if it does not', async () => {
    const { publicJwk } = await generateSigningKey();
    const line = 'jwks add --external-secret e --issuer x';
    expect(await latchkey(`${line} --external-secrets vault`)).toMatchObject({ code: 2 });
    put('vault/e/jwks.json', JSON.stringify({ keys: [publicJwk] }));
    const seen = await latchkey(`${line} --external-secrets vault`);
    expect(seen).toMatchObject({ code: 0, stderr: expect.not.stringContaining('not validated') });
    const unseen = await latchkey('jwks add --external-secret f --issuer x');
    expect(unseen).toMatchObject({ code: 0, stderr: expect.stringContaining('not validated') });
    expect(unseen.stderr).toContain('another keyset has this issuer too');
  });

  it('AK-28 accepts algorithms one by one, with commas, or both, and checks their names', async () => {
    const line = 'jwks add --jwks-url https://a.example --issuer x --skip-validation';
    await latchkey(
      `${line} --allowed-algorithms RS256,ES256 --allowed-algorithms EdDSA --refresh-interval 1h30m`,
    );
    expect(keySets()).toMatchObject([
      { allowedAlgorithms: ['RS256', 'ES256', 'EdDSA'], refreshInterval: '1h30m' },
    ]);
    const before = read();
    for (const [option, reason] of [
      ['--allowed-algorithms RS257', '--allowed-algorithms: expected one of'],
      ['--allowed-algorithms RS256,', '--allowed-algorithms: expected one of'],
      ['--allowed-algorithms none', 'expected one of'],
      ['--allowed-algorithms HS256', 'needs a secret key'],
      ['--refresh-interval 30', 'expected a duration'],
    ])
      expect(await latchkey(`${line} ${option}`), option).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(reason as string),
      });
    expect(read()).toBe(before);
  });

  it('S14 adds a keyset without an issuer, and warns', async () => {
    const { code, stderr } = await latchkey('jwks add --jwks-url https://a.example --skip-validation');
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('without --issuer') });
  });

  it('S33 replaces variables for validation, and keeps them in the file', async () => {
    const issuer = await createIssuer();
    try {
      const line = 'jwks add --jwks-url ${BASE}/jwks.json --issuer x --allow-http';
      expect(await latchkey(line)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('BASE is not set'),
      });
      expect(await latchkey(line, { BASE: issuer.issuer })).toMatchObject({ code: 0 });
      expect(issuer.requests.jwks).toBe(1);
      expect(keySets()).toMatchObject([{ jwksUrl: '${BASE}/jwks.json' }]);
    } finally {
      await issuer.close();
    }
  });
});

describe('generate', () => {
  it('AK-6 AK-21 AK-22 makes a key that signs, and a keyset that verifies', async () => {
    const { code, stdout, stderr } = await latchkey(
      'jwks generate my-service --key-id k --issuer https://me',
    );
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toBe('KEY ID   ALGORITHM   SECRET\nk        ES256       k\n');
    const secrets = createDirectoryStore(join(cwd, 'secrets'));
    const signer = createSigner({
      secret: { name: 'k' },
      secrets,
      alg: 'ES256',
      kid: 'k',
      issuer: 'https://me',
    });
    const authenticator = createAuthenticator({
      keySets: [{ issuer: 'https://me', secret: { name: 'k', key: 'jwks.json' } }],
      audience: null,
      secrets,
    });
    expect(keySets()).toEqual([{ issuer: 'https://me', secret: { name: 'k', key: 'jwks.json' } }]);
    const token = await signer.sign({ sub: 'alice' }, { expiresIn: '5m' });
    await expect(authenticator.verify(token)).resolves.toMatchObject({ subject: 'alice' });
    await Promise.all([signer.close(), authenticator.close()]);
    const [jwk] = JSON.parse(read('secrets/k/jwks.json')).keys;
    expect(stdout + stderr + read()).not.toContain(jwk.d);
  });

  it('T-167 makes the key readable only by the owner, and keeps it out of repositories', async () => {
    const umask = process.umask(0);
    try {
      await latchkey('jwks generate --key-id k --issuer i');
    } finally {
      process.umask(umask);
    }
    const mode = (path: string) => statSync(join(cwd, path)).mode & 0o777;
    expect(mode('secrets/k/jwks.json')).toBe(0o600);
    expect(mode('secrets/k')).toBe(0o700);
    expect(mode('secrets')).toBe(0o700);
    expect(read('secrets/.gitignore')).toBe('*\n');
  });

  it('AK-23 names a key by a random UUID, and its secret by the key', async () => {
    const { stdout } = await latchkey('jwks generate -o json --issuer i --algorithm EdDSA');
    const made = JSON.parse(stdout);
    expect(made.keyId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
    expect(made).toMatchObject({
      secret: made.keyId,
      algorithm: 'EdDSA',
      publicKey: { kid: made.keyId, kty: 'OKP' },
    });
    expect(made.publicKey).not.toHaveProperty('d');
  });

  it('AK-22 replaces an existing secret only with --force', async () => {
    await latchkey('jwks generate --key-id k --issuer i');
    const [descriptor, secret] = [read(), read('secrets/k/jwks.json')];
    const refused = await latchkey('jwks generate --key-id k --issuer j');
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--force') });
    expect([read(), read('secrets/k/jwks.json')]).toEqual([descriptor, secret]);
    const forced = await latchkey('jwks generate --key-id k --issuer i --force');
    expect(forced).toMatchObject({ code: 0, stderr: expect.stringContaining('has this keyset already') });
    expect(read()).toBe(descriptor);
    expect(read('secrets/k/jwks.json')).not.toBe(secret);
  });

  it('leaves no secret behind if the descriptor cannot be written', async () => {
    symlinkSync('nowhere', join(cwd, 'service.yaml'));
    expect(await latchkey('jwks generate --key-id k --issuer i')).toMatchObject({ code: 2 });
    expect(existsSync(join(cwd, 'secrets/k'))).toBe(false);
  });

  it('AK-6 S12 makes HMAC keys only with --symmetric', async () => {
    expect(await latchkey('jwks generate --algorithm HS256 --issuer i')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--symmetric'),
    });
    expect(await latchkey('jwks generate --algorithm ES256 --symmetric --issuer i')).toMatchObject({
      code: 2,
    });
    expect(await latchkey('jwks generate --algorithm HMD5 --symmetric --issuer i')).toMatchObject({
      code: 2,
    });
    const { code, stdout } = await latchkey('jwks generate --symmetric --key-id h --issuer i -o json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ keyId: 'h', algorithm: 'HS256', secret: 'h', publicKey: null });
    const [jwk] = JSON.parse(read('secrets/h/jwks.json')).keys;
    expect(Buffer.from(jwk.k, 'base64url')).toHaveLength(32);
  });

  it('refuses a key id that cannot be the name of a secret, before it writes a file', async () => {
    expect(await latchkey('jwks generate --key-id a/b --issuer i')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--key-id: '),
    });
    expect(existsSync(join(cwd, 'secrets'))).toBe(false);
    expect(await latchkey('jwks generate --key-id a/b --secret ab --issuer i')).toMatchObject({ code: 0 });
  });
});

describe('update', () => {
  beforeEach(() => put('service.yaml', SEED));

  it('S10 requires an index if several keysets have the issuer, and S11 both to agree', async () => {
    const change = '--refresh-interval 5m';
    const ambiguous = await latchkey(`jwks update --issuer a ${change}`);
    expect(ambiguous).toMatchObject({ code: 2, stderr: expect.stringContaining('use --index: 1, 3') });
    expect(await latchkey(`jwks update --issuer b --index 1 ${change}`)).toMatchObject({ code: 2 });
    expect(await latchkey(`jwks update --issuer a --index 3 ${change}`)).toMatchObject({ code: 0 });
    expect(await latchkey(`jwks update --index 4 ${change}`)).toMatchObject({ code: 0 });
    expect(keySets()).toMatchObject([
      {},
      {},
      { refreshInterval: '5m' },
      { refreshInterval: '5m' },
      {},
      {},
      {},
    ]);
  });

  it('AK-24 refuses options that select no keyset or change nothing', async () => {
    for (const line of [
      '--refresh-interval 5m',
      '--issuer nobody --refresh-interval 5m',
      '--index 8 --refresh-interval 5m',
      '--index 0 --refresh-interval 5m',
      '--index 1x --refresh-interval 5m',
      '--index 1',
      '--index 1 --refresh-interval 5m --clear-refresh-interval',
      '--index 1 --allowed-algorithms RS256 --clear-allowed-algorithms',
      '--index 1 --skip-validation',
      '--index 1 --refresh-interval 5',
      '--index 1 --allowed-algorithms HS256',
      '--index 1 --new-issuer ',
    ])
      expect(await latchkey(`jwks update ${line}`), line).toMatchObject({ code: 2, stdout: '' });
    expect(read()).toBe(SEED);
  });

  it('AK-24 replaces algorithms, and clears them and the interval', async () => {
    await latchkey(
      'jwks update --index 3 --allowed-algorithms RS256,HS256 --refresh-interval 2h --new-issuer c',
    );
    expect(keySets()).toMatchObject([
      {},
      {},
      { issuer: 'c', allowedAlgorithms: ['RS256', 'HS256'], refreshInterval: '2h' },
      {},
      {},
      {},
      {},
    ]);
    await latchkey('jwks update --issuer c --allowed-algorithms ES256');
    expect(keySets()).toMatchObject([{}, {}, { allowedAlgorithms: ['ES256'] }, {}, {}, {}, {}]);
    await latchkey(
      'jwks update --issuer c --clear-allowed-algorithms --clear-refresh-interval --new-issuer a',
    );
    expect(keySets()).toEqual(parseDescriptor(SEED, 'seed').jwt.keySets);
    expect(read()).toContain('keySets: # whom we trust');
  });

  it('AK-25 does not change the kind of source', async () => {
    for (const index of [2, 3, 4])
      expect(await latchkey(`jwks update --index ${index} --jwks-url https://x.example`)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('remove this one and add another'),
      });
    expect(read()).toBe(SEED);
  });

  it('AK-24 reads the keys at the new URL first, unless --skip-validation is set', async () => {
    const hosts = await startHosts({ 'new.example': { '/jwks': { keys: [] } } });
    try {
      expect(await latchkey('jwks update --index 1 --jwks-url https://new.example/other')).toMatchObject({
        code: 3,
      });
      expect(read()).toBe(SEED);
      expect(await latchkey('jwks update --index 1 --jwks-url https://new.example/jwks')).toMatchObject({
        code: 0,
      });
      expect(read()).toBe(SEED.replace('https://a.example/jwks?key=hidden', 'https://new.example/jwks'));
      expect(hosts.requests).toHaveLength(2);
    } finally {
      await hosts.close();
    }
    expect(
      await latchkey('jwks update --index 1 --jwks-url https://nowhere.invalid --skip-validation'),
    ).toMatchObject({ code: 0 });
    expect(keySets()).toContainEqual({ issuer: 'a', jwksUrl: 'https://nowhere.invalid' });
  });

  it('AK-18 writes and removes skipValidation only as asked, and says that it is still there', async () => {
    put('service.yaml', SEED);
    const update = 'jwks update --index 1';
    expect(await latchkey(`${update} --start-without-keys`)).toMatchObject({ code: 0 });
    expect(keySets()).toContainEqual(expect.objectContaining({ issuer: 'a', skipValidation: true }));
    const moved = await latchkey(`${update} --jwks-url https://nowhere.invalid --skip-validation`);
    expect(moved).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('--clear-skip-validation removes it'),
    });
    expect(await latchkey(`${update} --start-without-keys --clear-skip-validation`)).toMatchObject({
      code: 2,
    });
    expect(await latchkey(`${update} --clear-skip-validation`)).toMatchObject({ code: 0 });
    expect(keySets()).toContainEqual({ issuer: 'a', jwksUrl: 'https://nowhere.invalid' });
  });

  it('AK-12 reads the metadata of a new issuer first', async () => {
    const hosts = await startHosts({
      'new.example': {
        '/.well-known/openid-configuration': {
          issuer: 'https://other.example',
          jwks_uri: 'https://new.example/k',
        },
      },
    });
    try {
      expect(await latchkey('jwks update --index 2 --new-issuer https://new.example')).toMatchObject({
        code: 3,
      });
    } finally {
      await hosts.close();
    }
    expect(read()).toBe(SEED);
  });
});

describe('remove', () => {
  it('AK-26 S10 S11 removes the selected keyset', async () => {
    put('service.yaml', SEED);
    for (const line of ['', '--issuer a', '--issuer nobody', '--index 9', '--issuer b --index 1'])
      expect(await latchkey(`jwks remove ${line}`), line).toMatchObject({ code: 2 });
    expect(read()).toBe(SEED);
    expect(await latchkey('jwks remove --issuer a --index 3')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('its secret was not deleted: s'),
    });
    expect(await latchkey('jwks remove --issuer a')).toMatchObject({ code: 0 });
    expect(keySets()).toHaveLength(5);
  });

  it('keeps the mode of the file, and warns if no keyset is left', async () => {
    put('service.yaml', 'service:\n  jwt:\n    keySets:\n    - issuer: a\n      secret: { name: s }\n');
    chmodSync(join(cwd, 'service.yaml'), 0o640);
    expect(await latchkey('jwks remove --index 1')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('no keyset is left'),
    });
    expect(read()).toBe('service:\n  jwt:\n    keySets: []\n');
    expect(statSync(join(cwd, 'service.yaml')).mode & 0o777).toBe(0o640);
  });
});

it('every command has help with examples', async () => {
  for (const name of [
    'jwks',
    'jwks list',
    'jwks add',
    'jwks generate',
    'jwks update',
    'jwks remove',
    'keys',
    'keys list',
    'keys generate',
    'keys add',
  ]) {
    const { code, stdout } = await latchkey(`${name} --help`);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Examples:\n {2}\$ latchkey /);
  }
});
