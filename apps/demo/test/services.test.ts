// The sample services over HTTP, each as a process of its own: what the demo does not tell, which is mostly what must not work.
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DemoService, frameworks, startService } from '../src/service.ts';

describe.each(frameworks)('%s', (framework) => {
  let issuer: TestIssuer;
  let service: DemoService;
  let url: string;
  let alice: string;

  beforeAll(async () => {
    issuer = await createIssuer();
    service = await startService(framework, issuer);
    url = service.url;
    alice = await issuer.mint({ sub: 'alice', scope: 'friends:read messages:write' });
  });

  afterAll(async () => {
    const exitCode = await service.stop();
    await issuer.close();
    expect(exitCode, 'exit code after SIGTERM').toBe(0);
  });

  const get = (path: string, token?: string) =>
    fetch(`${url}${path}`, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });

  const post = (body: string, token = alice) =>
    fetch(`${url}/messages`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body,
    });

  const friendTokenFor = async (token: string, name: string): Promise<string> => {
    const { friends } = (await (await get('/friends', token)).json()) as {
      friends: { name: string; friendToken: string }[];
    };
    return friends.find((friend) => friend.name === name)?.friendToken ?? '';
  };

  describe('AK-3: friends and messages', () => {
    it('AK-3: a friend token lets its caller write to that friend', async () => {
      const response = await post(
        JSON.stringify({ friendToken: await friendTokenFor(alice, 'carol'), text: 'Hi' }),
      );
      expect(response.status).toBe(201);
      expect(await response.json()).toEqual({ to: 'carol', from: 'alice', text: 'Hi' });
    });

    it("AK-3: a friend's token used by someone else is a 403", async () => {
      const mallory = await issuer.mint({ sub: 'mallory', scope: 'messages:write' });
      const body = JSON.stringify({ friendToken: await friendTokenFor(alice, 'bob'), text: 'Hi' });
      const response = await post(body, mallory);
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ code: 'claims_insufficient' });
    });

    it('T-046: a friend token is no access token', async () => {
      const response = await get('/friends', await friendTokenFor(alice, 'bob'));
      expect(response.status).toBe(401);
    });

    it('T-046: an access token is no friend token', async () => {
      const response = await post(JSON.stringify({ friendToken: alice, text: 'Hi' }));
      expect(response.status).toBe(401);
    });

    it('AK-3: a token without a subject has no friends', async () => {
      const response = await get('/friends', await issuer.mint({ sub: undefined, scope: 'friends:read' }));
      expect(response.status).toBe(403);
    });

    it('AK-7: it publishes the public half of its own key, and only that', async () => {
      const response = await get('/.well-known/jwks.json');
      const { keys } = (await response.json()) as { keys: object[] };
      expect(keys).toHaveLength(1);
      expect(Object.keys(keys[0] ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    });
  });

  describe('bad input', () => {
    it.each([
      ['no JSON', '{"friendToken":', 400],
      ['no object', '"text"', 400],
      ['null', 'null', 400],
      ['a number for the token', '{"friendToken":5,"text":"Hi"}', 400],
      ['no text', '{"friendToken":"a.b.c"}', 400],
      ['an empty text', '{"friendToken":"a.b.c","text":""}', 400],
      ['a long text', JSON.stringify({ friendToken: 'a.b.c', text: 'x'.repeat(1001) }), 400],
      ['a body over the limit', JSON.stringify({ friendToken: 'x'.repeat(20_000), text: 'Hi' }), 413],
      ['a malformed friend token', '{"friendToken":"a.b.c","text":"Hi"}', 401],
    ])('%s', async (_name, body, status) => {
      const response = await post(body);
      expect(response.status).toBe(status);
      const answer = (await response.json()) as { message: string };
      expect(answer.message).toMatch(/^[A-Z]/);
      expect(JSON.stringify(answer)).not.toContain('a.b.c');
    });

    it('T-084: nobody unknown makes the service read a body', async () => {
      const response = await post('{"friendToken":', 'x.y.z');
      expect(response.status).toBe(401);
    });

    it('a refusal is JSON with the challenge of the error', async () => {
      const response = await get('/admin', alice);
      expect(response.status).toBe(403);
      expect(response.headers.get('www-authenticate')).toContain('error="insufficient_scope"');
      expect(await response.json()).toMatchObject({
        code: 'claims_insufficient',
        message: 'The token lacks a claim that this request needs',
      });
    });
  });
});
