// Introspection (RFC 7662) over real HTTP: the question, the client's secret, and the answers.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { createMemoryStore, type SecretStore } from '../../src/secrets/store.ts';
import {
  type Answer,
  type Asked,
  ask,
  endpoint,
  introspecting,
  NOW,
  SECRET_KEY,
  UNAVAILABLE,
} from './endpoints.ts';

function throwing(message: string): () => never {
  return () => {
    throw new Error(message);
  };
}

describe('introspection, RFC 7662', () => {
  it('§2.1: posts the token as a form, the client by HTTP Basic', async () => {
    const remote = await endpoint({
      body: { active: true, sub: 'alice', client_id: 'app', scope: 'read write' },
    });
    const principal = await introspecting(remote.url).verify('a+b/c==');
    expect(principal).toMatchObject({ subject: 'alice', scopes: ['read', 'write'] });
    expect(principal.claims).toEqual({ sub: 'alice', client_id: 'app', scope: 'read write' });
    const [{ method, url, headers, body }] = remote.asked as [Asked];
    expect({ method, url }).toEqual({ method: 'POST', url: '/validate' });
    expect(headers).toMatchObject({
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from('me:s3cret').toString('base64')}`,
    });
    expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
      token: 'a+b/c==',
      token_type_hint: 'access_token',
    });
    expect(body).toContain('token=a%2Bb%2Fc%3D%3D');
    expect(JSON.stringify(headers)).not.toContain('a+b');
  });

  it.each([
    ['a:b', 'c:d', 'a%3Ab:c%3Ad'],
    ['a b', 'p+q&r=s%', 'a+b:p%2Bq%26r%3Ds%25'],
    ['Zoë', '密碼', 'Zo%C3%AB:%E5%AF%86%E7%A2%BC'],
    ['me', 'with newline\n', 'me:with+newline'],
    ['me', 'with newline\r\n', 'me:with+newline'],
    ['me', 'two\n\n', 'me:two%0A'],
    ['me', 'a\r\nX-Evil: 1', 'me:a%0D%0AX-Evil%3A+1'],
    ['me', '*-._~', 'me:*-._%7E'],
  ])('RFC 6749 §2.3.1: %j and %j are form-encoded', async (id, secret, expected) => {
    const remote = await endpoint({ body: { active: true, sub: 'alice' } });
    const secrets = createMemoryStore({ idp: { 'client-secret': secret } });
    await introspecting(remote.url, { id, secrets }).verify('t');
    const [, basic = ''] = remote.asked[0]?.headers.authorization?.split(' ') ?? [];
    expect(Buffer.from(basic, 'base64').toString()).toBe(expected);
    expect(remote.asked[0]?.headers).not.toHaveProperty('x-evil');
  });

  it('§2.2: active false refuses, whatever else it says', async () => {
    const remote = await endpoint({ body: { active: false, sub: 'root' } });
    expect(await ask(introspecting(remote.url))).toBe('401 token_rejected');
  });

  it.each<[title: string, answer: Answer]>([
    ['active: "true"', { body: { active: 'true', sub: 'root' } }],
    ['active: "false"', { body: { active: 'false', sub: 'root' } }],
    ['active: 1', { body: { active: 1, sub: 'root' } }],
    ['active: 0', { body: { active: 0, sub: 'root' } }],
    ['active: null', { body: { active: null, sub: 'root' } }],
    ['active: []', { body: { active: [true], sub: 'root' } }],
    ['active: {}', { body: { active: {}, sub: 'root' } }],
    ['no active', { body: { sub: 'root' } }],
    ['Active', { body: { Active: true, sub: 'root' } }],
    ['active, inherited', { body: '{"__proto__":{"active":true},"sub":"root"}' }],
    ['active twice', { body: '{"active":false,"active":true,"sub":"root"}' }],
    ['a list', { body: [{ active: true }] }],
    ['a JWT', { type: 'application/token-introspection+jwt', body: { active: true } }],
    ['201', { status: 201, body: { active: true, sub: 'root' } }],
    ['204', { status: 204 }],
    ['302', { status: 302, headers: { location: '/' } }],
    ['400', { status: 400, body: { active: true } }],
    // This refuses our client, which says nothing about the token.
    ['401', { status: 401, body: { active: true, error: 'invalid_client' } }],
    ['403', { status: 403, body: { active: false } }],
    ['500', { status: 500, body: { active: true } }],
  ])('a 503: %s', async (_, answer) => {
    const remote = await endpoint(answer);
    expect(await ask(introspecting(remote.url))).toBe(UNAVAILABLE);
  });

  it('row 152: an answer for another audience is refused', async () => {
    const remote = await endpoint();
    const authenticator = introspecting(remote.url, { audience: ['https://me', 'https://me2'] });
    const others = ['https://other', [], ['https://other'], '', 'HTTPS://ME', 5, null, ['https://me', 5]];
    for (const aud of others) {
      remote.says = { body: { active: true, sub: 'alice', aud } };
      expect(await ask(authenticator)).toBe('401 token_audience_mismatch');
    }
    for (const aud of ['https://me', ['https://other', 'https://me2']]) {
      remote.says = { body: { active: true, sub: 'alice', aud } };
      expect(await authenticator.verify('t')).toMatchObject({ subject: 'alice' });
    }
  });

  it('the times of an answer are judged, with the clockSkew of the options', async () => {
    const remote = await endpoint();
    const authenticator = introspecting(remote.url, { clockSkew: '5s' });
    for (const [times, expected] of [
      [{ exp: NOW - 4 }, 'accepted'],
      [{ exp: NOW - 5 }, '401 token_expired'],
      [{ exp: 0 }, '401 token_expired'],
      [{ nbf: NOW + 5 }, 'accepted'],
      [{ nbf: NOW + 6 }, '401 token_not_yet_valid'],
      [{ iat: NOW + 6 }, '401 token_not_yet_valid'],
      [{ exp: String(NOW + 60) }, '401 token_claims_invalid'],
      [{ exp: null }, '401 token_claims_invalid'],
      [{ exp: (NOW + 60) * 1000 }, '401 token_claims_invalid'],
      [{ nbf: true }, '401 token_claims_invalid'],
      [{}, 'accepted'],
    ] as const) {
      remote.says = { body: { active: true, sub: 'alice', ...times } };
      expect(await ask(authenticator), JSON.stringify(times)).toBe(expected);
    }
  });

  it('the secret is read from the store each time: a new one is used at once', async () => {
    const remote = await endpoint({ body: { active: true, sub: 'alice' } });
    const store = createMemoryStore({ idp: { 'client-secret': 'old' } });
    const authenticator = introspecting(remote.url, { secrets: store });
    await authenticator.verify('t');
    store.set(SECRET_KEY, 'new');
    await authenticator.verify('t');
    expect(remote.asked.map(({ headers }) => headers.authorization)).toEqual(
      ['me:old', 'me:new'].map((pair) => `Basic ${Buffer.from(pair).toString('base64')}`),
    );
  });

  it.each<[title: string, read: SecretStore['read']]>([
    ['missing', async () => undefined],
    ['empty', async () => new Uint8Array()],
    ['no bytes', async () => 'hunter2' as never],
    ['refused', () => Promise.reject(new Error('vault is sealed'))],
    ['in a store that throws', throwing('vault is gone')],
    ['too long', async () => new Uint8Array(1024 * 1024)],
  ])('a secret that is %s: 503, and the endpoint is not asked', async (_, read) => {
    const remote = await endpoint();
    const authenticator = introspecting(remote.url, { secrets: { description: 'test', read } });
    expect(await ask(authenticator)).toBe(UNAVAILABLE);
    expect(remote.asked).toHaveLength(0);
    expect(authenticator.report().remote).toMatchObject({ failures: 1 });
  });

  it('R17: a store that hangs is waited for no longer than the timeout', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const remote = await endpoint();
    const reading = Promise.withResolvers<void>();
    const store: SecretStore = {
      description: 'test',
      read: () => {
        reading.resolve();
        return new Promise(() => {});
      },
    };
    let verdict: string | undefined;
    const done = ask(introspecting(remote.url, { secrets: store })).then((code) => {
      verdict = code;
    });
    await reading.promise;
    vi.advanceTimersByTime(2_000);
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    const afterTimeout = verdict;
    vi.advanceTimersByTime(3_000);
    await done;
    expect(verdict).toBe(UNAVAILABLE);
    expect(afterTimeout).toBe(UNAVAILABLE);
  });

  it('R17: a slow store and a slow endpoint have one timeout together', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const reading = Promise.withResolvers<Uint8Array>();
    const read = vi.fn(() => reading.promise);
    const asked = Promise.withResolvers<void>();
    const remote = await endpoint(() => {
      asked.resolve();
      return new Promise(() => {});
    });
    let verdict: string | undefined;
    const done = ask(introspecting(remote.url, { secrets: { description: 'test', read } })).then((code) => {
      verdict = code;
    });
    await vi.waitFor(() => expect(read).toHaveBeenCalled());
    vi.advanceTimersByTime(1_900);
    reading.resolve(Buffer.from('s3cret'));
    await asked.promise;
    vi.advanceTimersByTime(100);
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    expect(verdict).toBe(UNAVAILABLE);
    await done;
  });

  it('R17: at most 256 questions wait for a store that hangs', async () => {
    const remote = await endpoint();
    let reads = 0;
    const store: SecretStore = {
      description: 'test',
      read: () => {
        reads++;
        return new Promise(() => {});
      },
    };
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const authenticator = introspecting(remote.url, { secrets: store });
    const verdicts = Array.from({ length: 1_000 }, (_, index) => ask(authenticator, `t${index}`));
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    vi.advanceTimersByTime(5_000);
    expect(new Set(await Promise.all(verdicts))).toEqual(new Set([UNAVAILABLE]));
    expect(reads).toBeLessThanOrEqual(256);
  });
});
