// Writing to a directory store: whole or not at all, for its owner alone, and never into somebody
// else's mount. A real directory, with faults where a disk has them.
import { readdirSync, statSync } from 'node:fs';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { createDirectoryStore } from '../../src/secrets/directory.ts';
import type { SecretReference, SecretStore } from '../../src/secrets/store.ts';
import { writePrivateFile } from '../../src/secrets/write-file.ts';

type Step = 'mkdir' | 'open' | 'writeFile' | 'sync' | 'rename' | 'open directory' | 'sync directory';

/** Called before each step of a write: what throws here is what the system said. */
const disk = vi.hoisted(() => ({ before: (_step: string): void => {} }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return {
    ...real,
    mkdir: async (...given: Parameters<typeof real.mkdir>) => {
      disk.before('mkdir');
      return real.mkdir(...given);
    },
    rename: async (...given: Parameters<typeof real.rename>) => {
      disk.before('rename');
      return real.rename(...given);
    },
    open: async (...given: Parameters<typeof real.open>) => {
      const [, flags] = given;
      if (flags !== 'wx' && flags !== 'r') return real.open(...given);
      const suffix = flags === 'r' ? ' directory' : '';
      disk.before(`open${suffix}`);
      const file = await real.open(...given);
      const { sync, writeFile } = file;
      return Object.assign(file, {
        sync: async () => {
          disk.before(`sync${suffix}`);
          await sync.call(file);
        },
        writeFile: async (bytes: Uint8Array) => {
          // Half of it is on the disk when the other half does not fit any more.
          await writeFile.call(file, bytes.subarray(0, bytes.length / 2));
          disk.before('writeFile');
          await writeFile.call(file, bytes.subarray(bytes.length / 2));
        },
      });
    },
  };
});

const JWKS: SecretReference = { name: 'internal', key: 'jwks.json' };
const OLD = '{"keys":[{"kid":"old"}]}';
const CANARY = '{"keys":[{"kid":"new","d":"canary-private-key"}]}';

const { signal } = new AbortController();
const umask = process.umask();
const stops: (() => void)[] = [];
let root: string;
let store: SecretStore;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'latchkey-write-')));
  store = createDirectoryStore(root);
});

afterEach(async () => {
  disk.before = () => {};
  process.umask(umask);
  for (const stop of stops.splice(0)) stop();
  await rm(root, { recursive: true });
});

const at = (...segments: readonly string[]) => join(root, 'internal', ...segments);
const modeOf = async (path: string) => ((await stat(path)).mode & 0o7777).toString(8);
const names = async (path = at()) => (await readdir(path)).sort();

async function write(text: string, reference = JWKS, waiting = signal): Promise<void> {
  if (store.write === undefined) throw new Error('the store cannot be written');
  await store.write(reference, Buffer.from(text), waiting);
}

async function putOld(): Promise<void> {
  await mkdir(at());
  await writeFile(at('jwks.json'), OLD);
}

function failOn(step: Step, code: string): void {
  disk.before = (now) => {
    if (now !== step) return;
    throw Object.assign(new Error(`${code}: canary, open '${root}'`), { code, path: root });
  };
}

/** The error that a write ends with: nothing of the content and of the path is in it. */
async function failureOf(writing: Promise<unknown>): Promise<Error> {
  const error: unknown = await writing.then(
    () => expect.unreachable('it was written'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Error)) throw new Error('not an Error');
  for (const text of [error.message, JSON.stringify(error), String(error.cause)]) {
    expect(text).not.toContain('canary');
    expect(text).not.toContain(root);
  }
  return error;
}

