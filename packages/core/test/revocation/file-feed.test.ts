// A list in a real file: how it is followed, what is wrong with it, and how processes add to it.
import { appendFile, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClock, type MintClaims } from '@latchkey/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAuthenticator } from '../../src/index.ts';
import { createFileFeed } from '../../src/revocation/file-feed.ts';
import { requestWith } from '../support/authenticators.ts';
import { eventsOf, warningsOf } from '../support/observed.ts';
import { AUDIENCE, bench, ISSUER, KEYSET, refusalOfRequest, tokenAt } from './bench.ts';

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'latchkey-revocation-'));
  file = join(directory, 'revocations.jsonl');
  await writeFile(file, '');
});
afterEach(() => rm(directory, { recursive: true }));

const UNTIL = Date.now() + 3_600_000;
const line = (jti: string, more: object = {}) =>
  `${JSON.stringify({ issuer: ISSUER, jti, until: UNTIL, ...more })}\n`;
const quiet = { timeout: 20_000, interval: 20 };

/** Waits until a token gets this outcome. */
const becomes = ({ ask }: Pick<ReturnType<typeof bench>, 'ask'>, token: string, outcome: string) =>
  vi.waitFor(async () => expect(await ask(token)).toBe(outcome), quiet);

describe('the file', () => {
  it('is read before the service is ready, and followed', async () => {
    await writeFile(file, line('j1'));
    const service = bench({ file });
    await service.authenticator.ready();
    const [first, second] = [await service.tokenOf({ jti: 'j1' }), await service.tokenOf({ jti: 'j2' })];
    expect(await service.ask(first)).toBe('token_revoked');
    expect(await service.ask(second)).toBe('accepted');
    await appendFile(file, line('j2'));
    await becomes(service, second, 'token_revoked');
    // Removed, as an editor does it.
    await writeFile(`${file}.new`, line('j2'));
    await rename(`${file}.new`, file);
    await becomes(service, first, 'accepted');
    expect(service.authenticator.report().revocation).toMatchObject({
      source: `file ${file}`,
      entries: 1,
      state: 'current',
      ageMs: expect.any(Number),
    });
  });

  it('that is empty, or has empty lines, is a good list', async () => {
    await writeFile(file, `\n${line('j1')}\n`);
    const service = bench({ file });
    await service.authenticator.ready();
    expect(service.authenticator.report().revocation).toMatchObject({ entries: 1, state: 'current' });
  });

  it.each([
    ['a missing file', undefined, 'cannot be read: ENOENT'],
    ['a line without an end', line('j1').trimEnd(), 'its last line does not end'],
    ['text that is not JSON', `${line('j1')}oops-secret\n`, 'line 2: '],
    ['a list', `[${line('j1').trimEnd()}]\n`, 'line 1: not a JSON object'],
    ['a repeated member', `{"issuer":"a","issuer":"b"}\n`, 'line 1: a member is repeated'],
    [
      'a wrong member',
      line('j1') + line('j2', { sub: 'secret' }),
      'entry [1].sub: is not allowed next to jti',
    ],
    ['an unknown member', line('j1', { reason: 'secret' }), 'entry [0].reason: unknown option'],
    ['no until', `{"issuer":"a","jti":"secret"}\n`, 'entry [0].until: is required'],
  ])('%s is an error, and every token a 503', async (_name, content, problem) => {
    if (content === undefined) await rm(file);
    else await writeFile(file, content);
    const service = bench({ file });
    const warnings = await warningsOf(async () => {
      await expect(service.authenticator.ready()).rejects.toThrow(problem);
    });
    expect(warnings).toEqual([expect.stringContaining(problem)]);
    expect(warnings.join()).not.toContain('secret');
    expect(await service.ask(await service.tokenOf())).toBe('revocation_unavailable');
  });

  it('that breaks leaves the former list in force, until maxStale', async () => {
    await writeFile(file, line('j1'));
    const failures = eventsOf('latchkey:revocation:failed');
    const service = bench({ file, maxStale: '10m' });
    await service.authenticator.ready();
    const warnings = await warningsOf(async () => {
      await writeFile(file, 'broken\n');
      await vi.waitFor(() => expect(failures.length).toBeGreaterThan(0), quiet);
    });
    expect(warnings).toEqual([expect.stringContaining('line 1: ')]);
    expect(await service.ask(await service.tokenOf({ jti: 'j1' }))).toBe('token_revoked');
    const other = await service.tokenOf({ jti: 'j2' });
    expect(await service.ask(other)).toBe('accepted');
    service.clock.advance(600_001);
    expect(await service.ask(other)).toBe('revocation_unavailable');
    const recovered = await warningsOf(async () => {
      await writeFile(file, line('j2'));
      await becomes(service, other, 'token_revoked');
    });
    expect(recovered).toEqual([expect.stringContaining('LATCHKEY_RECOVERED')]);
  });

  it('is confirmed again and again, although it does not change', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const service = bench({ file, maxStale: '30s' });
      await service.authenticator.ready();
      const token = await service.tokenOf();
      for (let time = 0; time < 6; time++) {
        service.clock.advance(10_000);
        vi.advanceTimersByTime(10_000);
        await vi.waitFor(() => expect(service.authenticator.report().revocation?.ageMs).toBeLessThan(10_000));
        expect(await service.ask(token)).toBe('accepted');
      }
    } finally {
      vi.useRealTimers();
    }
  });

  it('over 16 MiB is an error', async () => {
    await writeFile(file, `${' '.repeat(16 * 1024 * 1024)}\n`);
    const service = bench({ file });
    await warningsOf(async () => {
      await expect(service.authenticator.ready()).rejects.toThrow(
        'is not a regular file of at most 16777216 bytes',
      );
    });
  });
});

