// Rules for every command: help, exit codes, streams and secrets. The test walks the tree of
// commands, so that new commands are covered.
import { spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createContext } from '../src/context.ts';
import { run } from '../src/index.ts';
import { createProgram } from '../src/program.ts';
import { temporaryFolder } from './temporary.ts';
import { createTerminal, type TerminalOptions } from './terminal.ts';

interface Walked {
  readonly path: readonly string[];
  readonly command: Command;
}

/** A hidden command of the completion library, for its own scripts. */
const INTERNAL: ReadonlySet<string> = new Set(['complete']);

function walk(command: Command, path: readonly string[] = []): readonly Walked[] {
  const own: readonly Walked[] = path.length === 0 ? [] : [{ path, command }];
  const below = command.commands.filter((child) => !INTERNAL.has(child.name()));
  return [...own, ...below.flatMap((child) => walk(child, [...path, child.name()]))];
}

const program = createProgram(createContext(createTerminal({ cwd: '/' }).terminal));
const walked = walk(program);
const all = walked.map(({ path, command }) => [path.join(' '), path, command] as const);
const groups = all.filter(([, , command]) => command.commands.length > 0);
const leaves = all.filter(([, , command]) => command.commands.length === 0);

async function latchkey(argv: readonly string[], options: Partial<TerminalOptions> = {}) {
  const { terminal, stdout, stderr } = createTerminal({ cwd: tmpdir(), ...options });
  const code = await run(argv, terminal);
  return { code, stdout: stdout(), stderr: stderr() };
}

it('the walk finds the commands of the seeds', () => {
  const names = all.map(([name]) => name);
  for (const name of [
    'jwks migrate',
    'secrets create symmetric',
    'secrets create asymmetric',
    'tokens init',
    'tokens create',
    'tokens show',
    'tokens inspect',
    'service jwks migrate',
  ])
    expect(names).toContain(name);
});

