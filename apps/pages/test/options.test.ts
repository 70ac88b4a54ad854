// What the option tables of docs/migrate say of Latchkey, where no page runs it.
import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import {
  type AuthenticatorOptions,
  createAuthenticator,
  createMemoryStore,
  fromRequest,
  pattern,
  refusalOf,
} from '@latchkey/core';
import { createIssuer, forge, type TestIssuer } from '@latchkey/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

/** A request of Node. */
function request(authorization: string, others: Readonly<Record<string, string>> = {}) {
  return { method: 'GET', url: '/', headers: { authorization, ...others } };
}

/** Returns what an authenticator with these options says of a request: the subject, or a code. */
async function judge(
  options: AuthenticatorOptions,
  asked: ReturnType<typeof request>,
  ...access: Parameters<ReturnType<typeof createAuthenticator>['authenticate']> extends [unknown, ...infer A]
    ? A
    : never
): Promise<string> {
  const authenticator = createAuthenticator(options);
  try {
    const principal = await authenticator.authenticate(asked, ...access);
    return principal?.subject ?? 'anonymous';
  } catch (error) {
    return (error as { readonly code: string }).code;
  } finally {
    await authenticator.close();
  }
}

it('a pattern takes the place of a regular expression for the audience', async () => {
  const options = { ...issuer.options, audience: null, claims: { aud: pattern('https://api[.].*') } };
  const bearer = async (aud: string | string[]) => request(`Bearer ${await issuer.mint({ aud })}`);
  expect(await judge(options, await bearer('https://api.example.com'))).toBe('alice');
  expect(await judge(options, await bearer(['urn:x', 'https://api.example.com']))).toBe('alice');
  expect(await judge(options, await bearer('https://other.example'))).toBe('token_claims_invalid');
});

it('rules take the place of subject, jwtid and nonce', async () => {
  const asked = request(`Bearer ${await issuer.mint({ jti: '1', nonce: 'n' })}`, { 'x-nonce': 'n' });
  const access = { claims: { nonce: fromRequest('headers.x-nonce') } };
  expect(await judge({ ...issuer.options, claims: { sub: 'alice', jti: '1' } }, asked, access)).toBe('alice');
  expect(await judge({ ...issuer.options, claims: { jti: '2' } }, asked)).toBe('token_claims_invalid');
  const other = { ...asked, headers: { ...asked.headers, 'x-nonce': 'other' } };
  expect(await judge(issuer.options, other, access)).toBe('claims_insufficient');
});

it('optional refuses a bad token, and permissive says why it did not', async () => {
  const optional = { ...issuer.options, mode: 'optional' } as const;
  expect(await judge(optional, request('Bearer opaque'))).toBe('token_malformed');
  expect(await judge(optional, request('Basic YWxpY2U6c2VjcmV0'))).toBe('anonymous');
  const asked = request('Bearer opaque');
  expect(await judge({ ...issuer.options, mode: 'permissive' }, asked)).toBe('anonymous');
  expect(refusalOf(asked)?.code).toBe('token_malformed');
});

it('a token in two places is refused', async () => {
  const options = {
    ...issuer.options,
    tokenFrom: [{ header: 'Authorization' }, { cookie: 'token' }, { query: 'token' }],
  };
  const token = await issuer.mint();
  expect(await judge(options, request(`Bearer ${token}`, { cookie: `token=${token}` }))).toBe(
    'credentials_ambiguous',
  );
  const inCookie = { method: 'GET', url: '/', headers: { cookie: `token=${token}` } };
  expect(await judge(options, inCookie as never)).toBe('alice');
});

it('a shared secret has at least 32 bytes, and two of them may be in force', async () => {
  const [old, current] = ['an-old-secret-with-32-bytes-or-more', 'a-new-secret-with-32-bytes-or-more'];
  const signed = (secret: string) =>
    request(
      `Bearer ${forge({
        header: { alg: 'HS256' },
        payload: { sub: 'alice', aud: 'urn:api', exp: Math.floor(Date.now() / 1000) + 300 },
        signature: (input) => createHmac('sha256', secret).update(input).digest(),
      })}`,
    );
  const options = (entry: string, text: string) => ({
    keySets: [
      {
        secret: { name: 'jwt', key: entry },
        allowedAlgorithms: ['HS256'] as const,
        kidless: 'try-all' as const,
      },
    ],
    secrets: createMemoryStore({ jwt: { [entry]: text } }),
    audience: 'urn:api',
  });
  expect(await judge(options('secret.key', current), signed(current))).toBe('alice');
  expect(await judge(options('secret.key', 'short'), signed('short'))).toBe('keyset_unavailable');
  const keys = [old, current].map((secret) => ({
    kty: 'oct',
    alg: 'HS256',
    k: Buffer.from(secret).toString('base64url'),
  }));
  const both = options('jwks.json', JSON.stringify({ keys }));
  expect(await judge(both, signed(old))).toBe('alice');
  expect(await judge(both, signed(current))).toBe('alice');
  expect(await judge(both, signed('another-secret-with-32-bytes-or-more'))).toBe('token_signature_invalid');
});

it('express-oauth2-jwt-bearer answers 401 where a claim is missing', () => {
  // Its types declare req.auth, as the types of @latchkey/express/augment do.
  const { claimCheck, claimEquals, claimIncludes } = createRequire(import.meta.url)(
    'express-oauth2-jwt-bearer',
  );
  const checks = [claimEquals('a', 1), claimIncludes('b', 'x'), claimCheck(() => false)];
  for (const check of checks) {
    const refused: unknown[] = [];
    const asked = { auth: { payload: { a: 2, b: ['y'] } } };
    check(asked, {}, (error: unknown) => refused.push(error));
    expect(refused).toEqual([expect.objectContaining({ status: 401 })]);
  }
});
