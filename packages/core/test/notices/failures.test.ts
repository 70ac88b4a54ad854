// What a receiver does while keys, the store of ids, the feed of revocations or the application
// fail: the sender gets an error, and can send the token again.
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import type { ReplayStore, RevocationFeed } from '../../src/index.ts';
import { eventsOf } from '../support/observed.ts';
import { type Bench, CAEP, createBench, EVENTS, ISSUER } from './bench.ts';

const SUBJECT = { sub_id: { format: 'iss_sub', iss: ISSUER, sub: 'alice' } };

/** The answers to a logout token and to a security event token, which the sender sends again. */
async function answersOf(bench: Bench) {
  const [logout, event] = [
    await bench.logout({ sid: undefined }),
    await bench.event(`${CAEP}/session-revoked`, SUBJECT),
  ];
  return async () => [await bench.send(logout), await bench.push(event)] as const;
}

/** OpenID Connect Back-Channel Logout 1.0 §2.8 knows only 400; RFC 8935 §2.3 leaves 503 to HTTP. */
function expectUnavailable([logout, event]: Awaited<ReturnType<Awaited<ReturnType<typeof answersOf>>>>) {
  expect([logout.status, JSON.parse(logout.body).error]).toEqual([400, 'temporarily_unavailable']);
  expect(event).toMatchObject({ status: 503, body: '', headers: { 'Retry-After': '30' } });
}

