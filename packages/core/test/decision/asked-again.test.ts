// What is asked anew for each request, however often its token has verified; and what an endpoint's
// answer need not have.
import { createServer } from 'node:http';
import { createIssuer, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Authenticator, type AuthenticatorOptions, createAuthenticator } from '../../src/index.ts';
import { outcome } from '../support/outcome.ts';
import { listen } from '../support/servers.ts';

let key: SigningKey;
const closers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  key = await generateSigningKey();
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function build(options: Partial<AuthenticatorOptions>): Authenticator {
  const authenticator = createAuthenticator({
    keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
    audience: null,
    ...options,
  });
  closers.push(authenticator.close);
  return authenticator;
}

const tokenOf = (claims: object = {}) =>
  mint(key, { iss: 'i', sub: 'alice', exp: Math.floor(Date.now() / 1000) + 300, ...claims });

describe('T-143: a token that has verified', () => {
  it('has the groups that the directory says now', async () => {
    let groups: readonly string[] | undefined;
    const directory = { description: 'test', resolve: async () => groups };
    const authenticator = build({ groups: { order: ['directory'], directory, cacheFor: '0s' } });
    const token = await tokenOf();
    for (const name of ['one', 'two', 'three', 'four', 'five']) {
      groups = [name];
      expect((await authenticator.verify(token)).groups).toEqual([name]);
    }
    groups = undefined;
    expect(await outcome(authenticator.verify(token))).toBe('token_rejected');
  });

  it('is judged by the rules for every token again, whose schemas are code of the application', async () => {
    let accepts = true;
    const validate = (value: unknown) => (accepts ? { value } : { issues: [{ message: 'no' }] });
    const schema = { '~standard': { version: 1, vendor: 'test', validate } } as const;
    const authenticator = build({ claims: { sub: schema } });
    const token = await tokenOf();
    for (let time = 0; time < 4; time++) expect(await outcome(authenticator.verify(token))).toBe('accepted');
    accepts = false;
    expect(await outcome(authenticator.verify(token))).toBe('token_claims_invalid');
  });

  it('is explained as it was the first time', async () => {
    const authenticator = build({});
    const token = await tokenOf();
    const first = await authenticator.explain(token);
    for (let time = 0; time < 4; time++) await authenticator.verify(token);
    const checks = (await authenticator.explain(token)).checks.map(({ check, about }) => [check, about]);
    expect(checks.length).toBeGreaterThan(5);
    expect(checks).toEqual(first.checks.map(({ check, about }) => [check, about]));
  });

  it('has the groups of its claim where no directory is asked', async () => {
    const authenticator = build({});
    const token = await tokenOf({ groups: ['ops'] });
    for (let time = 0; time < 4; time++) expect((await authenticator.verify(token)).groups).toEqual(['ops']);
  });
});

describe("S29: an endpoint's answer", () => {
  it.each<[object, string]>([
    [{ sub: 'alice' }, 'token_issuer_untrusted'],
    [{ sub: 'alice', iss: 'i', aud: 'me' }, 'accepted'],
    [{ sub: 'alice', iss: 'i', aud: ['me', 'other'] }, 'accepted'],
    [{ sub: 'alice', aud: 'other' }, 'token_audience_mismatch'],
    [{ sub: 'alice', aud: [] }, 'token_audience_mismatch'],
    [{ sub: 'alice', aud: 'me', exp: 1 }, 'token_expired'],
    [{ sub: 'alice', exp: 1 }, 'token_expired'],
    [{ sub: 'alice', exp: 'soon' }, 'token_claims_invalid'],
    [{ sub: 'alice', iss: 'i' }, 'accepted'],
    [{ sub: 'alice', iss: 'other' }, 'token_issuer_untrusted'],
    [{ sub: 'alice', iss: 5 }, 'token_issuer_untrusted'],
    [{ sub: 'alice', cnf: {} }, 'token_claims_invalid'],
  ])('need not have an end or an audience, and what it has is judged: %j: %s', async (answer, expected) => {
    const server = createServer((_, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(answer));
    });
    const url = `http://127.0.0.1:${await listen(server)}/`;
    const authenticator = build({
      keySets: [],
      audience: 'me',
      issuers: ['i'],
      remote: { url, allowHttp: true },
    });
    expect(await outcome(authenticator.verify('an-opaque-token'))).toBe(expected);
  });
});

describe('S37: the issuers that a route welcomes', () => {
  const access = { issuers: ['j'] };
  const ask = async (token: string | undefined, mode: 'strict' | 'optional' | 'permissive') => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const decision = await build({}).decide({ headers, rawHeaders: [] }, { ...access, mode });
    return decision.ok ? (decision.principal?.subject ?? 'anonymous') : decision.error.code;
  };

  it('are asked about a principal, and about nothing else', async () => {
    const expired = await tokenOf({ exp: 1 });
    expect(await ask(undefined, 'strict')).toBe('credentials_missing');
    expect(await ask(undefined, 'optional')).toBe('anonymous');
    expect(await ask(expired, 'strict')).toBe('token_expired');
    expect(await ask(expired, 'permissive')).toBe('anonymous');
    expect(await ask(await tokenOf(), 'optional')).toBe('token_issuer_untrusted');
    expect(await ask(await tokenOf(), 'permissive')).toBe('anonymous');
  });
});

describe('rules for a token whose keys are not at hand yet', () => {
  it('hold all the same: verify() and decide()', async () => {
    const issuer = await createIssuer();
    closers.push(issuer.close);
    const keySets = [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }];
    const token = await issuer.mint({ sub: 'alice' });
    const headers = { authorization: `Bearer ${token}` };
    for (const [sub, expected] of [
      ['alice', 'accepted'],
      ['bob', 'claims_insufficient'],
    ] as const) {
      expect(await outcome(build({ keySets }).verify(token, { sub }))).toBe(expected);
      const decided = build({ keySets }).authenticate({ headers, rawHeaders: [] }, { claims: { sub } });
      expect(await outcome(decided)).toBe(expected);
    }
  });
});
