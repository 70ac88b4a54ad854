// A kept token is judged as if it came for the first time: by the rules, issuers, mode and place of
// this request, by the groups of now, and by the remote endpoint.
import './counted.ts';
import { createServer } from 'node:http';
import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import {
  type AuthenticatorOptions,
  authorize,
  ConfigError,
  type GroupResolver,
  type GroupsOptions,
  refusalOf,
} from '../../src/index.ts';
import { requestWith } from '../support/authenticators.ts';
import { defined } from '../support/defined.ts';
import { listen } from '../support/servers.ts';
import { work } from './counted.ts';
import { answerOf, ask, askByRequest, build, clock, outcome, publish, serve } from './kept.ts';
import { ISSUER, jwk, NOW, REF, SOON, setOf, sign, two } from './mac-tokens.ts';

describe('T-143: a verdict is not kept', () => {
  it('T-143: of rules', async () => {
    const authenticator = build();
    const token = sign({ dept: 'IT', scope: 'read' });
    const seen: string[] = [];
    for (let round = 0; round < 3; round++)
      for (const rules of [{ dept: 'IT' }, { dept: 'HR' }, { scope: ['write'] }])
        seen.push(await answerOf(() => authenticator.verify(token, rules)));
    const later = ['kept', 'claims_insufficient', 'scope_insufficient'];
    expect(seen).toEqual(['verified', ...later.slice(1), ...later, ...later]);
  });

  it('T-143: of rules that fail first', async () => {
    const authenticator = build();
    const token = sign({ dept: 'IT' });
    expect(await outcome(authenticator.verify(token, { dept: 'HR' }))).toBe('claims_insufficient');
    expect(await answerOf(() => authenticator.verify(token, { dept: 'IT' }))).toBe('kept');
  });

  it('T-143: of issuers that a route welcomes', async () => {
    const authenticator = build();
    const token = sign();
    const seen: string[] = [];
    for (const issuers of [undefined, ['https://other.example'], [ISSUER], [/^https:\/\/other\./], undefined])
      seen.push(await answerOf(() => authenticator.authenticate(requestWith(token), defined({ issuers }))));
    const refused = 'token_issuer_untrusted';
    expect(seen).toEqual(['verified', refused, 'kept', refused, 'kept']);
  });

  it('T-143: of modes', async () => {
    const authenticator = build({ mode: 'permissive' });
    const modes = ['permissive', 'strict', 'optional', undefined] as const;
    const inEachMode = async (token: string | undefined) => {
      const decisions = modes.map((mode) =>
        outcome(authenticator.authenticate(requestWith(token), defined({ mode }))),
      );
      return (await Promise.all(decisions)).join(' ');
    };
    const invalid = 'token_signature_invalid';
    for (let round = 0; round < 2; round++) {
      expect(await inEachMode(sign())).toBe('accepted accepted accepted accepted');
      expect(await inEachMode(sign({}, {}, two))).toBe(`anonymous ${invalid} ${invalid} anonymous`);
      expect(await inEachMode(undefined)).toBe('anonymous credentials_missing anonymous anonymous');
    }
  });

  it('T-143: of issuers, in each mode, with the realm in the refusal', async () => {
    const authenticator = build({ realm: 'friends' });
    const token = sign();
    expect(await ask(authenticator, token)).toBe('verified');
    const request = requestWith(token);
    const issuers = ['https://other.example'];
    const refusal = {
      code: 'token_issuer_untrusted',
      headers: { 'WWW-Authenticate': expect.stringContaining('realm="friends"') },
    };
    expect(await authenticator.authenticate(request, { issuers, mode: 'permissive' })).toBeUndefined();
    expect(refusalOf(request)).toMatchObject(refusal);
    await expect(authenticator.authenticate(request, { issuers })).rejects.toMatchObject(refusal);
    expect(await answerOf(() => authenticator.authenticate(request))).toBe('kept');
    expect(refusalOf(request)).toBeUndefined();
  });

  it('T-143: of realms, and a principal keeps the realm of its authenticator', async () => {
    const token = sign({ dept: 'IT' });
    const services = ['one', 'two'].map((realm) => ({ realm, authenticator: build({ realm }) }));
    for (let round = 0; round < 3; round++) {
      for (const { realm, authenticator } of services) {
        const challenge = { 'WWW-Authenticate': expect.stringContaining(`realm="${realm}"`) };
        const headers: unknown = expect.objectContaining(challenge);
        const principal = await authenticator.verify(token);
        expect(() => authorize(principal, { dept: 'HR' })).toThrow(expect.objectContaining({ headers }));
        await expect(authenticator.verify(token, { dept: 'HR' })).rejects.toMatchObject({ headers });
      }
    }
  });

  it('T-143: wrong overrides are a ConfigError for a kept token too', async () => {
    const authenticator = build();
    const token = sign();
    await authenticator.verify(token);
    for (const decision of [
      authenticator.authenticate(requestWith(token), { mode: 'none' } as never),
      authenticator.verify(token, { dept: { typo: 1 } } as never),
    ])
      await expect(decision).rejects.toBeInstanceOf(ConfigError);
  });

  it.each([
    ['two headers', {}, 2, 'credentials_ambiguous'],
    ['a cookie of another origin', { 'sec-fetch-site': 'cross-site' }, 0, 'origin_refused'],
  ])('a kept token in the wrong place is refused: %s', async (_, more, times, expected) => {
    const authenticator = build({ tokenFrom: [{ header: 'Authorization' }, { cookie: 't' }] });
    const token = sign();
    await authenticator.verify(token);
    const authorization = `Bearer ${token}`;
    const request = {
      method: 'POST',
      headers: { ...more, ...(times === 0 ? { cookie: `t=${token}` } : { authorization }) },
      rawHeaders: Array(times).fill(['Authorization', authorization]).flat(),
    };
    expect(await outcome(authenticator.authenticate(request))).toBe(expected);
    expect(await outcome(authenticator.authenticate(request, { mode: 'permissive' }))).toBe('anonymous');
    expect(refusalOf(request)?.code).toBe(expected);
  });

  it('D9: refusalOf forgets a refusal when the same request has a kept token', async () => {
    const authenticator = build({ mode: 'permissive' });
    const token = sign();
    await authenticator.verify(token);
    const headers = { authorization: 'Bearer a.b.c' };
    const request = { method: 'GET', headers, rawHeaders: [] };
    expect(await authenticator.authenticate(request)).toBeUndefined();
    expect(refusalOf(request)?.code).toBe('token_malformed');
    headers.authorization = `Bearer ${token}`;
    expect(await answerOf(() => authenticator.authenticate(request))).toBe('kept');
    expect(refusalOf(request)).toBeUndefined();
  });

  it('the rules for every token hold for a kept token', async () => {
    const authenticator = build({ claims: { dept: 'IT' } });
    const [good, bad] = [sign({ dept: 'IT' }), sign({ dept: 'HR' })];
    const invalid = 'token_claims_invalid';
    expect(await ask(authenticator, good, bad, good, bad)).toBe(`verified ${invalid} kept ${invalid}`);
  });

  // A schema is code of the application: it may look up what was revoked.
  it.each([undefined, false] as const)(
    'T-143: a schema for every token is asked again: cache %s',
    async (cache) => {
      const revoked = new Set<string>();
      const claims = z.object({ jti: z.string().refine((jti) => !revoked.has(jti)) });
      const { authenticator } = serve(undefined, defined({ claims, cache }));
      const token = sign({ jti: 'a' });
      expect(await outcome(authenticator.verify(token))).toBe('accepted');
      revoked.add('a');
      expect(await outcome(authenticator.verify(token))).toBe('token_claims_invalid');
    },
  );
});

