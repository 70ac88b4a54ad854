// The command line in the words of its input: flags, what a terminal shows, what was pasted.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIssuer } from '@latchkey/testing';
import type { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createContext } from '../src/context.ts';
import { run } from '../src/index.ts';
import { createProgram } from '../src/program.ts';
import { createTerminal, type TerminalOptions } from './terminal.ts';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'latchkey-words-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

const put = (path: string, text: string) => writeFileSync(join(cwd, path), text);
const read = (path = 'service.yaml') => readFileSync(join(cwd, path), 'utf8');

async function latchkey(line: string, more: Partial<TerminalOptions> = {}) {
  const { terminal, stdout, stderr } = createTerminal({ cwd, env: { NO_COLOR: '1' }, ...more });
  const code = await run(line.split(' '), terminal);
  return { code, stdout: stdout(), stderr: stderr() };
}

const SERVICE = `service:
  jwt:
    audience: api
    keySets:
    - issuer: https://a.example
      jwksUrl: https://a.example/jwks
    - issuer: b
      secret: { name: s }
`;

describe('a command of another name', () => {
  it.each([
    ['init', 'latchkey jwks add, which makes the descriptor'],
    ['verify', 'latchkey tokens verify'],
    ['decode x', 'latchkey tokens inspect'],
    ['sign', 'latchkey tokens create, with a key pair of your own; in code createSigner'],
    ['token', 'latchkey tokens'],
    ['start', 'nothing: Latchkey runs in your service, as its middleware'],
    [
      'schema',
      'descriptor.schema.json in the package @latchkey/core; latchkey jwks add names it in the file',
    ],
    ['jwks rotate', 'rotate() of createSigner, in code'],
    ['tokens decode', 'latchkey tokens inspect'],
    ['secrets add', 'latchkey secrets create'],
  ])('latchkey %s says what does that here', async (line, here) => {
    const name = line.split(' ').find((word) => !['jwks', 'tokens', 'secrets'].includes(word));
    expect(await latchkey(line)).toEqual({
      code: 2,
      stdout: '',
      stderr: `error: unknown command '${name}'; here: ${here}\n(see --help)\n`,
    });
  });

  it('a misspelt one gets the nearest name', async () => {
    const { stderr } = await latchkey('jwkss');
    expect(stderr).toBe("error: unknown command 'jwkss'\n(Did you mean jwks?)\n(see --help)\n");
  });

  it('every name that is told is a command', async () => {
    const { terminal } = createTerminal({ cwd });
    const names = (command: Command, path = command.name()): readonly string[] => [
      path,
      ...command.commands.flatMap((child) => names(child, `${path} ${child.name()}`)),
    ];
    const known = names(createProgram(createContext(terminal)));
    const text = readFileSync(new URL('../src/other-names.ts', import.meta.url), 'utf8');
    const told = [
      ...text.matchAll(/latchkey [a-z]+(?: (?:add|create|generate|inspect|list|migrate|remove|verify)\b)?/g),
    ];
    expect(told.length).toBeGreaterThan(20);
    for (const [command] of told) expect(known).toContain(command);
  });
});

describe('flags', () => {
  it.each([
    [
      'jwks add --jwks-url http://i.example/k --issuer i',
      '--jwks-url: must be https (--allow-http permits http)',
    ],
    ['jwks add --oidc-discovery --issuer no-url', '--issuer: '],
    ['jwks add --discovery saml --issuer https://a.example', '--discovery: '],
    ['jwks add --jwks-url https://i/k --refresh-interval soon', '--refresh-interval: '],
    ['jwks add --jwks-url https://i/k --allowed-algorithms RSA256', '--allowed-algorithms: '],
    ['jwks update --index 1 --jwks-url http://i.example/k', '--jwks-url: must be https'],
    ['jwks update --index 1 --refresh-interval soon', '--refresh-interval: '],
    ['jwks generate --secret ../x --issuer i', '--secret'],
    ['keys add --key-id k --secret ../x --issuer i', '--secret'],
  ])('%s: is refused as %s', async (line, expected) => {
    put('service.yaml', SERVICE);
    const { code, stderr } = await latchkey(`${line} --file service.yaml`);
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`error: ${expected}`),
    });
    expect(stderr).not.toMatch(/keySets|keys\[|allowHttp|jwksUrl/);
  });

  it('what the file says wrong is named as in the file', async () => {
    put('service.yaml', SERVICE.replace('https://a.example/jwks', 'http://a.example/jwks'));
    const { stderr } = await latchkey('jwks update --index 1 --refresh-interval 30m');
    expect(stderr).toContain('keySets[0].jwksUrl');
  });

  it('an interval below a minute is said to be one', async () => {
    const line = 'jwks add --jwks-url https://i/k --issuer i --skip-validation --refresh-interval';
    expect((await latchkey(`${line} 5s`)).stderr).toContain(
      '--refresh-interval: keys are read at most once a minute, so this is 1m',
    );
  });

  it('a source that cannot be reached names the way to go on', async () => {
    const line = '--jwks-url https://127.0.0.1:1/jwks';
    const add = await latchkey(`jwks add ${line} --issuer i`);
    expect(add).toMatchObject({ code: 3, stderr: expect.stringContaining('--skip-validation') });
    put('service.yaml', SERVICE);
    const update = await latchkey(`jwks update --index 1 ${line}`);
    expect(update).toMatchObject({ code: 3, stderr: expect.stringContaining('--skip-validation') });
  });

  it('generate says that another keyset has the issuer, too', async () => {
    put('service.yaml', SERVICE);
    const { stderr } = await latchkey('jwks generate --key-id k --issuer b');
    expect(stderr).toContain('another keyset has this issuer too');
  });
});

