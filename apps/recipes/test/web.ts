// What the recipes for web-standard handlers have in common: an application with `/orders`, which
// needs the scope `orders:write` and answers with the subject and the body, and with `/me`.
import { createGuard, type Guard, type Principal } from '@latchkey/web';
import { describe, expect, it } from 'vitest';
import { authenticator, badTokens, brokenGuards, issuer } from './support.ts';

/** The requests that reached a handler. */
export const received: unknown[] = [];

/** Starts an application. Returns its URL. */
export type Start = (guard: Guard<Principal>) => Promise<string>;

export const guardOf = () => createGuard(authenticator) as Guard<Principal>;

const body = '{"note":"as sent, ünd more"}';

export function describeWeb(name: string, start: Start): void {
  const ask = async (url: string, path: string, authorization?: string) => {
    const headers = {
      'content-type': 'application/json',
      'x-note': 'kept',
      ...(authorization === undefined ? {} : { authorization }),
    };
    const method = path === '/orders' ? 'POST' : 'GET';
    const response = await fetch(url + path, { method, headers, ...(method === 'POST' ? { body } : {}) });
    const challenge = response.headers.get('www-authenticate');
    const text = await response.text();
    return { status: response.status, challenge, text };
  };

  describe(name, () => {
    it('a missing or bad token is a 401 with the challenge', async () => {
      received.length = 0;
      const url = await start(guardOf());
      for (const path of ['/orders', '/me'])
        expect(await ask(url, path)).toMatchObject({
          status: 401,
          challenge: expect.stringMatching(/^Bearer(?: scope="orders:write")?$/),
        });
      for (const [token, code] of await badTokens()) {
        const answer = await ask(url, '/orders', `Bearer ${token}`);
        expect(answer).toMatchObject({ status: 401, challenge: expect.stringContaining('invalid_token') });
        expect(JSON.parse(answer.text)).toMatchObject({ code });
      }
      expect(await ask(url, '/me', 'Bearer')).toMatchObject({ status: 400 });
      expect(received).toEqual([]);
    });

    it('a token without the scope is a 403, and one with it gets through unchanged', async () => {
      received.length = 0;
      const url = await start(guardOf());
      const denied = await ask(url, '/orders', `Bearer ${await issuer.mint()}`);
      expect(denied).toMatchObject({ status: 403, challenge: expect.stringContaining('orders:write') });
      expect(received).toEqual([]);
      const authorization = `Bearer ${await issuer.mint({ sub: 'alice', scope: 'orders:write' })}`;
      const passed = await ask(url, '/orders', authorization);
      expect([passed.status, JSON.parse(passed.text)]).toEqual([200, { subject: 'alice' }]);
      expect(received).toEqual([{ order: JSON.parse(body), authorization, note: 'kept' }]);
      expect(await ask(url, '/me', authorization)).toMatchObject({ status: 200 });
    });

    it('an outage is a 503; a fault is a 500, and its text stays here', async () => {
      received.length = 0;
      const authorization = `Bearer ${await issuer.mint({ scope: 'orders:write' })}`;
      issuer.fail({ kind: 'status', status: 500 });
      expect(await ask(await start(guardOf()), '/orders', authorization)).toMatchObject({ status: 503 });
      for (const guard of brokenGuards()) {
        const url = await start(guard);
        for (const path of ['/orders', '/me']) {
          const { status, text } = await ask(url, path, authorization);
          expect([status, text.includes('secret')]).toEqual([500, false]);
        }
      }
      expect(received).toEqual([]);
    });
  });
}
