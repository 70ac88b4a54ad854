// Proves that the suite runs in the runtime that src/main.ts names, with the core from source.
import { createAuthenticator } from '@latchkey/core';
import { createIssuer } from '@latchkey/testing';
import { expect, it } from 'vitest';

/** The runtime that executes this file. */
function running(): string {
  const deno: unknown = Reflect.get(globalThis, 'Deno');
  if (deno !== undefined) return `Deno ${Reflect.get(Object(Reflect.get(Object(deno), 'version')), 'deno')}`;
  const { bun, node } = process.versions;
  return bun === undefined ? `Node ${node}` : `Bun ${bun}`;
}

it('is the runtime that is named', () => {
  const { LATCHKEY_RUNTIME: named = 'no name' } = process.env;
  console.log(`running on ${running()}`);
  expect(`${running()} `).toMatch(new RegExp(`^${named}[ .]`));
});

it('verifies a token of an issuer over HTTP', async () => {
  const issuer = await createIssuer();
  const authenticator = createAuthenticator(issuer.options);
  expect(await authenticator.verify(await issuer.mint({ sub: 'alice' }))).toMatchObject({ subject: 'alice' });
  await authenticator.close();
  await issuer.close();
});
