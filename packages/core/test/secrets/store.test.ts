// The three stores that need nothing but this machine: memory, environment, and a directory as
// Kubernetes mounts and swaps it. The directory is a real one, with everything in a secret's place
// that can be there.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { createDirectoryStore } from '../../src/secrets/directory.ts';
import {
  checkSecretName,
  createEnvironmentStore,
  createMemoryStore,
  type SecretReference,
  type SecretStore,
} from '../../src/secrets/store.ts';

const LIMIT = 512 * 1024;
const JWKS: SecretReference = { name: 'internal', key: 'jwks.json' };

const { signal } = new AbortController();

async function textOf(store: SecretStore, reference: SecretReference): Promise<string | undefined> {
  const bytes = await store.read(reference, signal);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');
}

describe('memory', () => {
  it('AK-14: has what it was given, as bytes', async () => {
    const store = createMemoryStore({
      internal: { 'jwks.json': '{"keys":[]}', 'secret.key': Buffer.from([0, 255]) },
    });
    expect(await store.read(JWKS, signal)).toBeInstanceOf(Uint8Array);
    expect(await textOf(store, JWKS)).toBe('{"keys":[]}');
    expect(await store.read({ name: 'internal', key: 'secret.key' }, signal)).toEqual(Buffer.from([0, 255]));
    expect(store.description).toBe('memory');
  });

  it.each<SecretReference>([
    { name: 'internal', key: 'other' },
    { name: 'other', key: 'jwks.json' },
    { name: '__proto__', key: 'toString' },
    { name: 'internal","jwks.json', key: '' },
  ])('T-138: says of %j that it is not there', async (reference) => {
    const store = createMemoryStore({ internal: { 'jwks.json': 'x' } });
    expect(await store.read(reference, signal)).toBeUndefined();
  });

  it('T-137: does not take the end of a name for the start of a key', async () => {
    const store = createMemoryStore({ 'a/b': { c: 'one' }, a: { 'b/c': 'two' } });
    expect(await textOf(store, { name: 'a/b', key: 'c' })).toBe('one');
    expect(await textOf(store, { name: 'a', key: 'b/c' })).toBe('two');
  });

  it('AK-9: tells those that watch an entry when it is set or taken away, and no others', async () => {
    const store = createMemoryStore();
    const told: string[] = [];
    const stop = store.watch?.(JWKS, () => told.push('first'));
    store.watch?.(JWKS, () => told.push('second'));
    store.watch?.({ name: 'internal', key: 'other' }, () => told.push('other'));
    store.watch?.({ name: 'other', key: 'jwks.json' }, () => told.push('elsewhere'));
    store.set(JWKS, 'new');
    expect(told).toEqual(['first', 'second']);
    expect(await textOf(store, JWKS)).toBe('new');
    stop?.();
    store.set(JWKS, undefined);
    expect(told).toEqual(['first', 'second', 'second']);
    expect(await textOf(store, JWKS)).toBeUndefined();
  });

  it('AK-9, AK-22: is written, and tells those that watch', async () => {
    const store = createMemoryStore({ internal: { 'jwks.json': 'old' } });
    const told: string[] = [];
    store.watch?.(JWKS, () => told.push('told'));
    await store.write?.(JWKS, Buffer.from('new'), signal);
    expect(await textOf(store, JWKS)).toBe('new');
    expect(told).toEqual(['told']);
  });

  it('D18: keeps what was written, also when its owner wipes the bytes', async () => {
    const store = createMemoryStore();
    const bytes = Buffer.from('new');
    await store.write?.(JWKS, bytes, signal);
    bytes.fill(0);
    expect(await textOf(store, JWKS)).toBe('new');
  });

  it('is not written after an abort', async () => {
    const store = createMemoryStore({ internal: { 'jwks.json': 'old' } });
    const told: string[] = [];
    store.watch?.(JWKS, () => told.push('told'));
    const reason = new Error('aborted');
    await expect(store.write?.(JWKS, Buffer.from('new'), AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(await textOf(store, JWKS)).toBe('old');
    expect(told).toEqual([]);
  });
});

describe('environment', () => {
  it('AK-22: cannot be written', () => {
    expect(createEnvironmentStore()).not.toHaveProperty('write');
  });

  it.each<[reference: SecretReference, prefix: string | undefined, variable: string]>([
    [JWKS, undefined, 'INTERNAL_JWKS_JSON'],
    [{ name: 'internal-jwks', key: 'jwks.json' }, undefined, 'INTERNAL_JWKS_JWKS_JSON'],
    [{ name: 'k1', key: 'secret.key' }, undefined, 'K1_SECRET_KEY'],
    [{ name: 'My.Key_2', key: 'public.key' }, undefined, 'MY_KEY_2_PUBLIC_KEY'],
    [JWKS, 'LATCHKEY_', 'LATCHKEY_INTERNAL_JWKS_JSON'],
    [JWKS, 'latchkey-', 'latchkey-INTERNAL_JWKS_JSON'],
  ])('AK-14: %j with the prefix %j is the variable %s', async (reference, prefix, variable) => {
    const store = createEnvironmentStore({
      environment: { [variable]: '{"keys":[]}', OTHER: 'x' },
      ...(prefix === undefined ? {} : { prefix }),
    });
    expect(await textOf(store, reference)).toBe('{"keys":[]}');
    expect(store.description).toBe('environment');
  });

  it('T-138: says that a variable is not there, and that an empty one is empty', async () => {
    const store = createEnvironmentStore({ environment: { INTERNAL_EMPTY: '', INTERNAL_UNSET: undefined } });
    expect(await textOf(store, JWKS)).toBeUndefined();
    expect(await textOf(store, { name: 'internal', key: 'unset' })).toBeUndefined();
    expect(await textOf(store, { name: 'internal', key: 'empty' })).toBe('');
  });

  it('AK-9: reads process.env at each request, also one that was set later', async () => {
    const store = createEnvironmentStore({ prefix: 'LATCHKEY_TEST_' });
    expect(await textOf(store, JWKS)).toBeUndefined();
    process.env.LATCHKEY_TEST_INTERNAL_JWKS_JSON = 'one';
    try {
      expect(await textOf(store, JWKS)).toBe('one');
      process.env.LATCHKEY_TEST_INTERNAL_JWKS_JSON = 'two';
      expect(await textOf(store, JWKS)).toBe('two');
    } finally {
      delete process.env.LATCHKEY_TEST_INTERNAL_JWKS_JSON;
    }
    expect(await textOf(store, JWKS)).toBeUndefined();
  });
});

describe('directory', () => {
  const CONTENT = '{"keys":[{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"}]}';
  let root: string;
  let store: SecretStore;
  const stops: (() => void)[] = [];

  beforeEach(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), 'latchkey-store-')));
    await mkdir(join(root, 'internal'));
    store = createDirectoryStore(root);
  });

  afterEach(async () => {
    for (const stop of stops.splice(0)) stop();
    await rm(root, { recursive: true });
  });

  const at = (...segments: readonly string[]) => join(root, 'internal', ...segments);

  describe('reads', () => {
    it.each<[title: string, content: string | Uint8Array]>([
      ['text', CONTENT],
      ['bytes that are not a text', Buffer.from([0, 1, 0x80, 0xff])],
      ['a trailing newline, as it is', `${CONTENT}\n`],
      ['a byte order mark, as it is', `\uFEFF${CONTENT}`],
      ['nothing', ''],
      ['512 KiB', Buffer.alloc(LIMIT, 0x20)],
    ])('T-138: %s', async (_, content) => {
      await writeFile(at('jwks.json'), content);
      expect(Buffer.from((await store.read(JWKS, signal)) ?? 'undefined')).toEqual(Buffer.from(content));
      expect(store.description).toBe('directory');
    });

    it('T-138: a path that is relative to the working directory of the moment it was given', async () => {
      await writeFile(at('jwks.json'), CONTENT);
      const before = process.cwd();
      process.chdir(root);
      try {
        const relative = createDirectoryStore('.');
        process.chdir(before);
        expect(await textOf(relative, JWKS)).toBe(CONTENT);
      } finally {
        process.chdir(before);
      }
    });

    it('T-138: a symbolic link to a file', async () => {
      await writeFile(join(root, 'elsewhere'), CONTENT);
      await symlink('../elsewhere', at('jwks.json'));
      expect(await textOf(store, JWKS)).toBe(CONTENT);
    });

    it.each<[title: string, prepare: () => Promise<unknown>]>([
      ['a missing entry', async () => undefined],
      ['a missing secret', () => rm(at(), { recursive: true })],
      ['a link that leads nowhere', () => symlink('nowhere', at('jwks.json'))],
    ])('T-138: %s is undefined', async (_, prepare) => {
      await prepare();
      expect(await store.read(JWKS, signal)).toBeUndefined();
    });
  });

  describe('refuses', () => {
    const mkfifo = ['/usr/bin/mkfifo', '/bin/mkfifo'].find((path) => existsSync(path)) ?? '';
    it.skipIf(mkfifo === '')('T-138: a FIFO, without waiting for anybody to write to it', async () => {
      execFileSync(mkfifo, [at('jwks.json')]);
      await expect(textOf(store, JWKS)).rejects.toThrow('not a regular file');
    });

    it.each<[title: string, message: string, prepare: () => Promise<unknown>]>([
      ['an empty directory in its place', 'not a regular file', () => mkdir(at('jwks.json'))],
      [
        'a directory with entries in its place',
        'not a regular file',
        async () => {
          await mkdir(at('jwks.json'));
          await writeFile(at('jwks.json', 'jwks.json'), CONTENT);
        },
      ],
      ['a link to /dev/zero', 'not a regular file', () => symlink('/dev/zero', at('jwks.json'))],
      ['a link to /dev/null', 'not a regular file', () => symlink('/dev/null', at('jwks.json'))],
      ['a link to itself', 'the file cannot be opened: ELOOP', () => symlink('jwks.json', at('jwks.json'))],
      [
        'one byte more than 512 KiB',
        `the file is larger than ${LIMIT} bytes`,
        () => writeFile(at('jwks.json'), CONTENT.padEnd(LIMIT + 1)),
      ],
      [
        '1 GB',
        `the file is larger than ${LIMIT} bytes`,
        async () => {
          await writeFile(at('jwks.json'), CONTENT);
          await truncate(at('jwks.json'), 1e9);
        },
      ],
      [
        'a file with more in it than its size says',
        'the file changed while it was read',
        () => symlink('/proc/self/status', at('jwks.json')),
      ],
      [
        'a secret that is a file',
        'the file cannot be opened: ENOTDIR',
        async () => {
          await rm(at(), { recursive: true });
          await writeFile(at(), CONTENT);
        },
      ],
    ])('T-138: %s, and quotes nothing of it', async (_, message, prepare) => {
      await prepare();
      const error = await store.read(JWKS, signal).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(Error);
      expect(error).toMatchObject({ message });
      expect(error).not.toHaveProperty('cause');
      for (const part of ['keys', 'c2VjcmV0', 'Name:']) expect((error as Error).message).not.toContain(part);
    });

    it('T-138: to go on after an abort', async () => {
      await writeFile(at('jwks.json'), CONTENT);
      const reason = new Error('aborted');
      await expect(store.read(JWKS, AbortSignal.abort(reason))).rejects.toBe(reason);
    });

    it.each([
      '..',
      '.',
      '',
      '../internal',
      'internal/../../etc',
      '/etc',
      '/',
      'a/b',
      'a\\b',
      '..data',
      '...',
      'a\0b',
      'a b',
      '~',
      'ä',
      'a\n',
      '%2e%2e',
      'a'.repeat(254),
    ])('T-138: the name or key %j', async (name) => {
      await writeFile(join(root, 'outside'), CONTENT);
      await expect(store.read({ name, key: 'outside' }, signal)).rejects.toBeInstanceOf(ConfigError);
      await expect(store.read({ name: 'internal', key: name }, signal)).rejects.toBeInstanceOf(ConfigError);
      expect(() => store.watch?.({ name, key: 'outside' }, () => {})).toThrow(ConfigError);
      expect(() => checkSecretName(name, 'keySets[0].secret.name')).toThrow(
        'keySets[0].secret.name: expected letters, digits, ".", "_" and "-"',
      );
    });

    it.each(['internal-jwks', 'jwks.json', '.hidden', 'A_1', 'a..b', '0', 'a'.repeat(253)])(
      'T-138: not the name %j',
      (name) => {
        expect(checkSecretName(name, 'name')).toBe(name);
      },
    );
  });

  describe('watches', () => {
    /** Resolves when a read after a change gives this text. */
    function until(text: string): Promise<void> {
      return new Promise((resolve) => {
        const stop = store.watch?.(JWKS, () => {
          textOf(store, JWKS).then(
            (now) => {
              if (now === text) resolve();
            },
            // Read while it was written: the end of the writing is told too.
            () => {},
          );
        });
        if (stop !== undefined) stops.push(stop);
      });
    }

    /** Puts a version in place as the kubelet does: a folder, a link next to it, and one rename. */
    async function publish(version: string, content: string): Promise<void> {
      await mkdir(at(`..${version}`));
      await writeFile(at(`..${version}`, 'jwks.json'), content);
      await symlink(`..${version}`, at('..data_tmp'));
      await rename(at('..data_tmp'), at('..data'));
    }

    it('AK-9, S17, T-138: a Kubernetes swap of ..data is seen, and read whole', async () => {
      await publish('2026_01', 'one');
      await symlink('..data/jwks.json', at('jwks.json'));
      expect(await textOf(store, JWKS)).toBe('one');
      for (const [version, text] of [
        ['2026_02', 'two'],
        ['2026_03', 'three'],
      ] as const) {
        const seen = until(text);
        await publish(version, text);
        await seen;
        expect(await textOf(store, JWKS)).toBe(text);
      }
    });

    it('AK-9, S17: a file that another is moved over is seen', async () => {
      await writeFile(at('jwks.json'), 'one');
      const seen = until('two');
      await writeFile(at('jwks.json.tmp'), 'two');
      await rename(at('jwks.json.tmp'), at('jwks.json'));
      await seen;
    });

    it('S17: a file that is written in place is seen', async () => {
      await writeFile(at('jwks.json'), 'one');
      const seen = until('two');
      await writeFile(at('jwks.json'), 'two');
      await seen;
    });

    it('S17: a file elsewhere, to which a link leads, is seen', async () => {
      const elsewhere = at('elsewhere/file.json');
      await mkdir(at('elsewhere'));
      await writeFile(elsewhere, 'one');
      await symlink(elsewhere, at('jwks.json'));
      const seen = until('two');
      // The first look is what the others are compared with.
      await pause(100);
      await writeFile(elsewhere, 'two');
      await seen;
    });

    it('S17: an entry that was not there before is seen', async () => {
      const seen = until('one');
      await writeFile(at('jwks.json'), 'one');
      await seen;
    });

    it('R19: nothing is told after the end', async () => {
      let told = 0;
      store.watch?.(JWKS, () => told++)();
      const seen = until('one');
      await writeFile(at('jwks.json'), 'one');
      await seen;
      expect(told).toBe(0);
    });

    it('T-138: a secret that is not there cannot be watched, and that is no fault', async () => {
      const stop = store.watch?.({ name: 'absent', key: 'jwks.json' }, () => {});
      expect(stop).toBeTypeOf('function');
      expect(stop?.()).toBeUndefined();
    });
  });
});
