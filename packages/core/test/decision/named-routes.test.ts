// Routes by name: their rules are in the options, and code has only the name. A route with an
// unknown name lets no request pass.
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type CompiledRules,
  compileAccess,
  compileRules,
  type RequestView,
} from '../../src/adapter/index.ts';
import { routes } from '../../src/decision/access.ts';
import {
  type Authenticator,
  type AuthenticatorOptions,
  authorize,
  ConfigError,
  createAuthenticator,
  type Rules,
  requireAll,
  requireAny,
  route,
} from '../../src/index.ts';

let key: SigningKey;
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  key = await generateSigningKey();
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closers.splice(0)) await close();
});

const ROUTES: NonNullable<AuthenticatorOptions['routes']> = {
  admin: { claims: { role: 'admin' } },
  writers: { claims: { scope: { allOf: ['write'] } } },
  partner: { issuers: ['partner'] },
  both: { claims: { role: 'admin' }, issuers: ['partner', { pattern: '^own-[a-z]+$' }] },
  user: { claims: { sub: { fromRequest: 'params.id' } } },
  anybody: { claims: {} },
};

function start(options: Partial<AuthenticatorOptions> = {}): Authenticator {
  // Without an issuer, it is for all of them.
  const keySets = [{ jwks: { keys: [key.publicJwk] } }];
  const made = createAuthenticator({ keySets, audience: null, routes: ROUTES, ...options });
  closers.push(made.close);
  return made;
}

const tokenOf = (claims: Parameters<typeof mint>[1] = {}) =>
  mint(key, { iss: 'partner', sub: 'alice', exp: Math.floor(Date.now() / 1000) + 60, ...claims });

const requestOf = (token: string | undefined, header = 'authorization'): RequestView => {
  const value = header === 'authorization' ? `Bearer ${token}` : `${token}`;
  return {
    method: 'GET',
    url: '/',
    headers: token === undefined ? {} : { [header]: value },
    rawHeaders: token === undefined ? [] : [header, value],
  };
};

describe('authorize', () => {
  it.each<[name: string, claims: Parameters<typeof mint>[1], code: string | undefined]>([
    ['admin', { role: 'admin' }, undefined],
    ['admin', { role: 'user' }, 'claims_insufficient'],
    ['admin', {}, 'claims_insufficient'],
    ['writers', { scope: 'read write' }, undefined],
    ['writers', { scope: 'read' }, 'scope_insufficient'],
    ['partner', {}, undefined],
    ['partner', { iss: 'own-orders' }, 'token_issuer_untrusted'],
    // A token without an issuer is not one of them.
    ['partner', { iss: undefined }, 'token_issuer_untrusted'],
    ['both', { role: 'admin', iss: 'own-orders' }, undefined],
    ['both', { role: 'admin', iss: 'x-own-orders' }, 'token_issuer_untrusted'],
    // The issuer is asked first.
    ['both', { role: 'user', iss: 'other' }, 'token_issuer_untrusted'],
    ['both', { role: 'user' }, 'claims_insufficient'],
    ['anybody', {}, undefined],
    // A claim that is called as the route is, says nothing.
    ['admin', { route: 'admin' }, 'claims_insufficient'],
  ])('AK-42: route %s, claims %o: %s', async (name, claims, code) => {
    const authenticator = start({ realm: 'orders' });
    const token = await tokenOf(claims);
    const principal = await authenticator.verify(token);
    const judge = () => authorize(principal, route(name));
    if (code === undefined) judge();
    else expect(judge).toThrow(expect.objectContaining({ code }));
    const verified = authenticator.verify(token, route(name)).then(
      () => undefined,
      (error) => error.code,
    );
    expect(await verified).toBe(code);
  });

  it('AK-42: a refusal is the same as by rules in place: status, challenge, realm and scope', async () => {
    const principal = await start({ realm: 'orders' }).verify(await tokenOf());
    const refusal = (name: string) => {
      try {
        authorize(principal, route(name));
      } catch (error) {
        return error as { readonly status: number; readonly headers: Record<string, string> };
      }
      throw new Error('it was allowed');
    };
    expect(refusal('admin').status).toBe(403);
    expect(refusal('writers').headers['WWW-Authenticate']).toContain('scope="write"');
    expect(refusal('writers').headers['WWW-Authenticate']).toContain('realm="orders"');
    const other = await start({ realm: 'orders' }).verify(await tokenOf({ iss: 'other' }));
    expect(() => authorize(other, route('partner'))).toThrow(
      expect.objectContaining({
        status: 401,
        headers: expect.objectContaining({ 'WWW-Authenticate': expect.stringContaining('realm="orders"') }),
      }),
    );
  });

  it('compares with the request', async () => {
    const principal = await start().verify(await tokenOf());
    authorize(principal, route('user'), { method: 'GET', headers: {}, params: { id: 'alice' } });
    const other = { method: 'GET', headers: {}, params: { id: 'bob' } };
    expect(() => authorize(principal, route('user'), other)).toThrow(
      expect.objectContaining({ code: 'claims_insufficient' }),
    );
    // This is a fault of the application, so no request passes.
    expect(() => authorize(principal, route('user'))).toThrow(TypeError);
  });

  it('an anonymous request does not pass a named route, whatever its rules', () => {
    for (const name of Object.keys(ROUTES ?? {}))
      expect(() => authorize(undefined, route(name))).toThrow(
        expect.objectContaining({ code: 'credentials_missing' }),
      );
  });

  it('splits names as its own authenticator does', async () => {
    const routes = { admin: { claims: { 'realm_access.roles': ['admin'] } } };
    const claims = { realm_access: { roles: ['admin'] } };
    const principal = await start({ routes, nestedClaimDelimiter: '.' }).verify(await tokenOf(claims));
    authorize(principal, route('admin'));
    const flat = await start({ routes }).verify(await tokenOf(claims));
    expect(() => authorize(flat, route('admin'))).toThrow();
  });

  it('asks the authenticator whose principal it is', async () => {
    const [one, other] = [start(), start({ routes: { admin: { claims: { role: 'root' } } } })];
    const token = await tokenOf({ role: 'admin' });
    const admin = route('admin');
    authorize(await one.verify(token), admin);
    const principal = await other.verify(token);
    expect(() => authorize(principal, admin)).toThrow(
      expect.objectContaining({ code: 'claims_insufficient' }),
    );
  });
});

