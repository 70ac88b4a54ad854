// Explanations with remote endpoints, the system subject, groups and several keysets, and what an
// explanation costs.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { type AuthenticatorOptions, createMemoryStore, type KeysetOptions } from '../../src/index.ts';
import { startIssuer } from '../support/authenticators.ts';
import { listen } from '../support/servers.ts';
import {
  type Answer,
  agreed,
  bearer,
  decide,
  decides,
  down,
  endpoint,
  firstCode,
  flat,
  forEveryIssuer,
  forged,
  inline,
  key,
  now,
  rsa,
  start,
  stranger,
  tokenOf,
} from './explaining.ts';

describe('remote endpoints', () => {
  const answers: readonly [title: string, answer: Answer][] = [
    ['accepts', { status: 200, body: { sub: 'alice' } }],
    ['accepts for another audience', { status: 200, body: { sub: 'alice', aud: 'you' } }],
    ['accepts what is expired', { status: 200, body: { sub: 'alice', exp: 1 } }],
    ['refuses', { status: 401 }],
    ['is down', { status: 503 }],
    ['is odd', { status: 200, body: {} }],
  ];
  const next = ['deny', 'next'] as const;

  it.each(answers)('alone, it %s', async (_, answer) => {
    const url = await endpoint(answer);
    const authenticator = start({ keySets: [], remote: { url } });
    await agreed(authenticator, 'opaque');
    await agreed(authenticator, await tokenOf());
    await agreed(authenticator, 'no bearer token');
    await agreed(authenticator, bearer('opaque'), { sub: 'alice' });
    await agreed(authenticator, bearer('opaque'), { sub: 'bob' });
  });

  it.each(answers)('before keysets, it %s: as decided', async (_, answer) => {
    const url = await endpoint(answer);
    const tokens = ['opaque', await tokenOf(), await tokenOf({ exp: 1 }), await tokenOf({}, stranger)];
    for (const onReject of next)
      for (const onError of next)
        for (const token of tokens) {
          const authenticator = start({ remote: { url, onReject, onError } });
          const before = await decide(authenticator, token, undefined);
          const explanation = await authenticator.explain(token);
          const { allowed, status, code } = explanation;
          expect({ allowed, status, code }).toEqual(before);
          if (code !== 'remote_unavailable') expect(firstCode(explanation)).toBe(code);
        }
  });

  it('the claims of an answer are judged', async () => {
    const url = await endpoint({ status: 200, body: { sub: 'bob', tenant: 'x' } });
    const authenticator = start({ remote: decides(url) });
    const { verified, checks } = await authenticator.explain(await tokenOf({ tenant: 'y' }), { tenant: 'x' });
    expect(verified).toBe(true);
    expect(checks.at(-1)).toMatchObject({ about: 'tenant', outcome: 'passed', actual: '"x"' });
    // The keysets are not asked, so they are not explained.
    expect(checks.some(({ check }) => check === 'keys' || check === 'form')).toBe(false);
  });

  it('down, and the keysets refuse', async () => {
    const url = await endpoint({ status: 503 });
    await agreed(start({ remote: { url, onReject: 'next', onError: 'next' } }), 'opaque');
  });

  it('of an issuer that is not welcome', async () => {
    const url = await endpoint({ status: 200, body: { sub: 'alice', iss: 'other' } });
    await agreed(start({ keySets: [], issuers: ['i'], remote: { url } }), 'opaque');
  });
});

