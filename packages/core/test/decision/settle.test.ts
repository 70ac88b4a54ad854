// What adapters call: at once for a token that was seen before, and never for one that would be refused.
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuthenticateOverrides } from '../../src/decision/access.ts';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import { settle } from '../../src/decision/settle.ts';

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

/** What `take` was called with before `settle` returned, and what it returned. */
function ask(request: ReturnType<typeof requestOf>, overrides?: AuthenticateOverrides) {
  const taken: unknown[] = [];
  const given = settle(
    () => authenticator.authenticate(request, overrides),
    () => {},
    (principal) => {
      taken.push(principal?.subject);
      return 'taken';
    },
  );
  return { taken: [...taken], given };
}

describe('settle', () => {
  it.each([
    ['as usual', () => `Bearer ${token}`],
    ['in another spelling', () => `bearer   ${token}`],
  ])('a token that was seen before, %s: at once', (_name, authorization) => {
    expect(ask(requestOf(authorization()))).toEqual({ taken: ['alice'], given: 'taken' });
  });

  it('a token that was not: later', async () => {
    const { taken, given } = ask(requestOf(`Bearer ${await issuer.mint()}`));
    expect(taken).toEqual([]);
    expect(await given).toBe('taken');
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
      const good = () => authenticator.authenticate(requestOf(`Bearer ${token}`));
      const hide = () => {};
      const take = () => 'taken';
      expect(() => settle(fail, hide, take)).toThrow(Error);
      expect(() => settle(good, fail, take)).toThrow(Error);
      expect(() => settle(good, hide, fail)).toThrow(Error);
      await expect(settle(() => Promise.reject(thrown), hide, take)).rejects.toThrow(Error);
      await expect(settle(async () => 'given', hide, fail)).rejects.toThrow(Error);
    },
  );
});