describe('a route that is not there', () => {
  it.each(['missing', 'constructor', '__proto__', 'toString', 'Admin'])(
    '%s is a TypeError: a fault of the application, and no request passes',
    async (name) => {
      const authenticator = start();
      const token = await tokenOf({ role: 'admin' });
      const principal = await authenticator.verify(token);
      expect(() => authorize(principal, route(name))).toThrow(TypeError);
      await expect(authenticator.verify(token, route(name))).rejects.toThrow(TypeError);
    },
  );

  it('options without routes have none', async () => {
    const bare = createAuthenticator({ keySets: [{ jwks: { keys: [key.publicJwk] } }], audience: null });
    closers.push(bare.close);
    const principal = await bare.verify(await tokenOf({ role: 'admin' }));
    expect(() => authorize(principal, route('admin'))).toThrow(TypeError);
  });

  it('a name that is not a text is refused at once', () => {
    for (const name of [undefined, null, 5, ['admin'], {}, '', ' '])
      expect(() => route(name as never)).toThrow(ConfigError);
  });

  it('its rules cannot be judged alone: code that does so lets no request pass', async () => {
    const { firstFailure } = await import('../../src/claims/compile.ts');
    expect(() => firstFailure(route('admin'), { role: 'admin' })).toThrow(TypeError);
  });
});

