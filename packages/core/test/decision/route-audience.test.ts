// The audience of a route: in addition to that of the options, on the claims as they were signed,
// for cached tokens too, and for each token of a combination.
import { createServer } from 'node:http';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { compileAccess, type RouteAccess } from '../../src/decision/access.ts';
import type { Authenticator } from '../../src/decision/authenticator.ts';
import { requireAll } from '../../src/decision/combine.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { authorize, type Principal, route } from '../../src/index.ts';
import { requestWith, startAuthenticator } from '../support/authenticators.ts';
import { listen } from '../support/servers.ts';
import { outcome } from './kept.ts';

let key: SigningKey;
beforeAll(async () => {
  key = await generateSigningKey('ES256');
});

const start = (options: Partial<AuthenticatorOptions> = {}): Authenticator =>
  startAuthenticator({
    keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
    audience: ['api', 'orders', 'invoices'],
    routes: { orders: { audience: 'orders' }, both: { audience: ['orders', 'invoices'], claims: {} } },
    ...options,
  });

const tokenOf = (aud: unknown, more: object = {}) =>
  mint(key, { iss: 'i', sub: 'alice', exp: Math.floor(Date.now() / 1000) + 60, ...more, aud } as never);

const MISMATCH = 'token_audience_mismatch';

const ROWS: readonly (readonly [aud: unknown, access: RouteAccess, expected: string])[] = [
  ['orders', { audience: 'orders' }, 'accepted'],
  [['api', 'orders'], { audience: 'orders' }, 'accepted'],
  ['invoices', { audience: ['orders', 'invoices'] }, 'accepted'],
  ['api', { audience: 'orders' }, MISMATCH],
  ['api', { audience: ['orders', 'invoices'] }, MISMATCH],
  ['Orders', { audience: 'orders' }, MISMATCH],
  ['api', { claims: route('orders') }, MISMATCH],
  ['orders', { claims: route('orders') }, 'accepted'],
  ['orders', { claims: route('both') }, 'accepted'],
  // An audience that the options do not have: the token names one of theirs, too.
  ['elsewhere', { audience: 'elsewhere' }, MISMATCH],
  [['elsewhere', 'api'], { audience: 'elsewhere' }, 'accepted'],
  // The route and its name each require one.
  ['orders', { audience: 'invoices', claims: route('orders') }, MISMATCH],
  [['orders', 'invoices'], { audience: 'invoices', claims: route('orders') }, 'accepted'],
  // The issuer is judged first.
  ['api', { audience: 'orders', issuers: ['other'] }, 'token_issuer_untrusted'],
  ['api', { audience: 'orders', mode: 'permissive' }, 'anonymous'],
  ['api', { audience: 'orders', mode: 'optional' }, MISMATCH],
];

describe.each([undefined, false] as const)('T-054: with cache: %s', (cache) => {
  it.each(ROWS)('a token for %j on a route of %j: %s', async (aud, access, expected) => {
    const authenticator = start(cache === undefined ? {} : { cache });
    const request = requestWith(await tokenOf(aud));
    for (const asked of [access, compileAccess(access), access, access])
      expect(await outcome(authenticator.authenticate(request, asked))).toBe(expected);
  });

  it('the same token on routes of other audiences, in turn', async () => {
    const authenticator = start(cache === undefined ? {} : { cache });
    const request = requestWith(await tokenOf(['api', 'orders']));
    const ask = (audience: string) => outcome(authenticator.authenticate(request, { audience }));
    for (let turn = 0; turn < 4; turn++) {
      expect(await ask('orders')).toBe('accepted');
      expect(await ask('invoices')).toBe(MISMATCH);
      expect(await outcome(authenticator.authenticate(request))).toBe('accepted');
    }
  });
});

describe('T-054: the audience of a route', () => {
  it.each([undefined, null, [], ['orders', 5], 5, {}, ''])('a token whose aud is %j', async (aud) => {
    const authenticator = start({ audience: null });
    const request = requestWith(await tokenOf(aud));
    expect(await outcome(authenticator.authenticate(request))).toBe('accepted');
    expect(await outcome(authenticator.authenticate(request, { audience: 'orders' }))).toBe(MISMATCH);
  });

  it('names the route in its detail, and the realm in its challenge', async () => {
    const refused = start({ realm: 'r' }).authenticate(requestWith(await tokenOf('api')), {
      audience: ['orders', 'invoices'],
    });
    await expect(refused).rejects.toMatchObject({
      status: 401,
      detail: 'aud names none of orders, invoices of the route',
      headers: { 'WWW-Authenticate': expect.stringMatching(/^Bearer realm="r", error="invalid_token"/) },
    });
  });

  it('is judged on the claims as they were signed, whatever a schema makes of them', async () => {
    const schema = { '~standard': { version: 1, vendor: 'test', validate: () => ({ value: 'orders' }) } };
    const claims = { aud: schema } as never;
    const request = requestWith(await tokenOf('api'));
    const authenticator = start();
    const changed = (await authenticator.authenticate(request, { claims })) as Principal;
    expect(changed.claims.aud).toBe('orders');
    expect(() => authorize(changed, route('orders'))).toThrow(expect.objectContaining({ code: MISMATCH }));
    const access = { claims, audience: 'orders' };
    expect(await outcome(authenticator.authenticate(request, access))).toBe(MISMATCH);
  });

  it('is required of each token of a combination', async () => {
    const device = start({ tokenFrom: [{ header: 'x-device' }] });
    const tree = requireAll({ user: start(), device });
    const [orders, api] = [await tokenOf('orders'), await tokenOf('api')];
    const ask = (user: string, other: string) => {
      const headers = { authorization: `Bearer ${user}`, 'x-device': other };
      const rawHeaders = Object.entries(headers).flat();
      return outcome(tree.authenticate({ headers, rawHeaders }, { audience: 'orders' }));
    };
    expect(await ask(orders, orders)).toBe('accepted');
    expect(await ask(orders, api)).toBe(MISMATCH);
    expect(await ask(api, orders)).toBe(MISMATCH);
  });

  it('is required of the answer of an endpoint, and not only of the token', async () => {
    let body: object = { sub: 'alice' };
    const server = createServer((_, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
    );
    const url = `http://127.0.0.1:${await listen(server)}/`;
    const authenticator = start({ keySets: [], remote: { url } });
    const request = requestWith(await tokenOf(['api', 'orders']));
    const ask = () => outcome(authenticator.authenticate(request, { audience: 'orders' }));
    expect(await outcome(authenticator.authenticate(request))).toBe('accepted');
    expect(await ask()).toBe(MISMATCH);
    body = { sub: 'alice', aud: ['api'] };
    expect(await ask()).toBe(MISMATCH);
    body = { sub: 'alice', aud: ['api', 'orders'] };
    expect(await ask()).toBe('accepted');
  });
});