describe('publishing', () => {
  it('adds to the file, and drops what has ended', async () => {
    const clock = createClock();
    const ended = { issuer: ISSUER, jti: 'old', until: clock.now() - 604_800_001 };
    const skewed = { issuer: ISSUER, jti: 'skewed', until: clock.now() - 604_000_000 };
    await writeFile(file, `${JSON.stringify(ended)}\n${JSON.stringify(skewed)}\n`);
    const service = bench({ file }, {}, clock);
    await service.authenticator.revoke({ issuer: ISSUER, sub: 'alice', until: UNTIL });
    await service.authenticator.revoke({ issuer: ISSUER, sub: 'alice', until: UNTIL });
    expect((await readFile(file, 'utf8')).split('\n')).toEqual([
      JSON.stringify(skewed),
      JSON.stringify({ issuer: ISSUER, sub: 'alice', issuedBefore: clock.now(), until: UNTIL }),
      '',
    ]);
    expect(await service.ask(await service.tokenOf())).toBe('token_revoked');
  });

  it('many at once lose none', async () => {
    const feeds = [createFileFeed(file, Date), createFileFeed(file, Date)];
    const many = Array.from({ length: 20 }, (_, index) => ({
      issuer: ISSUER,
      jti: `j${index}`,
      until: UNTIL,
    }));
    await Promise.all(many.map((one, index) => feeds[index % 2]?.publish(one)));
    const written = (await readFile(file, 'utf8'))
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text).jti);
    expect(written.sort()).toEqual(many.map(({ jti }) => jti).sort());
  });

  it('reaches another process', async () => {
    const [one, other] = [bench({ file }), bench({ file })];
    await Promise.all([one.authenticator.ready(), other.authenticator.ready()]);
    const token = await one.tokenOf({ jti: 'j1' });
    expect(await other.ask(token)).toBe('accepted');
    await one.authenticator.revoke({ issuer: ISSUER, jti: 'j1' });
    expect(await one.ask(token)).toBe('token_revoked');
    await becomes(other, token, 'token_revoked');
  });

  it.each([
    ['a missing file', () => rm(file), 'cannot be read: ENOENT'],
    ['a broken file', () => writeFile(file, 'broken\n'), 'line 1: '],
    [
      'a link',
      async () => {
        await rename(file, `${file}.target`);
        await symlink(`${file}.target`, file);
      },
      'expected a regular file, got a symbolic link',
    ],
  ])('into %s rejects, and changes nothing', async (_name, prepare, problem) => {
    await prepare();
    const before = await readFile(file, 'utf8').catch(() => undefined);
    await expect(
      createFileFeed(file, Date).publish({ issuer: ISSUER, jti: 'j', until: UNTIL }),
    ).rejects.toThrow(problem);
    expect(await readFile(file, 'utf8').catch(() => undefined)).toBe(before);
  });
});

