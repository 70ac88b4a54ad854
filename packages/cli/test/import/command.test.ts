// The command `latchkey import`: its arguments, its output, and malicious sources. The formats have
// their own tests.
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parseDescriptor } from '@latchkey/core/tools';
import { describe, expect, it } from 'vitest';
import { run } from '../../src/index.ts';
import { createTerminal } from '../terminal.ts';
import { fixture, importData, importText, load, makeDirectory } from './imported.ts';

const krakend = (members: object = {}) => ({
  extra_config: {
    'auth/validator': { alg: 'ES256', jwk_url: 'https://idp.example.com/jwks.json', ...members },
  },
});

async function latchkey(argv: readonly string[], { cwd = makeDirectory(), stdin = '' } = {}) {
  const { terminal, stdout, stderr } = createTerminal({ cwd, stdin });
  const code = await run(argv, terminal);
  return { cwd, code, stdout: stdout(), stderr: stderr() };
}

describe('the format', () => {
  it.each([
    ['krakend', fixture('krakend.json')],
    ['agentgateway', fixture('agentgateway-policy.yaml')],
    ['agentgateway', fixture('agentgateway-mcp.yaml')],
    ['envoy', fixture('envoy.yaml')],
    ['okera', 'JWT_PUBLIC_KEY: /etc/a.pub\n'],
    ['akamai', '{"settings":{"validation":{"jwksUrl":"https://a.example.com/"}}}'],
  ])('is detected from the file: %s', async (format, text) => {
    const found = await importText(text);
    expect(found.code).toBe(0);
    expect((await importText(text, { format })).stdout).toBe(found.stdout);
  });

  it('must be named if two formats fit, or none', async () => {
    const both = { ...krakend(), ENABLE_JWT: true };
    expect(await importText(both)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('krakend or okera'),
    });
    expect((await importText(both, { format: 'krakend' })).code).toBe(0);
    expect(await importText({ a: 1 })).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/name its format before it, .* as in: latchkey import envoy /),
    });
    expect((await importText('text')).code).toBe(2);
    expect((await importText('[1, 2]')).code).toBe(2);
    expect((await importText(krakend(), { format: 'kong' })).code).toBe(2);
    expect((await importText(krakend(), { format: 'akamai' })).code).toBe(2);
  });

  it('is detected on stdin too', async () => {
    const { code, stdout } = await latchkey(['import', '-'], { stdin: JSON.stringify(krakend()) });
    expect(code).toBe(0);
    expect(stdout).toContain('# Imported from stdin');
    expect((await latchkey(['import', 'akamai', '-'], { stdin: JSON.stringify(krakend()) })).code).toBe(2);
  });

  it('needs a file that can be read', async () => {
    expect(await latchkey(['import'])).toMatchObject({ code: 2 });
    expect(await latchkey(['import', 'missing'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('ENOENT'),
    });
    expect(await latchkey(['import', '.'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('EISDIR'),
    });
  });

  it('helps with examples', async () => {
    const { code, stdout } = await latchkey(['import', '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('$ latchkey import krakend.json');
  });
});

describe('--write', () => {
  it('writes the descriptor to --file, and no other file', async () => {
    const { code, stdout, stderr, cwd } = await importText(krakend(), {
      args: ['--write', '--file', 'out.yaml'],
    });
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toContain('wrote out.yaml');
    expect(readdirSync(cwd).sort()).toEqual(['out.yaml', 'source']);
    const printed = await importText(krakend(), { cwd });
    expect(readFileSync(join(cwd, 'out.yaml'), 'utf8')).toBe(printed.stdout);
  });

  it('replaces a file only with --force, and keeps its mode', async () => {
    const cwd = makeDirectory();
    writeFileSync(join(cwd, 'service.yaml'), 'mine');
    chmodSync(join(cwd, 'service.yaml'), 0o600);
    const refused = await importText(krakend(), { cwd, args: ['--write'] });
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--force') });
    expect(readFileSync(join(cwd, 'service.yaml'), 'utf8')).toBe('mine');
    expect((await importText(krakend(), { cwd, args: ['--write', '--force'] })).code).toBe(0);
    expect(readFileSync(join(cwd, 'service.yaml'), 'utf8')).toContain('keySets');
    expect(statSync(join(cwd, 'service.yaml')).mode & 0o777).toBe(0o600);
  });

  it('leaves no file behind after an error, and follows no link', async () => {
    const cwd = makeDirectory();
    expect((await importText(krakend(), { cwd, args: ['--write', '--file', 'none/x.yaml'] })).code).toBe(2);
    mkdirSync(join(cwd, 'elsewhere'));
    symlinkSync('elsewhere/victim', join(cwd, 'service.yaml'));
    for (const args of [['--write'], ['--write', '--force']])
      expect((await importText(krakend(), { cwd, args })).code).toBe(2);
    expect(readdirSync(join(cwd, 'elsewhere'))).toEqual([]);
    expect(readdirSync(cwd).sort()).toEqual(['elsewhere', 'service.yaml', 'source']);
  });

  it('writes no file for a source that it refuses', async () => {
    const { code, cwd } = await importText({ extra_config: {} }, { args: ['--write'] });
    expect([code, readdirSync(cwd)]).toEqual([2, ['source']]);
    expect((await importText(krakend(), { args: ['--force'] })).code).toBe(2);
  });
});

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is these that are looked for
const ODD = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
const HARMFUL =
  'x\u001b[2J\u009b1m\u202e\u2028\r\n# y\nservice: {jwt: {}}\u0000\u0007\ud800"\'\\ #: -{}[]&*!|>%@`';

describe('text of the source', () => {
  it('is complete in the descriptor, and escaped in terminals and comments', async () => {
    const source = krakend({
      issuer: 'https://issuer.example',
      audience: ['orders'],
      roles: [HARMFUL],
      roles_key: HARMFUL,
      [HARMFUL]: 1,
      key_identify_strategy: HARMFUL,
    });
    const { code, stdout, stderr } = await importText(source);
    expect(code).toBe(0);
    expect(stdout).not.toMatch(ODD);
    expect(stderr).not.toMatch(ODD);
    const { jwt } = parseDescriptor(stdout, 'x');
    expect(jwt).toMatchObject({
      keySets: [{ issuer: 'https://issuer.example' }],
      audience: ['orders'],
      claims: { [HARMFUL]: { anyOf: [HARMFUL] } },
    });
    for (const line of stdout.split('\n')) expect(line).not.toMatch(/^service: \{/);
  });

  it.each([{ issuer: HARMFUL }, { audience: [HARMFUL] }])(
    'is refused where no token can have it',
    async (odd) => {
      const { code, stderr } = await importText(krakend(odd));
      expect(code).toBe(2);
      expect(stderr).toContain('invisible characters; remove them');
      expect(stderr).not.toMatch(ODD);
    },
  );

  it('is escaped in error messages', async () => {
    const { code, stderr } = await importText(krakend({ [HARMFUL]: 1, alg: { [HARMFUL]: 1 } }));
    expect(code).toBe(2);
    expect(stderr).not.toMatch(ODD);
    const { stderr: unnamed } = await latchkey(['import', `${HARMFUL.replaceAll('\u0000', '')}`]);
    expect(unnamed).not.toMatch(ODD);
  });

  it.each(['issuer', 'jwk_url', 'audience', 'roles_key', 'alg'])(
    'is not read as a variable in %s',
    async (name) => {
      const { code, stderr } = await importText(
        krakend({ roles: ['a'], [name]: `https://x.example.com/\${HOME}` }),
      );
      if (name === 'roles_key') expect(code).toBe(0);
      else expect([code, stderr]).toEqual([2, expect.stringContaining(`["auth/validator"].${name}`)]);
    },
  );
});

describe('T-168 a malicious source', () => {
  it.each<[string, string]>([
    ['nesting', '{"extra_config":'.repeat(50_000)],
    ['nesting that is closed', `{"extra_config":${'{"a":'.repeat(500)}1${'}'.repeat(501)}`],
    ['a list in a list', `${'['.repeat(100_000)}`],
    ['size', `{"extra_config":{"a":"${'x'.repeat(2 * 1024 * 1024)}"}}`],
    ['many values', `{"extra_config":{"a":[${'1,'.repeat(200_000)}1]}}`],
    ['aliases', `extra_config: &a\n  x: &b [${'*a, '.repeat(10)}1]\n`],
    ['a circle', 'extra_config: &a\n  auth/validator: *a\n'],
    [
      'a bomb',
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [${'*a,'.repeat(9)}]\nc: &c [${'*b,'.repeat(9)}]\nextra_config: [${'*c,'.repeat(9)}]\n`,
    ],
    ['a member twice', '{"extra_config":{"auth/validator":{"alg":"RS256","alg":"HS256"}}}'],
    ['__proto__', '{"extra_config":{"__proto__":{"auth/validator":{}}}}'],
    ['inherited names', '{"endpoints":[{"endpoint":"/a","extra_config":{"constructor":{}}}]}'],
    ['nothing', ''],
    ['a value that is not a number', 'extra_config: .nan'],
    ['a key that is a map', '? {a: b}\n: extra_config\n'],
    ['invalid YAML', '{"extra_config": '],
    ['two documents', '{"extra_config":{}}\n---\n{"extra_config":{}}'],
    ['a NUL', '\u0000'],
  ])('%s ends with 2, and prints no descriptor', async (_what, text) => {
    const { code, stdout, stderr } = await importText(text);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^error: source/);
    expect(stderr.length).toBeLessThan(600);
  });

  const SOURCES: readonly [string, unknown][] = [
    ['krakend', JSON.parse(fixture('krakend.json'))],
    ['krakend signer', JSON.parse(`{${fixture('krakend-signer.txt').replace('...', '')}}`)],
    [
      'akamai',
      {
        enabled: true,
        resources: { 1: { enabled: true, inheritsFromEndpoint: true, path: '/a', methods: ['GET'] } },
        settings: {
          clockSkew: 5,
          location: 'HEADER',
          paramName: 'Authorization',
          validation: {
            jku: { url: 'https://keys.example.com/' },
            claims: [
              { name: 'iss', required: true, validate: true, type: 'STRING', value: 'a' },
              { name: 'roles', required: true, validate: true, type: 'ARRAY', value: ['a', 'b'] },
            ],
          },
        },
      },
    ],
    [
      'agentgateway',
      {
        kind: 'AgentgatewayPolicy',
        spec: {
          traffic: {
            jwtAuthentication: {
              mode: 'Strict',
              providers: [
                {
                  issuer: 'a',
                  audiences: ['b'],
                  jwks: {
                    remote: { jwksPath: '/x', cacheDuration: '5m', backendRef: { name: 'k', port: 1 } },
                  },
                },
              ],
            },
            authorization: { action: 'Allow', policy: { matchExpressions: ['jwt.a == "b"'] } },
          },
        },
      },
    ],
    [
      'agentgateway mcp',
      {
        routes: [
          {
            policies: {
              mcpAuthentication: {
                mode: 'strict',
                issuer: 'https://idp.example.com',
                audiences: ['b'],
                provider: { keycloak: {} },
                authorizationLocation: { header: { name: 'x-token', prefix: 'JWT ' } },
                clientId: 'a',
                resourceMetadata: {
                  resource: 'https://mcp.example.com/mcp',
                  scopesSupported: ['read', 'offline_access'],
                  bearerMethodsSupported: ['header', 'body'],
                  resourceDocumentation: 'https://mcp.example.com/docs',
                },
              },
            },
          },
        ],
        gateways: { default: { port: 3000 } },
      },
    ],
    [
      'envoy',
      {
        name: 'envoy.filters.http.jwt_authn',
        typed_config: {
          providers: {
            a: {
              issuer: 'a',
              audiences: ['b'],
              subjects: { prefix: 'c', ignore_case: true },
              max_lifetime: '60s',
              clock_skew_seconds: 5,
              from_headers: [{ name: 'x-token', value_prefix: 'JWT ' }],
              from_cookies: ['token'],
              jwt_cache_config: { jwt_cache_size: 5 },
              remote_jwks: {
                http_uri: { uri: 'https://keys.example.com/a', cluster: 'c', timeout: '1s' },
                cache_duration: { seconds: 300 },
              },
            },
            d: { issuer: 'd', local_jwks: { filename: '/etc/keys.json' } },
          },
          rules: [
            {
              match: { prefix: '/a', headers: [{ name: ':method', string_match: { exact: 'GET' } }] },
              requires: { provider_and_audiences: { provider_name: 'a', audiences: ['b', 'e'] } },
            },
            { match: { safe_regex: { regex: '/b.*' } }, requirement_name: 'both' },
            { match: { path: '/c' }, requires: { requires_all: { requirements: [{ provider_name: 'd' }] } } },
          ],
          requirement_map: {
            both: { requires_any: { requirements: [{ provider_name: 'a' }, { allow_missing: {} }] } },
          },
          filter_state_rules: { name: 'x', requires: { y: { provider_name: 'd' } } },
          bypass_cors_preflight: true,
        },
      },
    ],
    ['okera', { ENABLE_JWT: 'true', JWT_PUBLIC_KEY: '/etc/a.pub', JWT_ALGORITHM: 'RSA256' }],
  ];
  const WRONG: readonly unknown[] = [
    0,
    -1,
    1.5,
    true,
    '',
    ' ',
    'x',
    [],
    [null],
    [[]],
    {},
    { constructor: 1 },
    { toString: 'x' },
  ];

  /** Variants of a source with another value at one place: each place with each value. */
  function* mutations(value: unknown): Generator<unknown> {
    yield* WRONG;
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries())
        for (const changed of mutations(item)) yield value.with(index, changed);
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, item] of Object.entries(value))
        for (const changed of mutations(item)) yield { ...value, [name]: changed };
    }
  }

  it.each(SOURCES)(
    '%s with a wrong type anywhere: refused with the place, or a descriptor that starts',
    async (name, source) => {
      const format = name.split(' ')[0] ?? '';
      const cwd = makeDirectory();
      let refused = 0;
      let accepted = 0;
      for (const changed of mutations(source)) {
        const imported = await importText(JSON.stringify(changed), { format, cwd });
        const about = JSON.stringify(changed);
        if (imported.code === 0) {
          const environment = { JWKS_HOST: 'keys.example.com', ISSUER: 'https://idp.example.com' };
          await load(imported, { environment }).authenticator.close();
          accepted++;
        } else {
          expect([imported.code, imported.stdout], about).toEqual([2, '']);
          expect(imported.stderr, about).toMatch(/^error: source(:\d+:\d+)?: /);
          expect(imported.stderr, about).not.toMatch(/TypeError|undefined|is not a function|cannot read/i);
          refused++;
        }
      }
      expect(refused).toBeGreaterThan(40);
      expect(accepted).toBeGreaterThan(0);
    },
    60_000,
  );
});

describe('-o json', () => {
  it('has the descriptor and the notes', async () => {
    const { jwt, notes } = await importData(krakend());
    expect(jwt).toMatchObject({
      keySets: [{ jwksUrl: 'https://idp.example.com/jwks.json' }],
      audience: null,
    });
    expect(new Set(notes.map(({ kind }) => kind))).toEqual(new Set(['safer', 'check']));
  });
});