describe('the system', () => {
  const options = (more: Partial<AuthenticatorOptions> = {}): Partial<AuthenticatorOptions> => ({
    systemSubject: 'okera',
    keySets: [inline(key, { system: true }), inline(stranger, { issuer: 'users' })],
    ...more,
  });

  it('by its own key, and by another', async () => {
    const authenticator = start(options());
    expect((await agreed(authenticator, await tokenOf({ sub: 'okera' }))).allowed).toBe(true);
    expect((await agreed(authenticator, await tokenOf({ sub: 'okera', iss: 'users' }, stranger))).code).toBe(
      'token_claims_invalid',
    );
    expect((await agreed(authenticator, await tokenOf({ iss: 'users' }, stranger))).allowed).toBe(true);
  });

  it('by an endpoint with `system`, and by one without it and its own key', async () => {
    const url = await endpoint({ status: 200, body: { sub: 'okera' } });
    const one = start(options({ remote: { ...decides(url), system: true } }));
    expect((await agreed(one, 'opaque')).allowed).toBe(true);
    const two = start(options({ remote: decides(url) }));
    expect((await agreed(two, await tokenOf({ sub: 'okera' }))).allowed).toBe(true);
  });

  it('by an endpoint without `system`, without its key', async () => {
    const url = await endpoint({ status: 200, body: { sub: 'okera' } });
    await agreed(start(options({ remote: decides(url) })), 'opaque');
  });

  it('by an endpoint without `system`, while its keys are down: unverified', async () => {
    const url = await endpoint({ status: 200, body: { sub: 'okera' } });
    const authenticator = start({ systemSubject: 'okera', keySets: [down], remote: decides(url) });
    const explanation = await agreed(authenticator, await tokenOf({ sub: 'okera' }));
    expect(explanation).toMatchObject({ code: 'keyset_unavailable', verified: false });
  });

  it('by an endpoint without `system`, with a token without exp', async () => {
    const url = await endpoint({ status: 200, body: { sub: 'okera' } });
    const authenticator = start(options({ remote: decides(url) }));
    await agreed(authenticator, await tokenOf({ sub: 'okera', exp: undefined }));
  });
});

describe('groups', () => {
  type Resolve = () => Promise<readonly string[] | undefined>;
  const directory = (resolve: Resolve) => ({ description: 'test', resolve });

  it('that are found, and that are unavailable', async () => {
    const token = await tokenOf({ groups: ['claimed'] });
    const order = ['directory'] as const;
    const found = start({ groups: { order, directory: directory(async () => ['ops']) } });
    const explanation = await agreed(found, token, { groups: ['ops'] });
    expect(explanation.checks).toContainEqual({
      check: 'groups',
      about: 'directory',
      outcome: 'passed',
      actual: '["ops"]',
    });
    expect((await agreed(found, token, { groups: ['claimed'] })).code).toBe('claims_insufficient');
    const down = start({ groups: { order, directory: directory(() => Promise.reject(new Error('down'))) } });
    expect((await agreed(down, token)).code).toBe('groups_unavailable');
    expect((await agreed(down, await tokenOf({ exp: 1 }))).code).toBe('token_expired');
  });

  it('of an unknown subject', async () => {
    const groups = {
      order: ['directory'],
      directory: directory(async () => undefined),
      onUnknown: 'deny',
    } as const;
    await agreed(start({ groups }), await tokenOf());
  });

  it('that are not a list', async () => {
    await agreed(start({ groups: { claim: 'groups' } }), await tokenOf({ groups: 'ops' }));
  });
});

