// The file of a service token: its content, when it is read, expiry, and the end by close().
import { watch } from 'node:fs';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { generateSigningKey, mint } from '@latchkey/testing';
import { describe, expect, it, vi } from 'vitest';
import { warningsOf } from '../support/observed.ts';
import { runProgram, sourceModule } from '../support/program.ts';
import { rejectionOf } from '../support/refusals.ts';
import {
  at,
  clock,
  create,
  createFor,
  DAY,
  encode,
  FIRST,
  FRIENDS,
  failed,
  folder,
  LIFE,
  mapped,
  put,
  refreshed,
  SECOND,
  START,
  sent,
  serve,
  tokenOf,
} from './service-tokens.ts';

/** How many watchers there are that are not stopped, and what the latest calls back. */
const live = vi.hoisted(() => ({ watchers: 0, tell: () => {} }));

vi.mock(import('../../src/secrets/directory.ts'), async (load) => {
  const real = await load();
  return {
    ...real,
    watchPath(path, changed, names) {
      const stop = real.watchPath(path, changed, names);
      live.tell = changed;
      let stopped = false;
      live.watchers++;
      return () => {
        if (!stopped) live.watchers--;
        stopped = true;
        stop();
      };
    },
  };
});

/** Changes a folder, and waits until its watchers have been told. */
async function told(name: string, act: () => Promise<void>, where = folder): Promise<void> {
  const watcher = watch(where);
  try {
    const heard = new Promise<void>((resolve) => {
      watcher.on('change', (_event, changed) => {
        if (changed === name) resolve();
      });
    });
    await act();
    await heard;
    await nextTurn();
  } finally {
    watcher.close();
  }
}

