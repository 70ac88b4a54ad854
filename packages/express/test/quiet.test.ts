// What Express prints for refused requests: nothing by default. Its own error handler prints every
// error outside of NODE_ENV=test, so the applications here run as in production.
import type { AddressInfo } from 'node:net';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import express, { type ErrorRequestHandler, type Express } from 'express';
import express4 from 'express4';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { authenticate, requireClaims } from '../src/index.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());
afterEach(() => vi.restoreAllMocks());

/** The status and body of a request, and what was printed until the answer had arrived. */
async function ask(app: Express, token?: string) {
  const printed = vi.spyOn(console, 'error').mockImplementation(() => {});
  app.set('env', 'production');
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers });
  const body = await response.text();
  // Express prints in a later turn.
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => server.close(resolve));
  return { status: response.status, body, printed: printed.mock.calls, headers: response.headers };
}

const missing = { code: 'credentials_missing', status: 401, message: 'A bearer token is required' };

describe.each([
  ['5', express],
  ['4', express4 as unknown as typeof express],
])('Express %s', (_, make) => {
  const protect = (app: Express) => app.use(authenticate(issuer.options), requireClaims({ scope: 'admin' }));

  it('prints nothing for a refusal, and answers with its code', async () => {
    const app = make();
    protect(app);
    const { status, body, printed, headers } = await ask(app);
    expect([status, JSON.parse(body), printed]).toEqual([401, missing, []]);
    expect(headers.get('www-authenticate')).toMatch(/^Bearer/);
  });

  it('prints nothing for a refusal by the rules of a route', async () => {
    const app = make();
    protect(app);
    const { status, body, printed } = await ask(app, await issuer.mint());
    expect([status, JSON.parse(body).code, printed]).toEqual([403, 'scope_insufficient', []]);
  });

  it('prints nothing for an outage of the issuer', async () => {
    const app = make();
    app.use(
      authenticate({ ...issuer.options, keySets: [{ jwksUrl: 'http://127.0.0.1:1/', allowHttp: true }] }),
    );
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { status, printed } = await ask(app, await issuer.mint());
    expect([status, printed]).toEqual([503, []]);
  });

  it('leaves refusals to an error handler of the application, also of one that it is mounted in', async () => {
    const seen: string[] = [];
    const handler: ErrorRequestHandler = (error, _request, response, _next) => {
      seen.push(error.code);
      response.status(418).end();
    };
    const plain = make();
    protect(plain);
    plain.use(handler);
    const outer = make();
    const inner = make();
    protect(inner);
    outer.use(inner).use(handler);
    const nested = make();
    const router = make.Router();
    router.use(authenticate(issuer.options), handler);
    nested.use(router);
    for (const app of [plain, outer, nested]) expect((await ask(app)).status).toBe(418);
    expect(seen).toEqual(['credentials_missing', 'credentials_missing', 'credentials_missing']);
  });

  it('sees an error handler that is added after the first refusal', async () => {
    const app = make();
    protect(app);
    expect((await ask(app)).status).toBe(401);
    app.use(((_error, _request, response, _next) =>
      response.status(418).end()) satisfies ErrorRequestHandler);
    expect((await ask(app)).status).toBe(418);
  });

  it('still prints a fault of the service', async () => {
    const app = make();
    app.use(requireClaims({ scope: 'admin' }));
    const { status, printed } = await ask(app);
    expect(status).toBe(500);
    expect(String(printed)).toContain('register authenticate first');
  });
});