describe('options', () => {
  it.each<[title: string, routes: unknown, path: string]>([
    ['a list', [], 'routes'],
    ['nothing', null, 'routes'],
    ['a Map', new Map(), 'routes'],
    ['a route that is nothing', { a: undefined }, 'routes.a'],
    ['a route that is a word', { a: 'admin' }, 'routes.a'],
    ['a route that asks nothing', { a: {} }, 'routes.a'],
    ['another option', { a: { claims: { x: 'y' }, mode: 'optional' } }, 'routes.a.mode'],
    ['issuers that are no list', { a: { issuers: 'x' } }, 'routes.a.issuers'],
    ['an empty list of issuers', { a: { issuers: [] } }, 'routes.a.issuers'],
    ['rules that are none', { a: { claims: 'admin' } }, 'routes.a.claims'],
    ['a rule that is none', { a: { claims: { x: { what: 1 } } } }, 'routes.a.claims.x.what'],
    ['an empty list of rules', { a: { claims: [] } }, 'routes.a.claims'],
    ['a rule on iss', { a: { claims: { iss: 'x' } } }, 'routes.a.claims.iss'],
    ['another route', { a: { claims: route('b') } }, 'routes.a.claims'],
    ['itself', { a: { claims: route('a') } }, 'routes.a.claims'],
  ])('%s is no route: a ConfigError with its path', (_, given, path) => {
    expect(() => routes.read(given, 'routes')).toThrow(ConfigError);
    expect(() => routes.read(given, 'routes')).toThrow(expect.objectContaining({ path }));
    expect(() => start({ routes: given as never })).toThrow(ConfigError);
  });

  it('a named route is not for every token', () => {
    expect(() => start({ claims: route('admin') as unknown as Rules })).toThrow(
      expect.objectContaining({ path: 'claims' }),
    );
  });

  it('are a snapshot', async () => {
    const routes = { admin: { claims: { role: 'admin' } } };
    const authenticator = start({ routes });
    routes.admin.claims.role = 'user';
    const principal = await authenticator.verify(await tokenOf({ role: 'user' }));
    expect(() => authorize(principal, route('admin'))).toThrow();
  });

  it('a route may be called as objects’ own members are', async () => {
    const routes = JSON.parse('{"__proto__":{"claims":{"role":"admin"}},"constructor":{"issuers":["x"]}}');
    const principal = await start({ routes }).verify(await tokenOf({ role: 'admin' }));
    authorize(principal, route('__proto__'));
    expect(() => authorize(principal, route('constructor'))).toThrow(
      expect.objectContaining({ code: 'token_issuer_untrusted' }),
    );
  });

  it('are rules like any others for adapters', () => {
    expect(compileAccess({ claims: route('admin') }, 'route').claims?.route).toBe('admin');
    expect(compileRules(route('admin'))).toMatchObject({ route: 'admin' });
  });
});

describe('trees', () => {
  it('each leaf asks its own authenticator for the route', async () => {
    const users = start();
    const devices = start({
      routes: { admin: { claims: { device: 'trusted' } } },
      tokenFrom: [{ header: 'x-device' }],
    });
    const tree = requireAll({
      user: { from: users, claims: route('admin') },
      device: { from: devices, claims: route('admin') },
    });
    const request = (user: string, device: string): RequestView => ({
      method: 'GET',
      url: '/',
      headers: { authorization: `Bearer ${user}`, 'x-device': device },
      rawHeaders: ['authorization', `Bearer ${user}`, 'x-device', device],
    });
    const [admin, trusted] = [await tokenOf({ role: 'admin' }), await tokenOf({ device: 'trusted' })];
    await expect(tree.authenticate(request(admin, trusted))).resolves.toMatchObject({
      user: { claims: { role: 'admin' } },
      device: { claims: { device: 'trusted' } },
    });
    for (const [user, device] of [
      [trusted, trusted],
      [admin, admin],
      [trusted, admin],
    ] as const)
      await expect(tree.authenticate(request(user, device))).rejects.toMatchObject({
        code: 'claims_insufficient',
      });
  });

  it('a leaf with a route that is not there is refused at start', () => {
    const sources = { one: { from: start(), claims: route('missing') } };
    for (const combine of [requireAll, requireAny])
      expect(() => combine(sources)).toThrow(
        /^sources\.one\.claims: expected a route of the options, got route missing; there are /,
      );
  });

  it('a route’s issuers count in a tree', async () => {
    const tree = requireAny({ partner: { from: start(), claims: route('partner') } });
    await expect(tree.authenticate(requestOf(await tokenOf()))).resolves.toHaveProperty('partner');
    await expect(tree.authenticate(requestOf(await tokenOf({ iss: 'x' })))).rejects.toMatchObject({
      code: 'token_issuer_untrusted',
    });
  });
});

describe('rules in rules', () => {
  const cases: readonly [title: string, rules: () => readonly unknown[]][] = [
    ['compiled rules', () => [compileRules({ role: 'admin' })]],
    ['a route', () => [route('admin')]],
  ];
  it.each(cases)('%s in a list count, or are refused', async (_, rules) => {
    const principal = await start().verify(await tokenOf({ route: 'admin' }));
    const judge = () => authorize(principal, rules() as unknown as Rules);
    expect(judge).toThrow();
  });

  it('rules that are added to compiled ones count, or are refused', async () => {
    const principal = await start().verify(await tokenOf({ role: 'admin' }));
    const more = { ...route('admin'), dept: 'engineering' } as unknown as CompiledRules;
    expect(() => authorize(principal, more)).toThrow();
  });
});