describe('what is written', () => {
  it('AK-22: is read, byte for byte, and nothing else is left', async () => {
    const bytes = Buffer.from([0, 1, 0x80, 0xff]);
    await store.write?.(JWKS, bytes, signal);
    expect(await store.read(JWKS, signal)).toEqual(bytes);
    await write(CANARY);
    expect(Buffer.from((await store.read(JWKS, signal)) ?? []).toString()).toBe(CANARY);
    expect(await names()).toEqual(['jwks.json']);
  });

  it('D18: is for its owner alone, whatever the umask', async () => {
    process.umask(0);
    await write(CANARY);
    expect(await modeOf(at('jwks.json'))).toBe('600');
    expect(await modeOf(at())).toBe('700');
  });

  it('D18: has a root for its owner alone, where there was none', async () => {
    process.umask(0);
    store = createDirectoryStore(join(root, 'internal', 'secrets'));
    await write(CANARY, { name: 'deep', key: 'key.pem' });
    for (const directory of [at(), at('secrets'), at('secrets', 'deep')])
      expect(await modeOf(directory)).toBe('700');
    expect(await modeOf(at('secrets', 'deep', 'key.pem'))).toBe('600');
  });

  it('D18: is for its owner alone where everybody could read the old one, and the directory stays as it is', async () => {
    await putOld();
    await chmod(at('jwks.json'), 0o644);
    await chmod(at(), 0o755);
    await write(CANARY);
    expect(await modeOf(at('jwks.json'))).toBe('600');
    expect(await modeOf(at())).toBe('755');
  });

  it('D18: is for its owner alone while it is being written, under a name that no reader looks for', async () => {
    process.umask(0);
    const seen: { readonly name: string; readonly mode: number }[] = [];
    disk.before = (step) => {
      if (step !== 'writeFile' && step !== 'rename') return;
      for (const name of readdirSync(at())) seen.push({ name, mode: statSync(at(name)).mode & 0o7777 });
    };
    await write(CANARY, { name: 'internal', key: '.hidden' });
    expect(seen).toHaveLength(2);
    for (const { name, mode } of seen) {
      expect(name).toMatch(/^\.[0-9a-f-]{36}\.tmp$/);
      expect(mode).toBe(0o600);
    }
  });

  it('AK-9: is told to those that watch', async () => {
    await putOld();
    const seen = new Promise<void>((resolve) => {
      const stop = store.watch?.(JWKS, () => {
        // Each time it is the old or the new document, whatever has been told so far.
        void readFile(at('jwks.json'), 'utf8').then((text) => text === CANARY && resolve());
      });
      if (stop !== undefined) stops.push(stop);
    });
    await write(CANARY);
    await seen;
  });

  it.each(['a'.repeat(253), '.hidden', '-'])('T-138: has the name %s', async (key) => {
    await write(CANARY, { name: 'internal', key });
    expect(await names()).toEqual([key]);
  });

  it('S17: is whole for a reader meanwhile', async () => {
    const documentOf = (version: number) =>
      JSON.stringify({ version, keys: Array.from({ length: 1 + (version % 7) * 400 }, () => version) });
    await write(documentOf(0));
    let writing = true;
    const read = async () => {
      const versions: number[] = [];
      while (writing) {
        const bytes = await store.read(JWKS, signal);
        const { version } = JSON.parse(Buffer.from(bytes ?? []).toString('utf8')) as { version: number };
        expect(Buffer.from(bytes ?? []).toString('utf8')).toBe(documentOf(version));
        versions.push(version);
      }
      return versions;
    };
    const readers = [read(), read()];
    for (let version = 1; version <= 200; version++) await write(documentOf(version));
    writing = false;
    for (const versions of await Promise.all(readers)) {
      // It did read meanwhile, and never an older document after a newer one.
      expect(new Set(versions).size).toBeGreaterThan(10);
      expect(versions).toEqual(versions.toSorted((one, other) => one - other));
    }
    expect(await names()).toEqual(['jwks.json']);
  });

  it('S17: by several at once, is what one of them wrote', async () => {
    const texts = Array.from({ length: 20 }, (_, index) => String(index).repeat(10_000));
    await Promise.all(texts.map((text) => write(text)));
    expect(texts).toContain(await readFile(at('jwks.json'), 'utf8'));
    expect(await names()).toEqual(['jwks.json']);
  });
});

