// Rotation in several processes at once over one directory, as replicas of a service do it by the
// same schedule: real processes, a real directory. The time is the parent's, who sends it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createClock } from '@latchkey/testing';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDirectoryStore } from '../../src/secrets/directory.ts';
import { createSigner } from '../../src/signing/signer.ts';
import { temporaryFolder } from '../support/closing.ts';

const PROCESSES = 4;
const ROUNDS = 12;
const START = 1_800_000_000_000;
const HOUR_MS = 3_600_000;

interface Answer {
  readonly rotated: string;
  readonly dropped: readonly string[];
  readonly tokens: readonly string[];
}

let directory: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  directory = await temporaryFolder();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill();
});

/** A process that rotates, retires and signs whenever it is told the time. */
function startProcess(): (nowMs: number) => Promise<Answer> {
  const module = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
  const source = `
    import { createInterface } from 'node:readline';
    import { createDirectoryStore } from ${module('secrets/directory.ts')};
    import { createSigner } from ${module('signing/signer.ts')};
    let now = ${START};
    const signer = createSigner({
      secret: { name: 'signing' }, secrets: createDirectoryStore(${JSON.stringify(directory)}), alg: 'ES256',
      issuer: 'https://issuer.example', expiresIn: '1h', maxStale: '2h', clock: { now: () => now },
    });
    for await (const line of createInterface({ input: process.stdin })) {
      now = Number(line);
      const [{ kid: rotated }, { dropped }] = await Promise.all([signer.rotate(), signer.retire()]);
      const tokens = [await signer.sign({}), await signer.sign({})];
      console.log(JSON.stringify({ rotated, dropped, tokens }));
    }`;
  const child = spawn(
    process.execPath,
    ['--conditions=source', '--no-warnings', '--input-type=module', '--eval', source],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  children.push(child);
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async (nowMs) => {
    child.stdin.write(`${nowMs}\n`);
    const { value } = await answers.next();
    return JSON.parse(String(value)) as Answer;
  };
}

async function kidsIn(): Promise<readonly string[]> {
  const { keys } = JSON.parse(await readFile(join(directory, 'signing', 'jwks.json'), 'utf8')) as {
    readonly keys: readonly { readonly kid: string }[];
  };
  return keys.map(({ kid }) => kid);
}

describe('processes over one directory', () => {
  it('rotate at once: no key is lost, and each is told of a key that is there', {
    timeout: 60_000,
  }, async () => {
    const processes = Array.from({ length: PROCESSES }, startProcess);
    const tokens: string[] = [];
    let before: readonly string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const nowMs = START + round * HOUR_MS;
      const answers = await Promise.all(processes.map((ask) => ask(nowMs)));
      const kids = await kidsIn();
      tokens.push(...answers.flatMap((answer) => answer.tokens));
      const dropped = answers.flatMap((answer) => answer.dropped);
      // One more than before; two in the first round, whose first key signs at once.
      expect(kids.length, `round ${round}`).toBe(
        before.length + (round === 0 ? 2 : 1) - new Set(dropped).size,
      );
      expect(dropped).toHaveLength(new Set(dropped).size);
      for (const { rotated } of answers) expect(kids).toContain(rotated);
      for (const kid of before) if (!dropped.includes(kid)) expect(kids).toContain(kid);
      for (const token of tokens) {
        const { kid } = decodeProtectedHeader(token);
        if ((decodeJwt(token).exp ?? 0) * 1000 > nowMs) expect(kids).toContain(kid);
      }
      before = kids;
    }
    expect(tokens).toHaveLength(PROCESSES * ROUNDS * 2);
    // No lock and no draft is left.
    expect(await readdir(join(directory, 'signing'))).toEqual(['jwks.json']);
  });
});

describe('a lock that is left', () => {
  const lock = () => join(directory, 'signing', '.jwks.json.lock');
  const signer = () =>
    createSigner({
      secret: { name: 'signing' },
      secrets: createDirectoryStore(directory),
      alg: 'ES256',
      issuer: 'https://issuer.example',
      expiresIn: '1h',
      clock: createClock(START),
    });

  it('by a process that was killed is taken over at once', async () => {
    const source = `
      import { createDirectoryStore } from ${JSON.stringify(new URL('../../src/secrets/directory.ts', import.meta.url).href)};
      const store = createDirectoryStore(${JSON.stringify(directory)});
      await store.update({ name: 'signing', key: 'jwks.json' }, () => {
        process.kill(process.pid, 'SIGKILL');
      }, new AbortController().signal);`;
    const child = spawn(
      process.execPath,
      ['--conditions=source', '--no-warnings', '--input-type=module', '--eval', source],
      { stdio: 'inherit' },
    );
    await once(child, 'close');
    expect(await readdir(join(directory, 'signing'))).toContain('.jwks.json.lock');
    const one = signer();
    const { kid } = await one.rotate();
    expect(await kidsIn()).toEqual([kid]);
    await one.close();
    expect(await readdir(join(directory, 'signing'))).toEqual(['jwks.json']);
  });

  it.each([
    ['of an earlier process with the same id', () => ({ pid: process.pid, id: 'x' }), 0, true],
    [
      'of a process elsewhere, older than a minute',
      () => ({ space: 'elsewhere', pid: 1, id: 'x' }),
      61,
      true,
    ],
    [
      'of a process elsewhere, from before a clock was put back',
      () => ({ space: 'elsewhere', pid: 1, id: 'x' }),
      -86_400,
      true,
    ],
    ['of a process elsewhere, from just now', () => ({ space: 'elsewhere', pid: 1, id: 'x' }), 0, false],
    ['that is empty, from just now', () => undefined, 0, false],
    ['that is empty, older than a minute', () => undefined, 61, true],
  ])('%s', { timeout: 15_000 }, async (_, owner, ageSeconds, isTaken) => {
    await mkdir(join(directory, 'signing'));
    // What this process itself writes, as far as the case does not say otherwise.
    const store = createDirectoryStore(directory);
    const space = await spaceOf(store);
    await writeFile(lock(), owner() === undefined ? '' : JSON.stringify({ space, ...owner() }));
    const then = Date.now() / 1000 - ageSeconds;
    await utimes(lock(), then, then);
    const reference = { name: 'signing', key: 'jwks.json' };
    const patience = AbortSignal.timeout(isTaken ? 5_000 : 200);
    const updating = store.update?.(reference, () => Buffer.from('{"keys":[]}'), patience);
    const outcome = await updating?.then(
      () => true,
      () => false,
    );
    expect(outcome).toBe(isTaken);
    // A lock that is held is left to its owner, and so is the entry.
    expect(await readdir(join(directory, 'signing'))).toEqual([isTaken ? 'jwks.json' : '.jwks.json.lock']);
  });

  /** The name that this process gives the place where it runs. */
  async function spaceOf(store: ReturnType<typeof createDirectoryStore>): Promise<string> {
    const reference = { name: 'signing', key: 'space' };
    let text = '';
    await store.update?.(
      reference,
      () => {
        text = readFileSync(join(directory, 'signing', '.space.lock'), 'utf8');
        return undefined;
      },
      new AbortController().signal,
    );
    return (JSON.parse(text) as { readonly space: string }).space;
  }
});
