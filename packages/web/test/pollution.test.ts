// A member that other code adds to Object.prototype is not read as an option of a route.
import { NAMES, VALUES, whilePolluted } from '@latchkey/test-kit/pollution';
import { generateSigningKey, mint } from '@latchkey/testing';
import { expect, it } from 'vitest';
import { createGuard, withAuth } from '../src/index.ts';

const key = await generateSigningKey();
const good = { iss: 'i', exp: 4_000_000_000 };
const admin = `Bearer ${await mint(key, { ...good, sub: 'alice', roles: ['admin'] })}`;
const user = `Bearer ${await mint(key, { ...good, sub: 'bob' })}`;
const options = { keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }], audience: null };

type Handler = (request: Request) => Promise<Response>;

function build(): readonly Handler[] {
  const ok = () => new Response('ok');
  const guard = createGuard(options);
  return [
    withAuth(guard, ok),
    withAuth(guard, ok, { claims: { roles: ['admin'] } }),
    withAuth(guard, ok, { mode: 'optional' }),
  ];
}

/** While every object inherits this member, also between the awaits of a request. */
async function pollutedStatusesOf(handlers: readonly Handler[], name: string, value: unknown) {
  const shared: object = Object.prototype;
  Object.defineProperty(shared, name, { value, configurable: true, writable: true, enumerable: true });
  try {
    return await statusesOf(handlers);
  } finally {
    Reflect.deleteProperty(shared, name);
  }
}

async function statusesOf(handlers: readonly Handler[]): Promise<readonly number[]> {
  const statuses: number[] = [];
  for (const handle of handlers)
    for (const authorization of [undefined, user, admin]) {
      const headers = new Headers();
      if (authorization !== undefined) headers.set('authorization', authorization);
      // The platform reads "mode" of its own options from a polluted prototype.
      const request = new Request('http://localhost/', { headers, mode: 'cors' });
      statuses.push((await handle(request)).status);
    }
  return statuses;
}

const expected = [401, 200, 200, 401, 403, 200, 200, 200, 200];

it.each(NAMES)('%s: changes no decision, added before or after the guard was made', async (name) => {
  const clean = build();
  expect(await statusesOf(clean)).toEqual(expected);
  for (const value of VALUES) {
    expect(await pollutedStatusesOf(clean, name, value), String(value)).toEqual(expected);
    const made = whilePolluted(name, value, build);
    expect(await statusesOf(made), String(value)).toEqual(expected);
  }
});
