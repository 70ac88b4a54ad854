// The JOSE headers that are known, so that they need not be read again: of tokens that verified,
// few, and short ones.
import { createIssuer, mint } from '@latchkey/testing';
import { afterEach, expect, it, vi } from 'vitest';
import { createAuthenticator } from '../../src/index.ts';
import type { JsonValue } from '../../src/values/json.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closers.splice(0)) await close();
});

/**
 * Verifies tokens with these members in their headers.
 * @returns the headers that are known after that
 */
async function knownAfter(members: readonly { readonly extra: JsonValue }[]): Promise<readonly unknown[]> {
  const issuer = await createIssuer({ audience: 'a' });
  const authenticator = createAuthenticator({
    keySets: [{ issuer: issuer.issuer, jwks: issuer.jwks }],
    audience: 'a',
    cache: false,
  });
  closers.push(authenticator.close, issuer.close);
  const claims = { iss: issuer.issuer, aud: 'a', sub: 's', exp: 4_000_000_000 };
  const tokens = await Promise.all(members.map((more) => mint(issuer.key, claims, more)));
  const set = vi.spyOn(Map.prototype, 'set');
  for (const token of tokens) await authenticator.verify(token);
  const index = set.mock.calls.findIndex(([, value]) => typeof value === 'object' && 'alg' in (value ?? {}));
  const headers = set.mock.contexts[index] as Map<string, unknown> | undefined;
  return [...(headers?.keys() ?? [])];
}

it('T-148: 256 headers are known, and no more', async () => {
  const members = Array.from({ length: 300 }, (_, index) => ({ extra: index }));
  expect(await knownAfter(members)).toHaveLength(256);
});

it('T-148: a header of more than 512 characters is not known', async () => {
  const known = await knownAfter([{ extra: 'x'.repeat(300) }, { extra: 'x'.repeat(400) }]);
  expect(known).toHaveLength(1);
});