describe('groups', () => {
  interface Directory extends GroupResolver {
    readonly asked: string[];
    answer: readonly string[] | undefined | Error;
  }

  function directory(answer: Directory['answer']): Directory {
    const made: Directory = {
      description: 'directory',
      asked: [],
      answer,
      async resolve({ subject }) {
        made.asked.push(subject);
        if (made.answer instanceof Error) throw made.answer;
        return made.answer;
      },
    };
    return made;
  }

  /** An authenticator that asks the directory each time, unless the options say otherwise. */
  const withDirectory = (
    source: GroupResolver,
    groups: Omit<GroupsOptions, 'directory'> = {},
    options: Partial<AuthenticatorOptions> = {},
  ) => serve(undefined, { groups: { directory: source, cacheFor: '0s', ...groups }, ...options });

  it('of the claim alone: the same principal', async () => {
    const authenticator = build({ groups: { claim: 'roles', reserved: ['root'] } });
    const token = sign({ roles: ['a', 'root'], groups: ['forged'] });
    const first = await authenticator.verify(token);
    expect(first.groups).toEqual(['a']);
    expect(await authenticator.verify(token)).toBe(first);
    expect(await ask(authenticator, token)).toBe('kept');
    expect(await outcome(authenticator.verify(token, { groups: ['forged'] }))).toBe('claims_insufficient');
  });

  it('of a directory: the principal is made anew, and the token is not verified', async () => {
    const source = directory(['a']);
    const { authenticator } = withDirectory(source);
    const token = sign({ deep: { list: [1] } });
    expect(await ask(authenticator, token)).toBe('verified');
    const first = await authenticator.verify(token);
    source.answer = ['b'];
    expect(await askByRequest(authenticator, token)).toBe('kept');
    const second = await authenticator.verify(token);
    expect([first.groups, second.groups]).toEqual([['a'], ['b']]);
    expect([first.claims.groups, second.claims.groups]).toEqual([['a'], ['b']]);
    expect(Object.isFrozen(second.claims) && Object.isFrozen(second.groups)).toBe(true);
    expect(source.asked).toHaveLength(4);
    expect(await outcome(authenticator.verify(token, { groups: ['a'] }))).toBe('claims_insufficient');
  });

  it('a group that is taken away is gone after cacheFor', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let nowMs = Math.round(performance.now());
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    const pass = (ms: number) => {
      nowMs += ms;
      vi.advanceTimersByTime(ms);
    };
    const source = directory(['a', 'admin']);
    const { authenticator } = withDirectory(source, { cacheFor: '30s' });
    const token = sign();
    const asks = () => answerOf(() => authenticator.verify(token, { groups: ['admin'] }));
    expect(await asks()).toBe('verified');
    source.answer = ['a'];
    pass(29_999);
    expect(await asks()).toBe('kept');
    pass(2);
    expect(await asks()).toBe('claims_insufficient');
    expect(source.asked).toHaveLength(2);
  });

  it('T-114: a directory that fails is a 503 for a kept token too, in every mode', async () => {
    const source = directory(['a']);
    const { authenticator } = withDirectory(source);
    const token = sign();
    expect(await ask(authenticator, token)).toBe('verified');
    source.answer = new Error('down');
    for (const mode of ['strict', 'optional', 'permissive'] as const) {
      const request = requestWith(token);
      const failure = { code: 'groups_unavailable', status: 503 };
      await expect(authenticator.authenticate(request, { mode })).rejects.toMatchObject(failure);
      expect(refusalOf(request)).toBeUndefined();
    }
    source.answer = ['a'];
    expect(await ask(authenticator, token)).toBe('kept');
  });

  it('T-147: a directory that fails when the token comes first: the token is not kept', async () => {
    const source = directory(new Error('down'));
    const { authenticator } = withDirectory(source);
    const token = sign();
    expect(await ask(authenticator, token, token)).toBe('groups_unavailable groups_unavailable');
    source.answer = ['a'];
    expect(await ask(authenticator, token, token)).toBe('verified kept');
  });

  it("onUnknown: 'deny' refuses a kept token with the realm; permissive lets it pass without a principal", async () => {
    const source = directory(['a']);
    const { authenticator } = withDirectory(source, { onUnknown: 'deny' }, { realm: 'friends' });
    const token = sign();
    expect(await ask(authenticator, token)).toBe('verified');
    source.answer = undefined;
    const challenge = expect.stringMatching(/^Bearer realm="friends", error="invalid_token"/);
    const refusal = { code: 'token_rejected', status: 401, headers: { 'WWW-Authenticate': challenge } };
    await expect(authenticator.verify(token)).rejects.toMatchObject(refusal);
    await expect(authenticator.authenticate(requestWith(token))).rejects.toMatchObject(refusal);
    const request = requestWith(token);
    const permissive = () => authenticator.authenticate(request, { mode: 'permissive' });
    expect(await permissive()).toBeUndefined();
    expect(refusalOf(request)).toMatchObject(refusal);
    source.answer = ['a'];
    expect(await permissive()).toMatchObject({ groups: ['a'] });
    expect(refusalOf(request)).toBeUndefined();
  });

  it("onUnknown: 'none' is no groups, for a kept token too", async () => {
    const source = directory(['a']);
    const { authenticator } = withDirectory(source, { onUnknown: 'none' });
    const token = sign();
    await authenticator.verify(token);
    source.answer = undefined;
    expect((await authenticator.verify(token)).groups).toEqual([]);
    expect(await ask(authenticator, token)).toBe('kept');
  });

  it('T-144, T-145: the directory is not asked about a kept token that expires or loses its key', async () => {
    const source = directory(['a']);
    const { authenticator, store } = withDirectory(source);
    const token = sign();
    expect(await ask(authenticator, token, token)).toBe('verified kept');
    clock.set(SOON * 1000 + 5_000);
    expect(await ask(authenticator, token)).toBe('token_expired');
    clock.set(NOW);
    expect(await ask(authenticator, token, token)).toBe('verified kept');
    await publish(store, setOf());
    expect(await ask(authenticator, token)).toBe('token_key_unknown');
    expect(source.asked).toHaveLength(4);
  });

  it('T-145: a key that leaves while the directory is asked', async () => {
    const source = directory(['a']);
    const { authenticator, store } = withDirectory(source);
    const waiting = Promise.withResolvers<readonly string[]>();
    vi.spyOn(source, 'resolve').mockReturnValueOnce(waiting.promise);
    const token = sign();
    const first = outcome(authenticator.verify(token));
    await vi.waitFor(() => expect(source.resolve).toHaveBeenCalled());
    await publish(store, setOf(jwk(two, 'two')));
    waiting.resolve(['a']);
    expect(await first).toBe('accepted');
    expect(await ask(authenticator, token)).toBe('token_key_unknown');
  });

  it('T-162: the same subject of two issuers has the groups of its issuer, kept or not', async () => {
    const issuers = ['https://a.example', 'https://b.example'];
    const resolver: GroupResolver = {
      description: 'directory',
      resolve: async ({ issuer }) => [`of ${issuer}`],
    };
    const keySets = issuers.map((issuer) => ({ issuer, secret: { name: REF.name } }));
    const authenticator = build({ groups: { directory: resolver }, keySets });
    const tokens = issuers.map((iss) => sign({ iss }));
    for (let round = 0; round < 3; round++)
      for (const [index, token] of tokens.entries())
        expect((await authenticator.verify(token)).groups).toEqual([`of ${issuers[index]}`]);
  });
});

