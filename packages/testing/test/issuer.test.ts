// Tests of the issuer with a plain HTTP client, with jose and with an authenticator.
import { type Authenticator, createAuthenticator } from '@latchkey/core';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { generate } from 'selfsigned';
import { afterEach, describe, expect, it } from 'vitest';
import { createClock, createIssuer, type Fault, type IssuerOptions, type TestIssuer } from '../src/index.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function start(options?: IssuerOptions): Promise<TestIssuer> {
  const issuer = await createIssuer(options);
  closers.push(issuer.close);
  return issuer;
}

function trust(issuer: TestIssuer, tls?: { readonly ca: { readonly pem: string } }): Authenticator {
  const authenticator = createAuthenticator({
    keySets: [{ issuer: issuer.issuer, useOidcDiscovery: true, allowHttp: true, ...(tls && { tls }) }],
    audience: issuer.audience,
  });
  closers.push(authenticator.close);
  return authenticator;
}

const sizeOf = async (url: string) => (await (await fetch(url)).arrayBuffer()).byteLength;

describe('an issuer', () => {
  it('AK-11: publishes metadata and keys that jose accepts', async () => {
    const issuer = await start({ algorithm: 'RS256' });
    const metadata = (await (
      await fetch(`${issuer.issuer}/.well-known/openid-configuration`)
    ).json()) as object;
    expect(metadata).toEqual({ issuer: issuer.issuer, jwks_uri: issuer.jwksUrl });
    const keys = createRemoteJWKSet(new URL(issuer.jwksUrl));
    const { payload } = await jwtVerify(await issuer.mint({ sub: 'alice' }), keys, { issuer: issuer.issuer });
    expect(payload).toMatchObject({ sub: 'alice', aud: issuer.audience });
    expect(issuer.requests).toEqual({ metadata: 1, jwks: 1 });
    expect((await fetch(`${issuer.issuer}/other`)).status).toBe(404);
  });

  it('mints with default claims by its clock, and leaves out claims that are undefined', async () => {
    const clock = createClock(1_700_000_000_000);
    const issuer = await start({ clock, audience: 'urn:me' });
    const read = async (token: Promise<string>) => JSON.parse(atob((await token).split('.')[1] ?? ''));
    const { jti, ...rest } = await read(issuer.mint());
    expect(jti).toMatch(/^[0-9a-f-]{36}$/);
    const iat = 1_700_000_000;
    expect(rest).toEqual({ iss: issuer.issuer, aud: 'urn:me', sub: 'alice', iat, exp: iat + 300 });
    clock.advance(1000);
    expect(await read(issuer.mint({ exp: undefined, jti: undefined, sub: 'bob' }))).toEqual({
      iss: issuer.issuer,
      aud: 'urn:me',
      sub: 'bob',
      iat: iat + 1,
    });
  });

  it('AK-9, AG-10: rotates with and without the old key', async () => {
    const issuer = await start();
    const authenticator = trust(issuer);
    const old = await issuer.mint();
    await authenticator.verify(old);
    await issuer.rotate();
    expect(issuer.jwks.keys).toHaveLength(2);
    await authenticator.verify(await issuer.mint());
    await authenticator.verify(old);
    await issuer.rotate({ keepOld: false });
    expect(issuer.jwks.keys).toEqual([issuer.key.publicJwk]);
  });

  it.each<[Fault, (issuer: TestIssuer) => Promise<unknown>]>([
    [{ kind: 'status', status: 503 }, async ({ jwksUrl }) => expect((await fetch(jwksUrl)).status).toBe(503)],
    [{ kind: 'reset' }, ({ jwksUrl }) => expect(fetch(jwksUrl)).rejects.toThrow()],
    [
      { kind: 'gzip-bomb', bytes: 5_000_000 },
      async ({ jwksUrl }) => expect(await sizeOf(jwksUrl)).toBe(5_000_000),
    ],
    [
      { kind: 'body', body: '[]' },
      async ({ jwksUrl }) => expect(await (await fetch(jwksUrl)).text()).toBe('[]'),
    ],
    [
      { kind: 'redirect', location: '/elsewhere' },
      async ({ jwksUrl }) =>
        expect((await fetch(jwksUrl, { redirect: 'manual' })).headers.get('location')).toBe('/elsewhere'),
    ],
  ])('T-113: answers with %o, counts the request, and recovers', async (fault, check) => {
    const issuer = await start();
    issuer.fail(fault);
    await check(issuer);
    expect(issuer.requests.jwks).toBe(1);
    issuer.fail();
    expect(await (await fetch(issuer.jwksUrl)).json()).toEqual(issuer.jwks);
  });

  it.each<Fault>([{ kind: 'hang' }, { kind: 'drip', intervalMs: 5 }, { kind: 'endless' }])(
    'T-116, T-117: %o lasts until the client disconnects, and does not delay close()',
    async (fault) => {
      const issuer = await start();
      issuer.fail(fault);
      const away = new AbortController();
      const asked = fetch(issuer.jwksUrl, { signal: away.signal });
      if (fault.kind === 'hang') {
        // The first request has arrived when the second one is answered.
        await expect(Promise.race([asked, fetch(`${issuer.issuer}/other`)])).resolves.toMatchObject({
          status: 404,
        });
      } else {
        const reader = (await asked).body?.getReader();
        for (let chunks = 0; chunks < 3; chunks++) expect((await reader?.read())?.done).toBe(false);
      }
      away.abort();
      await asked.catch(() => {});
      await issuer.close();
    },
  );

  it('T-120: serves https with the certificate that it gets', async () => {
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
      algorithm: 'sha256',
      extensions: [
        { name: 'basicConstraints', cA: true },
        { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
      ],
    });
    const issuer = await start({ tls: { key, cert } });
    expect(issuer.issuer).toMatch(/^https:\/\/localhost:\d+$/);
    await expect(trust(issuer).verify(await issuer.mint())).rejects.toMatchObject({
      code: 'keyset_unavailable',
    });
    const trusting = trust(issuer, { ca: { pem: cert } });
    await expect(trusting.verify(await issuer.mint())).resolves.toMatchObject({ subject: 'alice' });
  });
});