describe('the token file', () => {
  it.each([
    ['nothing', ''],
    ['a newline', '\n'],
    ['a carriage return and a newline', '\r\n'],
  ])('OK-14: with %s after the token', async (_, end) => {
    const { friends, calls } = await mapped(FIRST + end);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
  });

  it('OK-14: a token that was signed', async () => {
    const claims = { aud: [FRIENDS, 'urn:x'], sub: 'okera', groups: ['root'], exp: START + LIFE };
    const token = await mint(await generateSigningKey('RS512', 'k'), claims);
    const { friends, calls } = await mapped(token, { subject: 'okera' });
    expect(await sent(calls, friends)).toBe(`Bearer ${token}`);
  });

  const secret = 'xyzzy-nothing-happens';
  const NOT_JWS = 'expected a compact JWS: not three base64url segments';
  const ONE_PART = 'expected a compact JWS: one part instead of three';
  const OTHER_AUDIENCE = 'the token is for another audience';
  const [UNSIGNED = ''] = /^.*\./.exec(FIRST) ?? [];
  const bad: readonly [title: string, content: string, message: string][] = [
    ['of nothing', '', ONE_PART],
    ['with two newlines', `${FIRST}\n\n`, NOT_JWS],
    ['with a space before', ` ${FIRST}`, NOT_JWS],
    ['with a second line', `${FIRST}\nx: y`, NOT_JWS],
    ['with a word', secret, ONE_PART],
    ['with half a token', UNSIGNED.slice(0, -1), 'expected a compact JWS: two parts instead of three'],
    ['with a token of no signature', UNSIGNED, NOT_JWS],
    [
      'with a payload that is not JSON',
      `${encode({ alg: 'RS512' })}.${encode(secret)}.c2ln`,
      'expected a compact JWS: the payload is not strict JSON: not a JSON object',
    ],
    [
      'with a token of 17 KiB',
      tokenOf({ secret: secret.repeat(640) }),
      'expected a compact JWS: longer than 16384 bytes',
    ],
    ['of more than 512 KiB', FIRST.padEnd(512 * 1024 + 1), `the file is larger than ${512 * 1024} bytes`],
    ['for another audience', tokenOf({ aud: secret }), OTHER_AUDIENCE],
    ['for other audiences', tokenOf({ aud: [secret, `${FRIENDS}x`] }), OTHER_AUDIENCE],
    ['for no audience', tokenOf({ aud: undefined }), OTHER_AUDIENCE],
    ['for an audience in an object', tokenOf({ aud: { [FRIENDS]: FRIENDS } }), OTHER_AUDIENCE],
    ['of another subject', tokenOf({ sub: secret }), 'the token is of another subject'],
    ['of no subject', tokenOf({ sub: undefined }), 'the token is of another subject'],
    ['of two subjects', tokenOf({ sub: ['okera', secret] }), 'the token is of another subject'],
    ['with exp in a string', tokenOf({ exp: String(START + LIFE) }), 'exp is not a time in seconds'],
    ['with exp null', tokenOf({ exp: null }), 'exp is not a time in seconds'],
    ['with exp in milliseconds', tokenOf({ exp: START * 1000 }), 'exp is not a time in seconds'],
    ['with exp before 1970', tokenOf({ exp: -1 }), 'exp is not a time in seconds'],
    ['with nbf in a string', tokenOf({ nbf: '0' }), 'nbf is not a time in seconds'],
    ['with a token that is not valid yet', tokenOf({ nbf: START + 6 }), 'the token is not valid yet'],
  ];

  it.each(bad)(
    'OK-14, S56: a file %s is refused at boot and at a call, and no error quotes it',
    async (_, content, why) => {
      const { friends, calls } = await mapped(content, { subject: 'okera' });
      const message = `service token tokens[0]: ${why}`;
      const errors: unknown[] = [];
      const warnings = await warningsOf(async () => {
        errors.push(await rejectionOf(calls.ready()), await rejectionOf(calls.fetch(friends.url)));
      });
      expect(errors).toEqual([new Error(message), new Error(message)]);
      expect([friends.arrived, warnings]).toEqual([[], []]);
      expect(refreshed).toEqual([]);
      expect(failed).toEqual([{ serviceToken: 'tokens[0]', audience: FRIENDS, error: new Error(why) }]);
      const said = inspect([errors, failed], { depth: null, maxStringLength: null });
      for (const part of [secret, ...content.split('.').map((segment) => segment.slice(0, 20))])
        if (part.length > 10) expect(said).not.toContain(part);
    },
  );

  it.each(bad)(
    'S56: a file %s, in the place of a good one, leaves the good one in use until it expires',
    async (_, content, why) => {
      const { friends, calls } = await mapped(FIRST, { subject: 'okera' });
      await calls.ready();
      await told('token', () => put('token', content));
      vi.advanceTimersByTime(1_000);
      expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
      expect(failed).toMatchObject([{ error: new Error(why) }]);
      clock.set((START + LIFE) * 1000);
      expect((await rejectionOf(calls.fetch(friends.url))).message).toBe(`service token tokens[0]: ${why}`);
      expect(friends.arrived).toHaveLength(1);
    },
  );

  it('OK-14: a file that is not there, and one that is a folder', async () => {
    await mkdir(at('folder'));
    const files = ['gone', 'folder', 'gone/token'];
    const tokens = files.map((name, n) => ({ file: at(name), audience: FRIENDS, hosts: [`h${n}.internal`] }));
    const { message } = await rejectionOf(create({ tokens }).ready());
    expect(message.split('; ')).toEqual([
      'service token tokens[0]: the file does not exist',
      'service token tokens[1]: not a regular file',
      'service token tokens[2]: the file does not exist',
    ]);
  });

  it('OK-14: audience null does not look at aud, and no subject not at sub', async () => {
    const token = tokenOf({ aud: undefined, sub: 4 });
    const { friends, calls } = await mapped(token, { audience: null });
    expect(await sent(calls, friends)).toBe(`Bearer ${token}`);
    expect(refreshed).toEqual([{ serviceToken: 'tokens[0]', audience: null, expiresAt: START + LIFE }]);
  });

  it('OK-14: nbf may be as far ahead as clocks disagree, and no farther', async () => {
    const { friends, calls } = await mapped(tokenOf({ nbf: START + 5 }));
    expect(await sent(calls, friends)).toContain('Bearer ');
  });

  it('OK-14: one bad token does not harm another', async () => {
    await put('token', FIRST);
    const [friends, other] = [await serve(), await serve()];
    const calls = create({
      tokens: [
        { file: at('gone'), audience: FRIENDS, hosts: [other.host] },
        { file: at('token'), audience: FRIENDS, hosts: [friends.host] },
      ],
    });
    await expect(calls.ready()).rejects.toThrow('service token tokens[0]: the file does not exist');
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    expect((await rejectionOf(calls.fetch(other.url))).message).toContain('tokens[0]');
  });
});

