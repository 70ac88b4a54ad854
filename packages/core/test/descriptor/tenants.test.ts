// A descriptor with a keyset for many tenants: what a change of its tenants does, and that the keys
// of the others stay.
import { rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { createAuthenticator } from '../../src/index.ts';
import { closing, temporaryFolder } from '../support/closing.ts';
import { eventsOf } from '../support/observed.ts';
import { outcome } from '../support/outcome.ts';
import { listen } from '../support/servers.ts';

let key: SigningKey;
beforeAll(async () => {
  key = await generateSigningKey('ES256', 'k');
});
beforeEach(() => {
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  return () => vi.restoreAllMocks();
});

it('R20: a change of the tenants applies to all requests after it, and the keys of the others stay', async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const [, tenant = '', rest] = /^\/realms\/([^/]*)\/(.*)$/.exec(request.url ?? '') ?? [];
    if (rest !== 'keys') asked.push(tenant);
    const issuer = issuerOf(tenant);
    const body = rest === 'keys' ? { keys: [key.publicJwk] } : { issuer, jwks_uri: `${issuer}/keys` };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(body));
  });
  const origin = `http://127.0.0.1:${await listen(server)}`;
  const issuerOf = (tenant: string) => `${origin}/realms/${tenant}`;
  const token = (tenant: string) =>
    mint(key, { iss: issuerOf(tenant), sub: 'alice', exp: Math.floor(Date.now() / 1000) + 300 });
  const file = join(await temporaryFolder(), 'service.yaml');
  const keyset = { issuer: `${origin}/realms/{realm}`, useDiscovery: 'oidc', allowHttp: true };
  const put = async (tenants: readonly string[]) => {
    const jwt = { keySets: [{ ...keyset, tenants }], audience: null };
    await writeFile(`${file}.next`, JSON.stringify({ service: { jwt } }));
    await rename(`${file}.next`, file);
  };
  await put(['a', 'b']);
  const applied = eventsOf('latchkey:descriptor:applied');
  const authenticator = closing(createAuthenticator({ descriptor: file }));
  const tokens = { a: await token('a'), b: await token('b'), c: await token('c') };
  const outcomes = async () => [
    await outcome(authenticator.verify(tokens.a)),
    await outcome(authenticator.verify(tokens.b)),
    await outcome(authenticator.verify(tokens.c)),
  ];
  // Three times, so that the tokens are in the cache.
  for (let time = 0; time < 3; time++)
    expect(await outcomes()).toEqual(['accepted', 'accepted', 'token_issuer_untrusted']);

  await put(['a', 'c']);
  await vi.waitUntil(() => applied.length === 1, { timeout: 15_000, interval: 5 });
  for (let time = 0; time < 3; time++)
    expect(await outcomes()).toEqual(['accepted', 'token_issuer_untrusted', 'accepted']);
  expect(asked).toEqual(['a', 'b', 'c']);
  expect(authenticator.report().keysets[0]?.tenants?.inUse).toBe(3);
});
