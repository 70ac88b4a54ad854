// What only this adapter has: the principal or a Response, the types of both, the request that is
// not changed, and a handler that gets what its framework passes.
import {
  AuthError,
  type ClaimsOf,
  createAuthenticator,
  fromRequest,
  type Principal,
  type RouteAccess,
  refusalOf,
  requireAll,
} from '@latchkey/core';
import { createClock, createIssuer, type TestIssuer } from '@latchkey/testing';
import { afterAll, beforeAll, expect, expectTypeOf, it } from 'vitest';
import { createGuard, type Guard, isRefused, withAuth } from '../src/index.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

const with_ = (token?: string, init: RequestInit = {}): Request => {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Request('http://localhost/friends?a=1', { ...init, headers });
};

it('gives the principal, or the Response of the refusal', async () => {
  const guard = createGuard(issuer.options);
  const auth = await guard(with_(await issuer.mint({ sub: 'alice' })));
  expect(auth).toMatchObject({ subject: 'alice' });
  const refused = (await guard(with_())) as Response;
  expect(refused).toBeInstanceOf(Response);
  expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
  expect(await refused.json()).toEqual(new AuthError('credentials_missing').toJSON());
});

it('judges the access of a call, of for, and of withAuth alike', async () => {
  const guard = createGuard(issuer.options);
  const access = { claims: { roles: ['admin'] } } as const;
  const lacking = await issuer.mint({ roles: ['dev'] });
  const good = await issuer.mint({ roles: ['admin'] });
  const judges = [
    (request: Request) => guard(request, access),
    guard.for(access),
    withAuth(guard, (_, auth) => Response.json(auth.claims.roles), access),
  ];
  for (const judge of judges) {
    expect(await judge(with_(lacking))).toMatchObject({ status: 403 });
    expect(await judge(with_(good))).not.toMatchObject({ status: 403 });
    expect(await judge(with_())).toMatchObject({ status: 401 });
  }
});

it('does not run a handler, nor what it would get, for a refused request', async () => {
  const guard = createGuard(issuer.options);
  let runs = 0;
  const handle = withAuth(guard, () => {
    runs++;
    return new Response('ok');
  });
  expect((await handle(with_())).status).toBe(401);
  expect((await handle(with_('x'))).status).toBe(401);
  expect(runs).toBe(0);
  expect((await handle(with_(await issuer.mint()))).status).toBe(200);
  expect(runs).toBe(1);
});

it('leaves the request to its handler: the object, its body and its headers', async () => {
  const guard = createGuard(issuer.options);
  const request = with_(await issuer.mint(), { method: 'POST', body: 'a text' });
  const before = [...request.headers];
  const handle = withAuth(guard, async (given, _auth, context: { readonly params: string }) => {
    expect(given).toBe(request);
    expect(given.bodyUsed).toBe(false);
    expect([...given.headers]).toEqual(before);
    expect(Reflect.ownKeys(given).filter((name) => typeof name === 'string')).toEqual([]);
    return new Response(`${await given.text()} ${context.params}`);
  });
  expect(await (await handle(request, { params: 'p' })).text()).toBe('a text p');
});

it('refuses also where a polyfill has replaced Response', async () => {
  const guard = createGuard(issuer.options);
  const handle = withAuth(guard, () => new Response('handled'));
  const original = globalThis.Response;
  globalThis.Response = class Other {} as typeof Response;
  Object.assign(globalThis.Response, { json: original.json });
  try {
    expect((await handle(with_())).status).toBe(401);
    expect(isRefused(await guard(with_()))).toBe(true);
    expect(isRefused(await guard(with_(await issuer.mint())))).toBe(false);
  } finally {
    globalThis.Response = original;
  }
});

it('passes extras on: parameters for fromRequest, and the protocol', async () => {
  const guard = createGuard({ ...issuer.options, requireSecureTransport: true });
  const token = await issuer.mint({ tenant: 'a' });
  const judge = guard.for({ claims: { tenant: fromRequest('params.tenant') } });
  const statusOf = async (extras?: Parameters<typeof judge>[1]) => {
    const auth = await judge(with_(token), extras);
    return auth instanceof Response ? auth.status : 200;
  };
  expect(await statusOf({ params: { tenant: 'a' }, protocol: 'https' })).toBe(200);
  expect(await statusOf({ params: { tenant: 'b' }, protocol: 'https' })).toBe(403);
  expect(await statusOf({ protocol: 'https' })).toBe(403);
  expect(await statusOf({ params: { tenant: 'a' }, protocol: 'http' })).toBe(403);
  // The scheme of the URL may be what the client wrote, so it is not read.
  expect(await statusOf({ params: { tenant: 'a' } })).toBe(403);
  expect(await statusOf()).toBe(403);
});