describe('when the file is read', () => {
  const LATER = tokenOf({ nbf: START + 60 }, 'later');
  const THIRD = tokenOf({ exp: START + 3 * LIFE });

  /** Makes `token` a link out of the folder, so that the folder's watchers miss changes. */
  async function linked(token: string) {
    await putElsewhere(token);
    return mapped();
  }

  async function putElsewhere(token: string): Promise<void> {
    await mkdir(at('elsewhere'), { recursive: true });
    await put('elsewhere/token', token);
    await symlink('elsewhere/token', at('token')).catch(() => {});
  }

  it('S56: at first use, and not before', async () => {
    const { friends, calls } = await mapped();
    await put('token', FIRST);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
  });

  it('S56: once for all calls that wait', async () => {
    const { friends, calls } = await linked(FIRST);
    await Promise.all([calls.ready(), ...Array.from({ length: 20 }, () => sent(calls, friends))]);
    expect(friends.arrived.every(({ authorization }) => authorization === `Bearer ${FIRST}`)).toBe(true);
    expect(friends.arrived).toHaveLength(20);
    expect(refreshed).toEqual([{ serviceToken: 'tokens[0]', audience: FRIENDS, expiresAt: START + LIFE }]);
  });

  it.each<[title: string, change: () => Promise<void>]>([
    ['has changed', () => put('token', SECOND)],
    ['is written in place', () => writeFile(at('token'), SECOND)],
  ])('S56: when it %s', async (_, change) => {
    const { friends, calls } = await mapped(FIRST);
    await calls.ready();
    vi.advanceTimersByTime(1_000);
    await told('token', change);
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
    expect(refreshed.map(({ expiresAt }) => expiresAt)).toEqual([START + LIFE, START + 2 * LIFE]);
  });

  it('S56: when a whole mount is swapped, and not when another file changes', async () => {
    const { friends, calls } = await linked(FIRST);
    await calls.ready();
    vi.advanceTimersByTime(1_000);
    await put('elsewhere/token', SECOND);
    await told('neighbour', () => put('neighbour', 'x'));
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    await told('..data', () => mkdir(at('..data')));
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
    // One reading for each change.
    await put('elsewhere/token', FIRST);
    vi.advanceTimersByTime(1_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
  });

  it('S56: in a folder that came later', async () => {
    const { friends, calls } = await mapped(undefined, { file: at('mount/token') });
    await expect(calls.ready()).rejects.toThrow('the file does not exist');
    await mkdir(at('mount'));
    await put('mount/token', FIRST);
    vi.advanceTimersByTime(1_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    await told('token', () => put('mount/token', THIRD), at('mount'));
    vi.advanceTimersByTime(1_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${THIRD}`);
  });

  it('S56: once a minute, for mounts whose watchers are silent', async () => {
    const { friends, calls } = await linked(FIRST);
    await calls.ready();
    await put('elsewhere/token', SECOND);
    vi.advanceTimersByTime(59_999);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    vi.advanceTimersByTime(1);
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
  });

  it('S56: in the last minute of the token, at most once a second', async () => {
    const { friends, calls } = await linked(FIRST);
    await calls.ready();
    vi.advanceTimersByTime(1_000);
    clock.set((START + LIFE) * 1000 - 60_001);
    // Not near the end: this call reads nothing.
    await sent(calls, friends);
    await put('elsewhere/token', SECOND);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    clock.advance(1);
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
    clock.set((START + 2 * LIFE) * 1000 - 1);
    await put('elsewhere/token', THIRD);
    vi.advanceTimersByTime(999);
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
    vi.advanceTimersByTime(1);
    expect(await sent(calls, friends)).toBe(`Bearer ${THIRD}`);
  });

  it('S56: again after a failure, at most once a second', async () => {
    const { friends, calls } = await mapped();
    await expect(calls.fetch(friends.url)).rejects.toThrow('the file does not exist');
    await putElsewhere(FIRST);
    vi.advanceTimersByTime(999);
    await expect(calls.fetch(friends.url)).rejects.toThrow('the file does not exist');
    expect(failed).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    await told('token', () => rm(at('token')));
    vi.advanceTimersByTime(1_000);
    await sent(calls, friends);
    expect(failed).toHaveLength(2);
    await putElsewhere(SECOND);
    vi.advanceTimersByTime(1_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
    // After the success the file is not read every second.
    vi.advanceTimersByTime(1_000);
    await sent(calls, friends);
    await put('elsewhere/token', FIRST);
    vi.advanceTimersByTime(1_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
  });

  it('S56: once at a time, however long it takes', async () => {
    const calls = createFor('127.0.0.1:1');
    const call = () => rejectionOf(calls.fetch('http://127.0.0.1:1/'));
    const slow = [call()];
    vi.advanceTimersByTime(60_000);
    slow.push(call());
    await Promise.all(slow);
    expect(failed).toHaveLength(1);
  });

  it('S56: again after a failure that left a token in use, though no watcher reports a change', async () => {
    const { friends, calls } = await linked(FIRST);
    await calls.ready();
    await put('elsewhere/token', LATER);
    vi.advanceTimersByTime(60_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    clock.advance(60_000);
    vi.advanceTimersByTime(1_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${LATER}`);
  });

  it('S56: the same token read again is not published', async () => {
    const { friends, calls } = await linked(FIRST);
    for (let minute = 0; minute < 3; minute++) {
      await sent(calls, friends);
      vi.advanceTimersByTime(60_000);
    }
    expect([refreshed.length, failed.length]).toEqual([1, 0]);
  });

  it('S56: a change while it is read is not missed', async () => {
    const { friends, calls } = await linked(FIRST);
    const first = sent(calls, friends);
    live.tell();
    await first;
    await put('elsewhere/token', SECOND);
    vi.advanceTimersByTime(1_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
  });
});

describe('expiry', () => {
  it('S56: a token is sent until it expires, and not after', async () => {
    const { friends, calls } = await mapped(FIRST);
    clock.set((START + LIFE) * 1000 - 1);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    clock.advance(1);
    // Within the second, so the file is not read.
    const error = await rejectionOf(calls.fetch(friends.url));
    expect(error.message).toBe('service token tokens[0]: the token has expired');
    expect(error.name).toBe('Error');
    vi.advanceTimersByTime(1_000);
    expect(await rejectionOf(calls.fetch(friends.url))).toEqual(error);
    expect(friends.arrived).toHaveLength(1);
    expect(failed).toEqual([
      { serviceToken: 'tokens[0]', audience: FRIENDS, error: new Error('the token has expired') },
    ]);
    await put('token', SECOND);
    vi.advanceTimersByTime(1_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
  });

  it('S56: an expired one in the place of a good one is not taken', async () => {
    const { friends, calls } = await mapped(FIRST);
    await calls.ready();
    vi.advanceTimersByTime(1_000);
    await told('token', () => put('token', tokenOf({ exp: START })));
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    expect(failed).toHaveLength(1);
  });

  it('S56: a clock that gives no number sends nothing', async () => {
    const { friends, calls } = await mapped(tokenOf({ exp: undefined }));
    await calls.ready();
    clock.set(Number.NaN);
    await expect(calls.fetch(friends.url)).rejects.toThrow('the token has expired');
    expect(friends.arrived).toEqual([]);
  });

  const IT = 'service token tokens[0]:';
  it.each<[title: string, exp: number | undefined, warnings: readonly string[]]>([
    ['has expired', START, [`Warning LATCHKEY_EXPIRY: ${IT} has expired`]],
    ['expires within 24 hours', START + DAY, [`Warning LATCHKEY_EXPIRY: ${IT} expires within 24 hours`]],
    ['expires after that', START + DAY + 0.001, []],
    ['never expires', undefined, [`SecurityWarning LATCHKEY_UNSAFE: ${IT} never expires`]],
  ])('S56: at boot there is a warning of a token that %s', async (_, exp, warnings) => {
    await put('token', tokenOf({ exp }));
    const calls = createFor('friends.internal');
    expect(await warningsOf(() => calls.ready())).toEqual(warnings);
  });

  it('S56: a token without exp is sent', async () => {
    const { friends, calls } = await mapped(tokenOf({ exp: undefined }));
    clock.advance(1e12);
    expect(await sent(calls, friends)).toBe(`Bearer ${tokenOf({ exp: undefined })}`);
    expect(refreshed).toEqual([{ serviceToken: 'tokens[0]', audience: FRIENDS, expiresAt: undefined }]);
  });

  it('S56: a token that had expired at boot is not sent, and its successor is', async () => {
    const { friends, calls } = await mapped(tokenOf({ exp: START }));
    await calls.ready();
    await expect(calls.fetch(friends.url)).rejects.toThrow('the token has expired');
    expect(friends.arrived).toEqual([]);
    await put('token', FIRST);
    vi.advanceTimersByTime(1_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
  });
});

describe('the end', () => {
  it('OK-14: calls to mapped hosts are refused, others are made', async () => {
    await put('token', FIRST);
    const [friends, other] = [await serve(), await serve()];
    const calls = createFor(friends.host);
    await calls.ready();
    calls.close();
    calls.close();
    vi.advanceTimersByTime(60_000);
    await expect(calls.fetch(friends.url)).rejects.toThrow('service token tokens[0]: closed');
    await expect(calls.ready()).rejects.toThrow('service token tokens[0]: closed');
    expect(await sent(calls, other)).toBe('none');
    expect(friends.arrived).toEqual([]);
  });

  it('OK-14: a reading that is under way at close() gives no token', async () => {
    const { friends, calls } = await mapped(FIRST);
    const call = calls.fetch(friends.url);
    calls.close();
    await expect(call).rejects.toThrow('service token tokens[0]: closed');
    expect(friends.arrived).toEqual([]);
    expect([...refreshed, ...failed]).toEqual([]);
  });

  it('OK-14: nor does a reading that has just ended', async () => {
    await put('token', tokenOf({ nbf: START }));
    let asked = 0;
    const now = () => {
      // The first time is while the options are read.
      if (asked++ > 0) calls.close();
      return START * 1000;
    };
    const tokens = [{ file: at('token'), audience: FRIENDS, hosts: ['127.0.0.1:1'] }];
    const calls = create({ tokens, clock: { now } });
    await expect(calls.fetch('http://127.0.0.1:1/')).rejects.toThrow('closed');
    expect([...refreshed, ...failed]).toEqual([]);
  });

  it('OK-14: one watcher for each file, and none afterwards', async () => {
    const { friends, calls } = await mapped(FIRST);
    expect(live.watchers).toBe(0);
    for (let minute = 0; minute < 3; minute++) {
      await sent(calls, friends);
      vi.advanceTimersByTime(60_000);
      expect(live.watchers).toBe(1);
    }
    calls.close();
    expect(live.watchers).toBe(0);
    await expect(calls.fetch(friends.url)).rejects.toThrow('closed');
    expect(live.watchers).toBe(0);
  });

  it('OK-14: a process ends without close()', async () => {
    await put('token', FIRST);
    const tokens = JSON.stringify([{ file: at('token'), audience: FRIENDS, hosts: ['friends.internal'] }]);
    const { stdout } = await runProgram(`
      import { createServiceFetch } from ${sourceModule('signing/service-fetch.ts')};
      await createServiceFetch({ tokens: ${tokens} }).ready();
      console.log('ready');
    `);
    expect(stdout.trim()).toBe('ready');
  });
});