describe('remote validation', () => {
  it.each([
    ['alone', 'accepts'],
    ['before the keysets', 'accepts'],
    ['before the keysets, which decide', 'refuses'],
  ] as const)('%s: the endpoint is asked about each token each time', async (_, says) => {
    let asked = 0;
    let status = says === 'accepts' ? 200 : 401;
    const port = await listen(
      createServer((_request, response) => {
        asked++;
        response.writeHead(status, { 'content-type': 'application/json' }).end('{"sub":"alice"}');
      }),
    );
    const onReject = says === 'accepts' ? 'deny' : 'next';
    const remote = { url: `http://127.0.0.1:${port}/`, onReject, onError: 'deny' } as const;
    const authenticator = build({ remote });
    const token = sign();
    const outcomeNow = () => outcome(authenticator.authenticate(requestWith(token)));
    for (let round = 1; round <= 3; round++) {
      const before = work.verified;
      expect(await outcomeNow()).toBe('accepted');
      expect(asked).toBe(round);
      expect(work.verified - before).toBe(says === 'accepts' ? 0 : 1);
    }
    // An earlier answer of the endpoint does not let the token pass.
    status = 500;
    expect(await outcomeNow()).toBe('remote_unavailable');
    status = 401;
    expect(await outcomeNow()).toBe(says === 'accepts' ? 'token_rejected' : 'accepted');
  });
});
