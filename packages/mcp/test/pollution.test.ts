// A member that other code adds to Object.prototype is not read as a rule or an option, and changes
// no decision.
import { createAuthenticator } from '@latchkey/core';
import { NAMES, VALUES, whilePolluted } from '@latchkey/test-kit/pollution';
import { generateSigningKey, mint } from '@latchkey/testing';
import { expect, it } from 'vitest';
import { authInfoOf, ownerOf, scopeChallenge } from '../src/index.ts';
import { message } from './servers.ts';

const key = await generateSigningKey();
const authenticator = createAuthenticator({
  keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
  audience: null,
});
const caller = await authenticator.verify(
  await mint(key, { iss: 'i', sub: 'alice', scope: 'a', exp: 4_000_000_000 }),
);
const build = () =>
  scopeChallenge({ tools: { add: { scope: 'a' }, wipe: { scope: 'b', roles: ['admin'] } } });

function decisions({ judge, permits }: ReturnType<typeof build>) {
  const status = (name: string) => judge(caller, message('tools/call', { name }))?.status;
  return [
    ...['add', 'wipe', 'other'].map(status),
    permits(caller, { kind: 'tools', name: 'wipe' }),
    authInfoOf(caller).extra.principal === caller,
    ownerOf(caller),
  ];
}

const expected = decisions(build());

it('decides as expected', () => {
  expect(expected.slice(0, 5)).toEqual([undefined, 403, undefined, false, true]);
});

it.each([...NAMES, 'stepUp', 'tools', 'extra', 'principal'])('%s changes no decision', (name) => {
  for (const value of [...VALUES, true]) {
    expect(
      whilePolluted(name, value, () => decisions(build())),
      String(value),
    ).toEqual(expected);
    expect(decisions(whilePolluted(name, value, build)), String(value)).toEqual(expected);
  }
});
