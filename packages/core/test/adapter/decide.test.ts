// What adapters call: at once for a token that was seen before, and never for one that is refused.
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decide, prepareAuthentication, whenDecided } from '../../src/adapter/decide.ts';
import { compileAccess, type RouteAccess } from '../../src/decision/access.ts';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import { requireAll, requireAny } from '../../src/decision/combine.ts';
import type { Principal } from '../../src/decision/principal.ts';
import { ConfigError } from '../../src/errors.ts';
import { given } from '../support/defined.ts';

let issuer: TestIssuer;
let authenticator: Authenticator;
let token: string;

beforeAll(async () => {
  issuer = await createIssuer();
  const { issuer: name, jwksUrl, audience } = issuer;
  authenticator = createAuthenticator({ keySets: [{ issuer: name, jwksUrl, allowHttp: true }], audience });
  token = await issuer.mint({ sub: 'alice' });
  // Kept from the second time on.
  for (let time = 0; time < 2; time++) await authenticator.authenticate(requestOf(`Bearer ${token}`));
});

afterAll(() => Promise.all([authenticator.close(), issuer.close()]));

function requestOf(authorization: string, rawHeaders = ['Authorization', authorization]) {
  return { method: 'GET', url: '/', headers: { authorization }, rawHeaders };
}

/** What `take` was called with before `whenDecided` returned, and what it gave. */
function ask(request: ReturnType<typeof requestOf>, access?: RouteAccess) {
  const taken: unknown[] = [];
  const take = (principal: Principal | undefined) => {
    taken.push(principal?.subject);
    return 'taken';
  };
  // A refusal may be there at once too; it is thrown then.
  let answer: Promise<string>;
  try {
    answer = Promise.resolve(whenDecided(authenticator.decide(request, ...given(access)), take));
  } catch (error) {
    answer = Promise.reject(error);
  }
  return { taken: [...taken], given: answer };
}

describe('toAuthenticator', () => {
  it('options that have a kind, by mistake, are refused at once', () => {
    const options = { kind: 'authenticator', keySets: [{ jwks: { keys: [] } }], audience: null };
    expect(() => prepareAuthentication(options as never)).toThrow(ConfigError);
    expect(() => prepareAuthentication({ kind: 'combined', decide: 'text' } as never)).toThrow(ConfigError);
  });
});

describe('decide', () => {
  it('a rejection that is not waited for does not end the process', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    const broken = { decide: () => Promise.reject(new Error('broken')), conceal: () => undefined };
    void decide(broken, requestOf(''), compileAccess({}));
    // Node reports a rejection that nothing handles after the microtasks of this turn.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it.each([{}, { ok: 'true' }, { ok: 1, principal: {} }, 'ok', undefined])(
    'T-098: %j is not a decision, and lets no request pass',
    async (given) => {
      const wrong = { decide: () => given as never, conceal: () => undefined };
      const taken: unknown[] = [];
      const ask = async () =>
        whenDecided(await decide(wrong, requestOf(''), compileAccess({})), (auth) => taken.push(auth));
      await expect(ask()).rejects.toThrow(Error);
      expect(taken).toEqual([]);
      const both = requireAll({ wrong: { ...authenticator, ...wrong } });
      const either = requireAny({ wrong: { ...authenticator, ...wrong } });
      for (const combined of [both, either])
        await expect(combined.authenticate(requestOf(''))).rejects.toThrow(Error);
    },
  );
});

describe('whenDecided', () => {
  it.each([
    ['as usual', () => `Bearer ${token}`],
    ['in another spelling', () => `bearer   ${token}`],
  ])('a token that was seen before, %s: at once', async (_name, authorization) => {
    const { taken, given } = ask(requestOf(authorization()));
    expect(taken).toEqual(['alice']);
    expect(await given).toBe('taken');
  });

  it('a token that was not: at once too, where its keys are at hand', async () => {
    const { taken, given } = ask(requestOf(`Bearer ${await issuer.mint({ sub: 'bob' })}`));
    expect(taken).toEqual(['bob']);
    expect(await given).toBe('taken');
  });

  it('a token whose keys have to be fetched: later', async () => {
    const { issuer: name, jwksUrl, audience } = issuer;
    const keySets = [{ issuer: name, jwksUrl, allowHttp: true }];
    const fresh = createAuthenticator({ keySets, audience });
    const decision = fresh.decide(requestOf(`Bearer ${token}`));
    expect(decision).toBeInstanceOf(Promise);
    expect(await whenDecided(decision, (principal) => principal?.subject)).toBe('alice');
    await fresh.close();
  });

  it.each([
    [
      'twice',
      () => requestOf(`Bearer ${token}`, ['Authorization', 'x', 'authorization', 'x']),
      'credentials_ambiguous',
    ],
    ['with more behind it', () => requestOf(`Bearer ${token} x`), 'credentials_malformed'],
    ['behind a tab', () => requestOf(`Bearer\t${token}`), 'credentials_malformed'],
    ['of another scheme', () => requestOf(`Bearerx ${token}`), 'credentials_missing'],
  ] as const)('a token that was seen before, %s: refused', async (_name, request, code) => {
    const { taken, given } = ask(request());
    expect(taken).toEqual([]);
    await expect(given).rejects.toMatchObject({ code });
  });

  it('an issuer that is welcome: at once; one that is not: refused', async () => {
    const request = requestOf(`Bearer ${token}`);
    expect(ask(request, { issuers: [issuer.issuer] }).taken).toEqual(['alice']);
    const { taken, given } = ask(request, { issuers: ['https://elsewhere.example.com'] });
    expect(taken).toEqual([]);
    await expect(given).rejects.toMatchObject({ code: 'token_issuer_untrusted' });
  });

  it.each([undefined, null, '', 'route', 0])(
    '%o that is thrown or rejected with becomes an Error',
    async (thrown) => {
      const fail = () => {
        throw thrown;
      };
      const good = () => authenticator.decide(requestOf(`Bearer ${token}`));
      const take = () => 'taken';
      const broken = { decide: fail, conceal: () => undefined };
      await expect(decide(broken, requestOf(''), compileAccess({}))).rejects.toThrow(Error);
      expect(() => whenDecided(good(), fail)).toThrow(Error);
      await expect(whenDecided(Promise.reject(thrown), take)).rejects.toThrow(Error);
      await expect(whenDecided(Promise.resolve(good()), fail)).rejects.toThrow(Error);
    },
  );
});