it('T-083: a handler, and what it passes on, get a URL without the token', async () => {
  const guard = createGuard({ ...issuer.options, tokenFrom: [{ query: 'access_token' }] });
  const token = await issuer.mint();
  const seen: string[] = [];
  const handle = withAuth(guard, async (request) => {
    seen.push(request.url, await request.text());
    return Response.redirect('http://localhost/elsewhere');
  });
  const request = new Request(`http://localhost/x?a=1&access_token=${token}&b=2`, {
    method: 'POST',
    body: 'a body',
  });
  const answer = await handle(request);
  expect(seen).toEqual(['http://localhost/x?a=1&b=2', 'a body']);
  expect(answer.status).toBe(302);
  expect(Object.fromEntries(answer.headers)).toEqual({
    location: 'http://localhost/elsewhere',
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
  });
  const refused = await handle(new Request('http://localhost/x?access_token=bad'));
  expect([refused.status, refused.headers.get('referrer-policy')]).toEqual([401, 'no-referrer']);
});

it('combines authenticators', async () => {
  const both = requireAll({
    user: createAuthenticator(issuer.options),
    device: createAuthenticator({ ...issuer.options, tokenFrom: [{ header: 'X-Device' }] }),
  });
  const guard = createGuard(both);
  const request = with_(await issuer.mint({ sub: 'alice' }));
  expect(await guard(request)).toMatchObject({ status: 401 });
  request.headers.set('X-Device', await issuer.mint({ sub: 'phone' }));
  const auth = await guard(request);
  if (auth instanceof Response) throw new Error('refused');
  expectTypeOf(auth.user).toEqualTypeOf<Principal>();
  expect([auth.user.subject, auth.device.subject]).toEqual(['alice', 'phone']);
  expect(() => guard.for({ claims: { roles: ['admin'] } })).toThrow('access.claims');
});

it('keeps the refusal that a permissive authenticator ignored under the request', async () => {
  const guard = createGuard({ ...issuer.options, mode: 'permissive' });
  const request = with_('bad');
  expect(await guard(request)).toBeUndefined();
  expect(refusalOf(request)?.code).toBe('token_malformed');
  expect(refusalOf(with_())).toBeUndefined();
});

it('judges times at each request, also of a token that it knows', async () => {
  const clock = createClock();
  const guard = createGuard({ ...issuer.options, clock });
  const token = await issuer.mint({ exp: Math.floor(clock.now() / 1000) + 60 });
  for (let time = 0; time < 3; time++) expect(await guard(with_(token))).not.toBeInstanceOf(Response);
  clock.advance(120_000);
  expect(await guard(with_(token))).toMatchObject({ status: 401 });
});

it('rejects if the authenticator breaks its contract, and lets nothing pass', async () => {
  const authenticator = {
    ...createAuthenticator(issuer.options),
    decide: () => {
      throw null;
    },
  };
  const handle = withAuth(createGuard(authenticator), () => new Response('ok'));
  await expect(handle(with_())).rejects.toBeInstanceOf(Error);
});

it('passes an error of the handler on', async () => {
  const handle = withAuth(createGuard({ ...issuer.options, mode: 'optional' }), () => {
    throw new Error('the handler failed');
  });
  await expect(handle(with_())).rejects.toThrow('the handler failed');
});

it('types the principal by the options, the mode and the rules', async () => {
  const strict = createGuard({
    keySets: [{ issuer: 'i', jwks: { keys: [issuer.key.publicJwk] } }],
    audience: null,
  });
  expectTypeOf(strict).toEqualTypeOf<Guard<Principal>>();
  expectTypeOf(await strict(with_())).toEqualTypeOf<Principal | Response>();
  const open = createGuard({ ...issuer.options, mode: 'optional' });
  expectTypeOf(open).toEqualTypeOf<Guard<Principal | undefined>>();
  expectTypeOf(await strict(with_(), { mode: 'optional' })).toEqualTypeOf<Principal | undefined | Response>();
  expectTypeOf(await open(with_(), { mode: 'strict' })).toEqualTypeOf<Principal | Response>();
  expectTypeOf(await open(with_(), { issuers: ['i'] })).toEqualTypeOf<Principal | undefined | Response>();
  expectTypeOf(createGuard(createAuthenticator(issuer.options))).toEqualTypeOf<
    Guard<Principal | undefined>
  >();
  const access: RouteAccess = {};
  expectTypeOf(await strict(with_(), access)).toEqualTypeOf<Principal | undefined | Response>();
  const auth = await open(with_(await issuer.mint({ roles: ['admin'] })), { claims: { roles: ['admin'] } });
  if (auth instanceof Response) throw new Error('refused');
  expectTypeOf(auth.claims.roles).toEqualTypeOf<ClaimsOf<{ readonly roles: readonly ['admin'] }>['roles']>();
  expectTypeOf(auth.claims.roles).not.toBeUnknown();
  expect(auth.claims.roles).toEqual(['admin']);
});