describe('what is unavailable', () => {
  it('keys that cannot be fetched', async () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const failed = eventsOf('latchkey:event:failed');
    const bench = await createBench({
      options: { keySets: [{ issuer: ISSUER, jwksUrl: 'http://127.0.0.1:9/jwks', allowHttp: true }] },
    });
    const ask = await answersOf(bench);
    expectUnavailable(await ask());
    expect(failed).toHaveLength(2);
    expect(bench.told).toEqual([]);
  });

  it('a store that fails: tokens end, and onEvent is called when it works again', async () => {
    const used = new Set<string>();
    let fails = true;
    const replayStore: ReplayStore = {
      use(id) {
        if (fails) throw new Error('down');
        return !used.has(id) && used.add(id) !== undefined;
      },
    };
    const bench = await createBench({ options: { replayStore } });
    const access = await bench.access();
    const ask = await answersOf(bench);
    expectUnavailable(await ask());
    expect([await bench.ask(access), bench.told]).toEqual(['token_revoked', []]);
    fails = false;
    expect((await ask()).map(({ status }) => status)).toEqual([200, 202]);
    expect(bench.told.map(({ kind }) => kind)).toEqual(['logout', 'session-revoked']);
    expect((await ask()).map(({ status }) => status)).toEqual([400, 202]);
    expect(bench.told).toHaveLength(2);
  });

  it('a store that notes an id and answers too late: onEvent is called when the token comes again', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const used = new Set<string>();
      let isLate = true;
      const asked = Promise.withResolvers<void>();
      const replayStore: ReplayStore = {
        async use(id) {
          const isNew = !used.has(id);
          used.add(id);
          asked.resolve();
          if (isLate) await new Promise(() => {});
          return isNew;
        },
      };
      const bench = await createBench({ options: { replayStore } });
      const token = await bench.event(`${CAEP}/session-revoked`, SUBJECT);
      const answer = bench.push(token);
      await asked.promise;
      vi.advanceTimersByTime(250);
      expect((await answer).status).toBe(503);
      isLate = false;
      expect([(await bench.push(token)).status, bench.told.length]).toEqual([202, 1]);
      expect([(await bench.push(token)).status, bench.told.length]).toEqual([202, 1]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('a token that comes again while onEvent runs is no duplicate until that has ended', async () => {
    const called = Promise.withResolvers<void>();
    const ends = Promise.withResolvers<void>();
    let calls = 0;
    const onEvent = () => {
      called.resolve();
      return ++calls === 1 ? ends.promise : undefined;
    };
    const bench = await createBench({ receiver: { onEvent } });
    const token = await bench.event(`${CAEP}/session-revoked`, SUBJECT);
    const first = bench.push(token);
    await called.promise;
    const second = bench.push(token);
    let isAnswered = false;
    void second.then(() => {
      isAnswered = true;
    });
    for (let turn = 0; turn < 5; turn++) await nextTurn();
    expect(isAnswered).toBe(false);
    ends.reject(new Error('the database is down'));
    expect([(await first).status, (await second).status]).toEqual([503, 503]);
    expect([(await bench.push(token)).status, calls]).toEqual([202, 2]);
  });

  it('what a store remembers has nothing of the token in it, and differs by kind and issuer', async () => {
    const ids: string[] = [];
    const bench = await createBench({ options: { replayStore: { use: (id) => ids.push(id) > 0 } } });
    await bench.send(await bench.logout({ jti: 'same' }));
    await bench.push(await bench.event(`${CAEP}/session-revoked`, { ...SUBJECT, jti: 'same' }));
    const expected = ['logout', 'event'].map((kind) =>
      createHash('sha256')
        .update(JSON.stringify([kind, ISSUER, 'same']))
        .digest('base64url'),
    );
    expect(ids).toEqual(expected);
  });

  it.each<[title: string, publish: () => Promise<void>]>([
    ['a feed that fails', () => Promise.reject(new Error('down'))],
    ['a feed that never answers', () => new Promise(() => {})],
  ])('%s: nothing is told, and the token is no duplicate', async (_, publish) => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    let isDown = true;
    const revocationFeed: RevocationFeed = {
      description: 'a feed of this test',
      follow(sink) {
        sink.current(sink.now());
        return { close: async () => {} };
      },
      publish: () => (isDown ? publish() : Promise.resolve()),
    };
    const bench = await createBench({ options: { revocationFeed } });
    const ask = await answersOf(bench);
    bench.authenticator.start();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const answers = ask();
      let isAnswered = false;
      answers.finally(() => {
        isAnswered = true;
      });
      while (!isAnswered) await vi.advanceTimersByTimeAsync(5_000);
      expectUnavailable(await answers);
    } finally {
      vi.useRealTimers();
    }
    expect(bench.told).toEqual([]);
    isDown = false;
    expect((await ask()).map(({ status }) => status)).toEqual([200, 202]);
    expect(bench.told).toHaveLength(2);
  });

  it('onEvent that fails is called again when the token comes again, and then not again', async () => {
    let calls = 0;
    const onEvent = async () => {
      if (++calls <= 2) throw new Error('down');
    };
    const bench = await createBench({ receiver: { onEvent } });
    const ask = await answersOf(bench);
    expectUnavailable(await ask());
    expect((await ask()).map(({ status }) => status)).toEqual([200, 202]);
    expect((await ask()).map(({ status }) => status)).toEqual([400, 202]);
    expect(calls).toBe(4);
  });
});

describe('time', () => {
  it('a day later, the id of a security event token is forgotten', async () => {
    const bench = await createBench({ receiver: { securityEvents: { audience: EVENTS } } });
    const token = await bench.event(`${CAEP}/session-revoked`, SUBJECT);
    for (const advance of [0, 86_000_000, 402_000]) {
      bench.clock.advance(advance);
      expect((await bench.push(token)).status).toBe(202);
    }
    expect(bench.told).toHaveLength(2);
  });
});

it('what is told of refusals names no claim', async () => {
  const refused = eventsOf('latchkey:event:refused');
  const bench = await createBench();
  await bench.send(await bench.logout({ nonce: 'secret-nonce', sub: 'secret-sub', sid: 'secret-sid' }));
  await bench.push(await bench.event('urn:secret', { aud: 'secret-aud', sub: 'secret-sub' }));
  expect(refused).toHaveLength(2);
  for (const { error } of refused)
    expect(`${error.message} ${Reflect.get(error, 'detail')}`).not.toMatch(/secret/);
});
