// What Koa prints for refused requests: nothing by default, also for an outage.
import type { AddressInfo } from 'node:net';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import Koa from 'koa';
import Koa2 from 'koa2';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { authenticate, requireClaims } from '../src/index.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());
afterEach(() => vi.restoreAllMocks());

/** The status of a request, and what was printed until the answer had arrived. */
async function ask(app: Koa, token?: string) {
  const printed = vi.spyOn(console, 'error').mockImplementation(() => {});
  app.env = 'production';
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const { status } = await fetch(`http://127.0.0.1:${port}/`, { headers });
  await new Promise((resolve) => server.close(resolve));
  return { status, printed: printed.mock.calls };
}

describe.each([
  ['3', Koa],
  ['2', Koa2 as unknown as typeof Koa],
])('Koa %s', (_, Application) => {
  const protectedBy = (options: Parameters<typeof authenticate>[0]) =>
    new Application().use(authenticate(options)).use(requireClaims({ scope: 'admin' }));

  it('prints nothing for a refusal', async () => {
    expect(await ask(protectedBy(issuer.options))).toEqual({ status: 401, printed: [] });
    const token = await issuer.mint();
    expect(await ask(protectedBy(issuer.options), token)).toEqual({ status: 403, printed: [] });
  });

  it('prints nothing for an outage of the issuer', async () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const down = { ...issuer.options, keySets: [{ jwksUrl: 'http://127.0.0.1:1/', allowHttp: true }] };
    expect(await ask(protectedBy(down), await issuer.mint())).toEqual({ status: 503, printed: [] });
  });

  it('still prints a fault of the service', async () => {
    const { status, printed } = await ask(new Application().use(requireClaims({ scope: 'admin' })));
    expect(status).toBe(500);
    expect(String(printed)).toContain('register authenticate first');
  });
});