describe('help', () => {
  it.each(all)('%s: prints its description and examples on stdout', async (_name, path, command) => {
    const { code, stdout, stderr } = await latchkey([...path, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(command.description()).toMatch(/^\S.{9,}/);
    expect(stdout).toContain(command.description().split(/\s/, 1)[0]);
    // The library makes this command; it lists the shells.
    if (command.name() === 'completion') return;
    expect(
      stdout.split('\n').filter((line) => /^ {2}\$ \S/.test(line)).length,
      stdout,
    ).toBeGreaterThanOrEqual(2);
  });

  it.each(leaves)('%s: every option and argument is described', (_name, _path, command) => {
    for (const option of command.options) expect(option.description, option.flags).not.toBe('');
    for (const argument of command.registeredArguments)
      expect(argument.description, argument.name()).not.toBe('');
  });

  it('the program itself, with its exit codes', async () => {
    const { code, stdout } = await latchkey(['--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Exit codes: 0 .* 1 .* 2 .* 3 /);
  });

  it('has no colour in a pipe', async () => {
    expect((await latchkey(['jwks', '--help'])).stdout).not.toContain('\u001b');
  });
});

describe('misuse', () => {
  it.each(all)('%s: an unknown option is 2, on stderr', async (_name, path) => {
    const { code, stdout, stderr } = await latchkey([...path, '--no-such-option']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^error: /);
  });

  it.each(groups)('%s: an unknown command is 2, on stderr', async (_name, path) => {
    const { code, stdout, stderr } = await latchkey([...path, 'no-such-command']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^error: /);
  });

  it.each([[[]], [['nonsense']], [['--nonsense']]])('latchkey %j is 2, on stderr', async (argv) => {
    const { code, stdout, stderr } = await latchkey(argv);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).not.toBe('');
  });

  it.each(leaves.filter(([, , { options }]) => options.some(({ long }) => long === '--output')))(
    '%s: -o accepts only text and json',
    async (_name, path) => {
      expect((await latchkey([...path, '-o', 'yaml'])).code).toBe(2);
    },
  );
});

describe('T-168 arguments do not control the terminal', () => {
  // Hides the line, writes another line, reverses the text; by 8-bit codes too.
  const evil = 'x\u001b[2K\u001b]0;t\u0007\r\nerror: forged\u009b1m\u202e\u2028';

  async function expectPlain(argv: readonly string[]): Promise<void> {
    const cwd = temporaryFolder('manners');
    const { stdout, stderr } = await latchkey(argv, { cwd, stdin: evil });
    for (const text of [stdout, stderr]) {
      expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
      expect(text).not.toMatch(/^error: forged/m);
    }
  }

  it.each(all)('%s: an unknown command, option, or argument too many', async (_name, path, command) => {
    await expectPlain([...path, evil]);
    await expectPlain([...path, `--${evil}`]);
    await expectPlain([...path, `-${evil}`]);
    const needed = command.registeredArguments.map(() => 'thing');
    await expectPlain([...path, ...needed, evil]);
  });

  it.each(leaves)('%s: the value of an argument or option', async (_name, path, command) => {
    const needed = command.registeredArguments.filter(({ required }) => required).map(() => 'thing');
    if (command.registeredArguments.length > 0)
      await expectPlain([...path, ...command.registeredArguments.map(() => evil)]);
    for (const { long, required } of command.options)
      await expectPlain([...path, ...needed, ...(required ? [`${long}`, evil] : [`${long}=${evil}`])]);
  });
});

describe('T-167 secrets in the arguments', () => {
  const token = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl';
  const taking = leaves.flatMap(([name, path, command]) => [
    ...command.registeredArguments
      .filter((argument) => argument.name() === 'token')
      .map(() => [`${name} <token>`, [...path, token]] as const),
    ...command.options
      .filter(({ flags, description }) => /literal|password/.test(flags + description))
      .map(({ long }) => [`${name} ${long}`, [...path, 'thing', `${long}`, token]] as const),
  ]);

  it('the walk finds them', () => {
    expect(taking.map(([name]) => name)).toEqual([
      'secrets create symmetric --secret-key-literal',
      'tokens verify <token>',
      'tokens inspect <token>',
      'explain <token>',
    ]);
  });

  it.each(taking)('%s: warns', async (_name, argv) => {
    const { stderr } = await latchkey(argv, { cwd: temporaryFolder('manners') });
    expect(stderr).toMatch(/^warning: the (?:token|secret) was in the arguments, /);
  });

  it.each(leaves.filter(([, , { registeredArguments }]) => registeredArguments[0]?.name() === 'token'))(
    '%s: standard input causes no warning',
    async (_name, path) => {
      for (const argv of [path, [...path, '-']]) {
        const cwd = temporaryFolder('manners');
        expect((await latchkey(argv, { cwd, stdin: token })).stderr).not.toContain('stood in the arguments');
      }
    },
  );

  it.each(all)('%s: misuse does not repeat a token', async (_name, path, command) => {
    const thing = command.registeredArguments.map(() => 'thing');
    // JSON takes white space, and then a token begins otherwise.
    const spaced = ['{\n  "alg": "HS256"\n}', '{\n  "sub": "alice"\n}', 'the signature']
      .map((part) => Buffer.from(part).toString('base64url'))
      .join('.');
    for (const one of [token, spaced])
      for (const argv of [[one], ['Bearer', one], [`--${one}`], [...thing, 'Bearer', one]]) {
        const cwd = temporaryFolder('manners');
        const { code, stderr } = await latchkey([...path, ...argv], { cwd });
        if (code === 2) expect(stderr).not.toContain(one);
      }
  });
});

describe('T-167 nothing secret is printed', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const symmetric = randomBytes(48).toString('base64');
  const jwk = { ...pair.privateKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256' };
  const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const hidden = [
    symmetric,
    Buffer.from(symmetric).toString('base64url'),
    String(jwk.d),
    pem.split('\n')[1] ?? '',
  ];

  function setUp(): string {
    const cwd = temporaryFolder('manners');
    const files = {
      'service.yaml': `name: shop
service:
  jwt:
    audience: shop
    keySets:
      - issuer: me
        secret: { name: own, key: jwks.json }
    keys:
      - keyId: old
        issuer: partner
        algorithm: HS256
        secret: { name: thing }
      - keyId: pair
        algorithm: ES256
        secret: { name: pair }
`,
      'secrets/own/jwks.json': JSON.stringify({ keys: [jwk] }),
      'secrets/thing/secret.key': symmetric,
      'secrets/pair/private.key': pem,
      'secrets/pair/public.key': pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    };
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(cwd, path)), { recursive: true, mode: 0o700 });
      writeFileSync(join(cwd, path), text, { mode: 0o600 });
    }
    return cwd;
  }

  /** Returns the private texts in all files that exist now: the command may have made some. */
  function madeIn(cwd: string): readonly string[] {
    return readdirSync(cwd, { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile())
      .flatMap(({ parentPath, name }) => {
        const text = readFileSync(join(parentPath, name), 'utf8');
        const members = [...text.matchAll(/"(?:d|k|p|q)": ?"([^"]+)"/g)].map(([, value]) => value ?? '');
        const block = /PRIVATE KEY-----\n(.+)\n/.exec(text)?.[1];
        return [
          ...members,
          ...(block === undefined ? [] : [block]),
          ...(name === 'secret.key' ? [text.trim()] : []),
        ];
      });
  }

  /** Sends the signal that a command waits for, to its listener only. */
  function endAtSignal(event: string | symbol, listener: () => void): void {
    if (event === 'SIGTERM') queueMicrotask(listener);
  }
  beforeAll(() => void process.on('newListener', endAtSignal));
  afterAll(() => void process.off('newListener', endAtSignal));

  it.each(leaves)('%s', async (name, path, command) => {
    const needed = command.registeredArguments.filter(({ required }) => required).map(() => 'thing');
    const hasOutput = command.options.some(({ long }) => long === '--output');
    // The seed requires this one to print secrets: D14.
    const prints = /(?:^| )keys list$/.test(name);
    for (const argv of [[], needed, ...(hasOutput && !prints ? [[...needed, '-o', 'json']] : [])]) {
      const cwd = setUp();
      // Input from standard input is not printed.
      const { stdout, stderr } = await latchkey([...path, ...argv], { cwd, stdin: symmetric });
      for (const secret of [...hidden, ...madeIn(cwd)]) expect(stdout + stderr).not.toContain(secret);
    }
  });
});

const at = (name: string) => fileURLToPath(new URL(name, import.meta.url));

describe('completion', () => {
  const source = ['--conditions=source', at('latchkey.ts')];
  const complete = (...words: readonly string[]) => {
    const { stdout, status } = spawnSync(process.execPath, [...source, 'complete', '--', ...words], {
      encoding: 'utf8',
    });
    expect(status).toBe(0);
    return stdout
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith(':'))
      .map((line) => line.split('\t')[0]);
  };
  const visible = (name: string) =>
    program.createHelp().visibleCommands(program.commands.find((child) => child.name() === name) ?? program);
  const named = (name: string) => visible(name).map((child) => child.name());

  it('has all commands', () => {
    expect(complete('')).toEqual(
      expect.arrayContaining([
        'jwks',
        'keys',
        'secrets',
        'tokens',
        'explain',
        'revoke',
        'lint',
        'plan',
        'import',
      ]),
    );
  });

  it.each(['jwks', 'secrets', 'tokens'])('has the commands of %s', (name) => {
    const completions = complete(name, '');
    expect(completions.length).toBeGreaterThan(0);
    expect(named(name)).toEqual(expect.arrayContaining(completions as never));
    expect(completions).toEqual(expect.arrayContaining(named(name).filter((child) => child !== 'help')));
  });

  it('has options, and their values', () => {
    expect(complete('jwks', 'migrate', '--se')).toEqual(['--secrets', '--secret-prefix']);
    expect(complete('jwks', 'migrate', '--output', '')).toEqual(['text', 'json']);
  });

  // The tests run where only Node and a POSIX shell are installed, too.
  it.skipIf(spawnSync('bash', ['--version']).error !== undefined)(
    'bash accepts the script, and completes words',
    () => {
      // The functions of the package bash-completion that the script needs, simplified.
      const script = `
      _get_comp_words_by_ref() { words=("\${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur="\${words[cword]}"; prev="\${words[cword-1]}"; }
      latchkey() { "$NODE" --conditions=source "$PROGRAM" "$@"; }
      source <(latchkey completion bash)
      COMP_WORDS=(latchkey secrets create ''); COMP_CWORD=3; __latchkey_complete
      printf '%s\\n' "\${COMPREPLY[@]}"
      complete -p latchkey`;
      const { stdout } = spawnSync('bash', ['--norc', '-c', script], {
        encoding: 'utf8',
        env: { ...process.env, NODE: process.execPath, PROGRAM: at('latchkey.ts') },
      });
      expect(stdout.trim().split('\n')).toEqual([
        'symmetric',
        'asymmetric',
        'help',
        'complete -F __latchkey_complete latchkey',
      ]);
    },
  );

  it('zsh has a script that calls the program', () => {
    const { stdout, status } = spawnSync(process.execPath, [...source, 'completion', 'zsh'], {
      encoding: 'utf8',
    });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^#compdef latchkey\n/);
    expect(stdout).toContain('latchkey complete --');
  });

  it('other shells are refused', async () => {
    expect((await latchkey(['completion', 'tcsh'])).code).toBe(2);
  });
});

describe('a reader that stops early', () => {
  it.each(['stdout', 'stderr'] as const)(
    'on %s causes no crash: the exit code is that of the command',
    async (stream) => {
      const argv = stream === 'stdout' ? ['--help'] : ['no-such-command'];
      const child = spawn(process.execPath, [
        '--conditions=source',
        '--import',
        at('bin-from-source.ts'),
        at('../bin/latchkey.js'),
        ...argv,
      ]);
      child[stream].destroy();
      let other = '';
      child[stream === 'stdout' ? 'stderr' : 'stdout'].on('data', (chunk) => {
        other += chunk;
      });
      const [code] = await once(child, 'close');
      expect({ code, other }).toEqual({ code: stream === 'stdout' ? 0 : 2, other: '' });
    },
  );
});
