// Requirements that are about the whole way of a token, end to end over a real issuer.
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Authenticator, createAuthenticator } from '../src/decision/authenticator.ts';
import { AuthError, authErrorCodes, ConfigError } from '../src/errors.ts';
import type { KeysetOptions } from '../src/keysets/options.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const close of closers.splice(0)) await close();
});

async function start(): Promise<TestIssuer> {
  const issuer = await createIssuer();
  closers.push(issuer.close);
  return issuer;
}

function trust(...keySets: readonly KeysetOptions[]): Authenticator {
  const authenticator = createAuthenticator({ keySets, audience: null });
  closers.push(authenticator.close);
  return authenticator;
}

const byDiscovery = ({ issuer }: TestIssuer): KeysetOptions => ({
  issuer,
  useOidcDiscovery: true,
  allowHttp: true,
});
const byUrl = ({ issuer, jwksUrl }: TestIssuer): KeysetOptions => ({ issuer, jwksUrl, allowHttp: true });

describe('keysets', () => {
  it('AK-2: users of one issuer and services of another, at one service', async () => {
    const [users, services] = [await start(), await start()];
    const authenticator = trust(byDiscovery(users), byUrl(services));
    await expect(authenticator.verify(await users.mint({ sub: 'alice' }))).resolves.toMatchObject({
      issuer: users.issuer,
    });
    await expect(authenticator.verify(await services.mint({ sub: 'billing' }))).resolves.toMatchObject({
      issuer: services.issuer,
      subject: 'billing',
    });
  });

  it('AK-12: a discovery document that cannot be reached, or is of another issuer, is told by ready()', async () => {
    const issuer = await start();
    issuer.fail({ kind: 'status', status: 404 });
    await expect(trust(byDiscovery(issuer)).ready()).rejects.toMatchObject({ code: 'keyset_unavailable' });
    const other = JSON.stringify({ issuer: 'https://other.example', jwks_uri: issuer.jwksUrl });
    issuer.fail({ kind: 'body', body: other });
    await expect(trust(byDiscovery(issuer)).ready()).rejects.toMatchObject({ code: 'keyset_unavailable' });
    issuer.fail();
    await expect(trust(byDiscovery(issuer)).ready()).resolves.toBeUndefined();
  });

  it('AK-13: a JWKS URL has to be https, and to give a JWK Set', async () => {
    const issuer = await start();
    expect(() => trust({ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl })).toThrow(ConfigError);
    issuer.fail({ kind: 'body', body: '{"key":[]}' });
    await expect(trust(byUrl(issuer)).ready()).rejects.toMatchObject({ code: 'keyset_unavailable' });
  });

  it('AK-18: with skipValidation ready() does not wait, and tokens are judged all the same', async () => {
    const issuer = await start();
    issuer.fail({ kind: 'status', status: 500 });
    const authenticator = trust({ ...byUrl(issuer), skipValidation: true } as KeysetOptions);
    await expect(authenticator.ready()).resolves.toBeUndefined();
    await expect(authenticator.verify(await issuer.mint())).rejects.toMatchObject({
      code: 'keyset_unavailable',
    });
  });
});

describe('verification', () => {
  it('AG-4: a token has three base64url parts', async () => {
    const issuer = await start();
    const token = await issuer.mint();
    expect(token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    await expect(trust(byUrl(issuer)).verify(token)).resolves.toBeDefined();
  });

  it('AG-7, AG-8, AG-11: the kid names the key, which is fetched first and used then', async () => {
    const issuer = await start();
    const first = await issuer.mint();
    const { kid } = await issuer.rotate();
    const second = await issuer.mint();
    const authenticator = trust(byUrl(issuer));
    expect(issuer.requests.jwks).toBe(0);
    await authenticator.verify(second);
    await authenticator.verify(first);
    expect(issuer.requests.jwks).toBe(1);
    issuer.publish(issuer.jwks.keys.filter((key) => key.kid !== kid));
    const without = trust(byUrl(issuer));
    await without.verify(first);
    await expect(without.verify(second)).rejects.toMatchObject({ code: 'token_key_unknown' });
  });

  it('AG-9: keys inline and keys behind a URL decide alike', async () => {
    const issuer = await start();
    const inline = trust({ issuer: issuer.issuer, jwks: issuer.jwks });
    for (const authenticator of [inline, trust(byUrl(issuer))]) {
      await expect(authenticator.verify(await issuer.mint())).resolves.toMatchObject({ subject: 'alice' });
      await expect(authenticator.verify(await issuer.mint({ iss: 'x' }))).rejects.toBeInstanceOf(AuthError);
    }
    expect(issuer.requests.jwks).toBe(1);
  });

  it('R2: a rotation without overlap fails no request, and all share one fetch; a second one within the cooldown does', async () => {
    const issuer = await start();
    const authenticator = trust(byUrl(issuer));
    await authenticator.verify(await issuer.mint());
    vi.useFakeTimers({ toFake: ['performance'] });
    await issuer.rotate({ keepOld: false });
    const token = await issuer.mint();
    await Promise.all(Array.from({ length: 100 }, () => authenticator.verify(token)));
    expect(issuer.requests.jwks).toBe(2);
    await issuer.rotate({ keepOld: false });
    const next = await issuer.mint();
    await expect(authenticator.verify(next)).rejects.toMatchObject({ code: 'token_key_unknown' });
    vi.advanceTimersByTime(9_999);
    await expect(authenticator.verify(next)).rejects.toMatchObject({ code: 'token_key_unknown' });
    vi.advanceTimersByTime(1);
    await expect(authenticator.verify(next)).resolves.toBeDefined();
    expect(issuer.requests.jwks).toBe(3);
  });
});

it.each(authErrorCodes)('T-089: no cache keeps the answer of %s', (code) => {
  expect(new AuthError(code).headers['Cache-Control']).toBe('no-store');
});