describe('a descriptor', () => {
  const described = async (revocation: string) => {
    const descriptor = join(directory, 'service.yaml');
    const text = (more: string) =>
      `service:\n  jwt:\n    audience: ${AUDIENCE}\n    keySets: ${JSON.stringify([KEYSET])}\n    revocation: ${more}\n...\n`;
    await writeFile(descriptor, text(revocation));
    const clock = createClock();
    const authenticator = createAuthenticator({ descriptor, clock });
    const ask = async (token: string) =>
      (await refusalOfRequest(authenticator, requestWith(token)))?.code ?? 'accepted';
    const change = async (more: string) => {
      await writeFile(descriptor, text(more));
      await authenticator.reload();
    };
    return { authenticator, ask, change, tokenOf: (claims: MintClaims) => tokenAt(clock, claims) };
  };

  it('a reload keeps the list in memory, whatever else changes', async () => {
    const { authenticator, ask, change, tokenOf } = await described('{}');
    const token = await tokenOf({ jti: 'j1' });
    await authenticator.revoke({ issuer: ISSUER, jti: 'j1' });
    await change('{ remember: 1h, entries: 10, maxStale: 5s }');
    expect(await ask(token)).toBe('token_revoked');
    expect(authenticator.report().revocation).toMatchObject({ entries: 1 });
    for (let index = 0; index < 9; index++) await authenticator.revoke({ issuer: ISSUER, jti: `k${index}` });
    await expect(authenticator.revoke({ issuer: ISSUER, jti: 'l' })).rejects.toThrow('revocation.entries');
    await authenticator.close();
  });

  it('a file is found from the directory of the descriptor, and a reload keeps it current', async () => {
    const { authenticator, ask, change, tokenOf } = await described('{ file: revocations.jsonl }');
    await authenticator.ready();
    await authenticator.revoke({ issuer: ISSUER, jti: 'j1' });
    expect(await readFile(file, 'utf8')).toContain('"jti":"j1"');
    const [token, other] = [await tokenOf({ jti: 'j1' }), await tokenOf({ jti: 'j2' })];
    for (const more of [
      '{ file: revocations.jsonl, remember: 1h }',
      '{ file: revocations.jsonl, maxStale: 5s }',
    ]) {
      await change(more);
      expect(await ask(token)).toBe('token_revoked');
      expect(await ask(other)).toBe('accepted');
    }
    await authenticator.close();
  });

  it('another file that is missing is not put in force', async () => {
    const { authenticator, ask, change, tokenOf } = await described('{ file: revocations.jsonl }');
    await authenticator.ready();
    await authenticator.revoke({ issuer: ISSUER, jti: 'j1' });
    await warningsOf(async () => {
      await expect(change('{ file: other.jsonl }')).rejects.toThrow('other.jsonl: cannot be read: ENOENT');
    });
    expect(await ask(await tokenOf({ jti: 'j1' }))).toBe('token_revoked');
    expect(await ask(await tokenOf({ jti: 'j2' }))).toBe('accepted');
    await authenticator.close();
  });
});