describe('a write that fails', () => {
  it.each<[step: Step, code: string]>([
    ['mkdir', 'EROFS'],
    ['open', 'EACCES'],
    ['open', 'EROFS'],
    ['writeFile', 'ENOSPC'],
    ['sync', 'EIO'],
    ['rename', 'EPERM'],
  ])('S17 D18: at %s with %s leaves the old entry and nothing else', async (step, code) => {
    await putOld();
    failOn(step, code);
    expect((await failureOf(write(CANARY))).message).toBe(`the file cannot be written: ${code}`);
    expect(await names()).toEqual(['jwks.json']);
    expect(await readFile(at('jwks.json'), 'utf8')).toBe(OLD);
  });

  it('S17: at the very last, says that the new entry is in place', async () => {
    await putOld();
    failOn('sync directory', 'EIO');
    expect((await failureOf(write(CANARY))).message).toBe(
      'the file is in place, but may not outlive a crash: EIO',
    );
    expect(await names()).toEqual(['jwks.json']);
    expect(await readFile(at('jwks.json'), 'utf8')).toBe(CANARY);
  });

  it.each<[step: Step, code: string]>([
    ['open directory', 'EISDIR'],
    ['open directory', 'EACCES'],
    ['sync directory', 'EINVAL'],
  ])('S17: but not where a directory cannot be flushed: %s with %s', async (step, code) => {
    failOn(step, code);
    await write(CANARY);
    expect(await readFile(at('jwks.json'), 'utf8')).toBe(CANARY);
  });

  it.each<Step>(['mkdir', 'writeFile', 'sync'])('S17: because it was aborted, at %s', async (step) => {
    await putOld();
    const caller = new AbortController();
    const reason = new Error('aborted');
    disk.before = (now) => {
      if (now === step) caller.abort(reason);
    };
    expect(await failureOf(write(CANARY, JWKS, caller.signal))).toBe(reason);
    expect(await names()).toEqual(['jwks.json']);
    expect(await readFile(at('jwks.json'), 'utf8')).toBe(OLD);
  });

  it('S17: because it was aborted before it began, and makes no directory', async () => {
    const reason = new Error('aborted');
    expect(await failureOf(write(CANARY, JWKS, AbortSignal.abort(reason)))).toBe(reason);
    expect(await names(root)).toEqual([]);
  });

  it.each<[title: string, message: RegExp, prepare: () => Promise<unknown>]>([
    ['a directory in its place', /^the file cannot be written: E[A-Z]+$/, () => mkdir(at('jwks.json'))],
    [
      'a directory that is a file',
      /^the file cannot be written: E[A-Z]+$/,
      async () => {
        await rm(at(), { recursive: true });
        await writeFile(at(), OLD);
      },
    ],
  ])('T-138: for %s', async (_, message, prepare) => {
    await mkdir(at());
    await prepare();
    const before = await readdir(root, { recursive: true });
    expect((await failureOf(write(CANARY))).message).toMatch(message);
    expect(await readdir(root, { recursive: true })).toEqual(before);
  });

  it('T-138: for more than would be read', async () => {
    await putOld();
    const error = await failureOf(write(CANARY.padEnd(512 * 1024 + 1)));
    expect(error.message).toBe('expected at most 524288 bytes');
    expect(await readFile(at('jwks.json'), 'utf8')).toBe(OLD);
    await write(CANARY.padEnd(512 * 1024));
    expect(await store.read(JWKS, signal)).toHaveLength(512 * 1024);
  });

  it.each(['..', '.', '', '../internal', '/etc', 'a/b', 'a\\b', '..data', 'a\0b', '~', 'a'.repeat(254)])(
    'T-138: for the name or key %j',
    async (name) => {
      expect(await failureOf(write(CANARY, { name, key: 'outside' }))).toBeInstanceOf(ConfigError);
      expect(await failureOf(write(CANARY, { name: 'internal', key: name }))).toBeInstanceOf(ConfigError);
      expect(await names(root)).toEqual([]);
    },
  );
});

describe('a symbolic link', () => {
  const REFUSED = 'expected a regular file, got a symbolic link; it belongs to a mount';

  it('T-138: as Kubernetes mounts an entry, is refused and left alone', async () => {
    await mkdir(at('..2026_01'), { recursive: true });
    await writeFile(at('..2026_01', 'jwks.json'), OLD);
    await symlink('..2026_01', at('..data'));
    await symlink('..data/jwks.json', at('jwks.json'));
    expect((await failureOf(write(CANARY))).message).toBe(REFUSED);
    expect(await names()).toEqual(['..2026_01', '..data', 'jwks.json']);
    expect(await readlink(at('jwks.json'))).toBe('..data/jwks.json');
    expect(await readFile(at('..2026_01', 'jwks.json'), 'utf8')).toBe(OLD);
  });

  it.each([
    ['that leads nowhere', 'nowhere'],
    ['out of the store', '/dev/null'],
    ['to itself', 'jwks.json'],
  ])('T-138: %s is refused', async (_, target) => {
    await mkdir(at());
    await symlink(target, at('jwks.json'));
    expect((await failureOf(write(CANARY))).message).toBe(REFUSED);
    expect((await lstat(at('jwks.json'))).isSymbolicLink()).toBe(true);
    expect(await names()).toEqual(['jwks.json']);
  });

  it.each(['elsewhere', 'nowhere'])(
    'T-138: in the place of the whole secret is refused: %s',
    async (target) => {
      await mkdir(join(root, 'elsewhere'));
      await symlink(target, at());
      expect((await failureOf(write(CANARY))).message).toBe(REFUSED);
      expect(await names(join(root, 'elsewhere'))).toEqual([]);
      expect(await names(root)).toEqual(['elsewhere', 'internal']);
    },
  );

  it('T-138: above the store is as good as any directory', async () => {
    await mkdir(join(root, 'elsewhere'));
    await symlink('elsewhere', join(root, 'linked'));
    store = createDirectoryStore(join(root, 'linked'));
    await write(CANARY);
    expect(await readFile(join(root, 'elsewhere', 'internal', 'jwks.json'), 'utf8')).toBe(CANARY);
  });
});

describe('a private file of any path', () => {
  it('D18: is written whole, for its owner alone', async () => {
    process.umask(0);
    const path = join(root, 'new', 'key.pem');
    await writePrivateFile(path, Buffer.from(CANARY), signal);
    expect(await readFile(path, 'utf8')).toBe(CANARY);
    expect([await modeOf(path), await modeOf(join(root, 'new'))]).toEqual(['600', '700']);
  });

  it('T-138: is not one behind a symbolic link', async () => {
    await symlink('elsewhere', join(root, 'key.pem'));
    const error = await failureOf(writePrivateFile(join(root, 'key.pem'), Buffer.from(CANARY), signal));
    expect(error.message).toBe('expected a regular file, got a symbolic link; it belongs to a mount');
  });
});
