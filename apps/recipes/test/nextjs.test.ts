// docs/recipes/nextjs.md: the exports of the files, called as Next.js calls them.
import { createGuard, type Guard, type Principal } from '@latchkey/web';
import { describe, expect, it } from 'vitest';
import { createProxy, createRoute } from '../src/nextjs.ts';
import { authenticator, badTokens, brokenGuards, issuer } from './support.ts';

const guardOf = () => createGuard(authenticator) as Guard<Principal>;
const context = { params: Promise.resolve({ tenant: 'a' }) };
const URL_OF_ROUTE = 'https://shop.example.com/tenants/a/orders';

function requestOf(token?: string, body?: string): Request {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Request(URL_OF_ROUTE, { headers, ...(body === undefined ? {} : { method: 'POST', body }) });
}

describe('docs/recipes/nextjs.md', () => {
  it('a missing or bad token is a 401 with the challenge', async () => {
    const { GET, POST } = createRoute(guardOf());
    for (const handler of [GET, POST]) {
      const missing = await handler(requestOf(), context);
      expect([missing.status, missing.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
      for (const [token, code] of await badTokens()) {
        const refused = await handler(requestOf(token), context);
        expect([refused.status, await refused.json()]).toMatchObject([401, { code }]);
      }
    }
  });

  it('the path parameters are compared with a claim, and the body is as sent', async () => {
    const { GET, POST } = createRoute(guardOf());
    const ofOther = await GET(requestOf(await issuer.mint({ tenant: 'b' })), context);
    expect(ofOther.status).toBe(403);
    const token = await issuer.mint({ sub: 'alice', tenant: 'a' });
    expect(await (await GET(requestOf(token), context)).json()).toEqual({ subject: 'alice' });
    const posted = await POST(requestOf(token, '{"note":"as sent"}'), context);
    expect([posted.status, await posted.json()]).toEqual([200, { order: { note: 'as sent' } }]);
  });

  it('the proxy answers refused requests, and lets others go on unchanged', async () => {
    const proxy = createProxy(guardOf());
    expect((await proxy(requestOf()))?.status).toBe(401);
    const accepted = requestOf(await issuer.mint(), '{}');
    expect(await proxy(accepted)).toBeUndefined();
    expect(accepted.bodyUsed).toBe(false);
  });

  it('an outage is a 503, and a fault rejects, which Next.js answers with a 500', async () => {
    const token = await issuer.mint({ tenant: 'a' });
    issuer.fail({ kind: 'status', status: 500 });
    expect((await createRoute(guardOf()).GET(requestOf(token), context)).status).toBe(503);
    for (const guard of brokenGuards()) {
      await expect(createRoute(guard).GET(requestOf(token), context)).rejects.toThrow();
      await expect(createProxy(guard)(requestOf(token))).rejects.toThrow();
    }
  });
});