describe('keys', () => {
  it('of the deprecated list', async () => {
    const secret = randomBytes(32);
    const authenticator = start({
      keySets: [],
      keys: [{ keyId: 'old', algorithm: 'HS256', issuer: 'legacy', secret: { name: 's' } }],
      secrets: createMemoryStore({ s: { 'secret.key': secret } }),
    });
    const sign = (kid: string, by: Uint8Array) =>
      new SignJWT({ iss: 'legacy', aud: 'me', exp: now() + 60 })
        .setProtectedHeader({ alg: 'HS256', kid })
        .sign(by);
    expect((await agreed(authenticator, await sign('old', secret))).allowed).toBe(true);
    await agreed(authenticator, await sign('old', randomBytes(32)));
    await agreed(authenticator, await sign('new', secret));
    await agreed(authenticator, await tokenOf({ iss: 'legacy' }));
    await agreed(authenticator, await tokenOf());
  });

  it('why each keyset does not decide', async () => {
    const keySets = [
      inline(rsa, { issuer: 'other' }),
      inline(rsa, { allowedAlgorithms: ['RS256'] }),
      inline(key),
      inline(stranger),
      forEveryIssuer(key),
    ];
    const { checks } = await agreed(start({ keySets }), await tokenOf());
    expect(checks.find(({ check }) => check === 'keys')?.checks).toMatchObject([
      { about: 'keySets[0]', outcome: 'skipped', detail: 'is only for tokens of "other"' },
      { about: 'keySets[1]', outcome: 'skipped', detail: 'its allowedAlgorithms are RS256' },
      { about: 'keySets[2]', outcome: 'passed', checks: [{ about: 'key one', outcome: 'passed' }] },
      { about: 'keySets[3]', outcome: 'skipped', detail: 'is not asked: an earlier keyset has decided' },
      {
        about: 'keySets[4]',
        outcome: 'skipped',
        detail: 'is only for tokens whose iss no other keyset names',
      },
    ]);
    const missing = start({ keySets: [inline(key), forEveryIssuer(rsa)] });
    const without = await agreed(missing, await tokenOf({ iss: undefined }));
    expect(flat(without.checks)).toContainEqual(
      expect.objectContaining({
        about: 'keySets[0]',
        outcome: 'skipped',
        detail: 'is only for tokens of "i"',
      }),
    );
    const odd = forged({ alg: 'XX1', kid: 'one' });
    expect(flat((await agreed(missing, odd)).checks)).toContainEqual(
      expect.objectContaining({
        about: 'keySets[0]',
        detail: 'is not asked: the algorithm is not supported',
      }),
    );
  });

  it('of which one is down, and the token is of another', async () => {
    const authenticator = start({ keySets: [down, inline(key)] });
    expect((await agreed(authenticator, await tokenOf())).allowed).toBe(true);
    expect((await agreed(authenticator, await tokenOf({}, stranger))).code).toBe('keyset_unavailable');
    expect((await agreed(authenticator, await tokenOf({}, stranger, { kid: 'one' }))).code).toBe(
      'keyset_unavailable',
    );
  });

  it('of which one is down, and a token without a kid', async () => {
    await agreed(start({ keySets: [down, inline(key)] }), await tokenOf({}, stranger, { kid: undefined }));
  });

  it('are fetched as for any request, and no more often', async () => {
    const issuer = await startIssuer({ audience: 'me' });
    const authenticator = start({
      keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
    });
    const token = await issuer.mint();
    await agreed(authenticator, token);
    expect(issuer.requests.jwks).toBe(1);
    await issuer.rotate({ keepOld: true });
    expect((await authenticator.explain(await issuer.mint())).allowed).toBe(true);
    expect(issuer.requests.jwks).toBe(2);
    for (let time = 0; time < 5; time++)
      await authenticator.explain(await issuer.mint({}, { kid: `k${time}` }));
    expect(issuer.requests.jwks).toBe(2);
  });

  it('an explanation does not change later decisions', async () => {
    const [one, two] = [await startIssuer({ audience: 'me' }), await startIssuer({ audience: 'me' })];
    const of = ({ jwksUrl }: typeof one): KeysetOptions => ({ issuer: 'shared', jwksUrl, allowHttp: true });
    const authenticator = start({ keySets: [of(one), of(two)] });
    await authenticator.ready();
    expect((await authenticator.explain(await two.mint({ iss: 'shared' }))).allowed).toBe(true);
    await one.rotate();
    expect((await decide(authenticator, await one.mint({ iss: 'shared' }), undefined)).code).toBeUndefined();
  });
});

describe('the cost of an explanation', () => {
  it('a remote endpoint is asked once, and its answer is explained', async () => {
    let calls = 0;
    const counting = createServer((_, response) => {
      calls++;
      response.writeHead(200, { 'content-type': 'application/json' }).end(`{"sub":"alice-${calls}"}`);
    });
    const port = await listen(counting);
    const authenticator = start({ keySets: [], remote: { url: `http://127.0.0.1:${port}/` } });
    const { allowed, checks } = await authenticator.explain('opaque', { sub: 'alice-1' });
    expect(allowed).toBe(true);
    expect(checks.at(-1)).toMatchObject({ about: 'sub', actual: '"alice-1"', outcome: 'passed' });
    expect(calls).toBe(1);
  });

  it('groups are resolved once', async () => {
    let calls = 0;
    const resolve = async () => [`ops-${++calls}`];
    const directory = { description: 'test', resolve };
    const authenticator = start({ groups: { order: ['directory'], directory, cacheFor: '0s' } });
    const { allowed } = await authenticator.explain(await tokenOf(), { groups: ['ops-1'] });
    expect([allowed, calls]).toEqual([true, 1]);
  });
});