describe('--audience', () => {
  const ADD = 'jwks add --jwks-url https://i/k --issuer i --skip-validation';

  it('is written for a descriptor without one', async () => {
    const { code, stderr } = await latchkey(`${ADD} --audience api`);
    expect(code).toBe(0);
    expect(stderr).toMatch(/made service\.yaml$/m);
    expect(read()).toContain('\n    audience: api\n');
    expect(await latchkey(`${ADD}2 --audience a --audience b --file two.yaml`)).toMatchObject({ code: 2 });
    expect(await latchkey(`${ADD} --audience a --audience b --file two.yaml`)).toMatchObject({ code: 0 });
    expect(read('two.yaml')).toMatch(/audience:\n +- a\n +- b\n/);
  });

  it('changes no other one', async () => {
    put('service.yaml', SERVICE);
    expect(await latchkey(`${ADD} --audience other`)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('service.yaml:3:5: audience: is set already'),
    });
    expect(read()).toBe(SERVICE);
    expect(await latchkey(`${ADD} --audience api`)).toMatchObject({ code: 0 });
  });
});

it('jwks list shows numbers on a terminal, and only there', async () => {
  put('service.yaml', SERVICE);
  expect((await latchkey('jwks list', { isTTY: true })).stdout).toBe(
    'INDEX   ISSUER              SOURCE\n1       https://a.example   https://a.example/jwks\n2       b                   secret: s\n',
  );
  expect((await latchkey('jwks list')).stdout).toMatch(/^ISSUER +SOURCE\n/);
});

describe('a token', () => {
  it('may be pasted with its scheme, and piped from tokens show', async () => {
    const issuer = await createIssuer();
    try {
      const token = await issuer.mint({ sub: 'alice', aud: 'api' });
      for (const stdin of [token, `Bearer ${token}`, `Authorization: bearer ${token}\n`]) {
        const { code, stdout } = await latchkey('tokens inspect -o json', { stdin });
        expect({ code, sub: JSON.parse(stdout).claims.sub }).toEqual({ code: 0, sub: 'alice' });
      }
    } finally {
      await issuer.close();
    }
    await latchkey('tokens init');
    await latchkey('tokens create analyst group');
    const { stdout: stdin } = await latchkey('tokens show analyst');
    put(
      'service.yaml',
      'service: { jwt: { audience: null, keySets: [{ publicKeys: [{ file: .auth/id_rsa.pub, algorithm: RS512 }] }] } }\n',
    );
    expect(await latchkey('tokens verify', { stdin })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('analyst'),
    });
  });

  it('of an issuer that is not trusted is explained with those that are', async () => {
    put('service.yaml', SERVICE);
    const token = [{ alg: 'ES256' }, { iss: 'https://other.example', exp: 9e9 }]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .concat('AAAA')
      .join('.');
    const { stdout } = await latchkey('explain', { stdin: token });
    expect(stdout).toMatch(/the issuer of a keyset: "?https:\/\/a\.example"?, "?b"?/);
  });
});

it('of many issuers, the first ten are listed', async () => {
  const keySets = [...Array(13).keys()].map((number) => ({
    issuer: `https://i${number}.example`,
    useOidcDiscovery: true,
  }));
  put('service.yaml', JSON.stringify({ service: { jwt: { audience: 'api', keySets } } }));
  const stdin = [{ alg: 'ES256' }, { iss: 'https://other.example', exp: 9e9 }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .concat('AAAA')
    .join('.');
  const { stdout } = await latchkey('explain', { stdin });
  expect(stdout).toMatch(/https:\/\/i9\.example\S* and 3 more/);
  expect(stdout).not.toMatch(/issuer of a keyset: .*i10\.example/);
});

describe('plan', () => {
  it('refuses a file that no service starts with, by its place', async () => {
    put('old.yaml', SERVICE);
    for (const [text, place] of [
      ['', 'keySets'],
      [SERVICE.replace('jwksUrl:', 'jwksUri:'), 'new.yaml:'],
    ] as const) {
      put('new.yaml', text);
      const { code, stdout, stderr } = await latchkey('plan old.yaml new.yaml');
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain('no service starts with new.yaml');
      expect(stderr).toContain(place);
    }
    put('new.yaml', SERVICE);
    put('old.yaml', 'name: x\n');
    expect(await latchkey('plan old.yaml new.yaml')).toMatchObject({ code: 0 });
  });

  it('names a missing file without an option that it does not have', async () => {
    put('old.yaml', SERVICE);
    const { code, stderr } = await latchkey('plan old.yaml nope.yaml');
    expect({ code, stderr }).toEqual({ code: 2, stderr: 'error: nope.yaml does not exist\n' });
  });
});

describe('keys of OpenSSH', () => {
  it.each([
    ['--public-key', 'ssh-rsa AAAAB3NzaC1yc2E= me@host', 'ssh-keygen -e -m PKCS8 -f'],
    [
      '--private-key',
      '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----',
      'ssh-keygen -p -m PEM -f',
    ],
  ])('%s: says how to convert them', async (flag, text, fix) => {
    put('key', text);
    put('private.key', text);
    const others = flag === '--public-key' ? ' --private-key private.key' : '';
    const { stderr } = await latchkey(`secrets create asymmetric s ${flag} key${others}`);
    expect(stderr).toContain(others === '' ? fix : 'OpenSSH');
  });
});
