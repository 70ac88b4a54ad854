// What can be attacked: listeners, servers, URLs, objects with fetch; and services whose tokens are
// bound to their sender.
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type AuthenticatorOptions, createAuthenticator } from '@latchkey/core';
import { requestViewOf, toResponse } from '@latchkey/core/adapter';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  type AttackOptions,
  type AttackReport,
  type AttackRoute,
  attack,
  createClientCertificate,
  createIssuer,
  type IssuerOptions,
  type TestIssuer,
} from '../../src/index.ts';
import { serviceWith } from './service.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

const routes = [{ path: '/orders' }];
/** One attack of each kind of request. */
const only = ['T-016/none', 'T-095/double-slash', 'T-090/head', 'T-085'];

function authenticatorOf(options: AuthenticatorOptions) {
  const authenticator = createAuthenticator(options);
  onTestFinished(() => authenticator.close());
  return authenticator;
}

const attacked = (more: Pick<AttackOptions, 'target'> & Partial<AttackOptions>) =>
  attack({ routes, options: issuer.options, issuer, only, ...more });

const outcomes = ({ attacks }: AttackReport) => attacks.map(({ outcome }) => outcome);
const REFUSED = ['refused', 'refused', 'refused', 'refused'];

describe('a target', () => {
  it('is a listener', async () => {
    const target = serviceWith(authenticatorOf(issuer.options));
    expect(outcomes(await attacked({ target })).sort()).toEqual(REFUSED);
  });

  it('is a server that does not listen yet, which is closed at the end', async () => {
    const target = createServer(serviceWith(authenticatorOf(issuer.options)));
    expect(outcomes(await attacked({ target }))).toEqual(REFUSED);
    expect(target.listening).toBe(false);
  });

  it('is a server that listens, or its URL, which goes on', async () => {
    const target = createServer(serviceWith(authenticatorOf(issuer.options)));
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void target.close());
    const { port } = target.address() as AddressInfo;
    for (const one of [target, `http://127.0.0.1:${port}`, new URL(`http://localhost:${port}/`)])
      expect(outcomes(await attacked({ target: one }))).toEqual(REFUSED);
    expect(target.listening).toBe(true);
  });

  it('is an object with fetch', async () => {
    const authenticator = authenticatorOf(issuer.options);
    const fetch = async (request: Request) => {
      if (new URL(request.url).pathname !== '/orders') return new Response('nothing', { status: 404 });
      try {
        const auth = await authenticator.authenticate(requestViewOf(request));
        return Response.json({ subject: auth?.subject, body: await request.text() });
      } catch (error) {
        return toResponse(error as never);
      }
    };
    const post = {
      method: 'POST',
      path: '/orders',
      body: '{}',
      headers: { 'Content-Type': 'application/json' },
    };
    const report = await attacked({ target: { fetch }, routes: [...routes, post] });
    expect(report.letIn).toEqual([]);
    expect(report.broke).toEqual([]);
  });

  it('may answer in chunks, and after 103', async () => {
    const guarded = serviceWith(authenticatorOf(issuer.options));
    const target: RequestListener = (request, response) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' });
      const end = response.end.bind(response);
      response.end = ((text = '') => {
        response.write(text.slice(0, 5));
        return end(text.slice(5));
      }) as typeof response.end;
      guarded(request, response);
    };
    expect(outcomes(await attacked({ target }))).toEqual(REFUSED);
  });
});

describe('tokens that are bound to their sender', () => {
  const dpop = { mode: 'required', publicUrl: 'http://localhost:8080/api' } as const;

  it.each([
    ['proofs', dpop],
    ['proofs with a nonce', { ...dpop, nonce: { lifetime: '1h' } }],
    ['proofs, if they are bound', { ...dpop, mode: 'allowed', nonce: { lifetime: '1h' } }],
  ] as const)('by %s', async (_, mode) => {
    const options = { ...issuer.options, dpop: mode };
    const authenticator = authenticatorOf(options);
    // The proxy has removed /api.
    const rows = [...only, 'T-035', 'T-072', 'T-074'];
    const report = await attack({
      target: serviceWith(authenticator),
      routes,
      options,
      issuer,
      only: rows,
    });
    report.assertSafe();
    const skipped = report.skipped.filter(({ id }) => id.startsWith('T-072/proof'));
    expect(skipped).toEqual([]);
  });

  it('by a certificate', async () => {
    const [server, certificate] = [createClientCertificate(), createClientCertificate()];
    const options = { ...issuer.options, mutualTls: { mode: 'required' } } as const;
    const target = createSecureServer(
      { cert: server.cert, key: server.key, requestCert: true, rejectUnauthorized: false },
      serviceWith(authenticatorOf(options)),
    );
    const report = await attack({
      target,
      routes,
      options,
      issuer,
      certificate,
      only: ['T-016', 'T-072', 'T-095'],
    });
    report.assertSafe();
    expect(report.attacks.filter(({ id }) => id === 'T-072/unbound').map(({ outcome }) => outcome)).toEqual([
      'refused',
    ]);
    const alone = attack({ target, routes, options, issuer, only });
    await expect(alone).rejects.toThrow('a good token is refused (401)');
  });
});

describe('other configurations', () => {
  const all = async (
    how: IssuerOptions,
    more: Partial<AuthenticatorOptions>,
    route: Partial<AttackRoute> = {},
    rest: Partial<AttackOptions> = {},
  ) => {
    const own = await createIssuer(how);
    onTestFinished(() => own.close());
    const options = { ...own.options, ...more } as AuthenticatorOptions;
    const target = serviceWith(authenticatorOf(options), { claims: { scope: 'read' } });
    const requires = { scope: 'read' };
    const attacked = [{ path: '/orders', requires, ...route }];
    return attack({ target, routes: attacked, options, issuer: own, ...rest });
  };

  it('RSA', async () => {
    const report = await all({ algorithm: 'RS256' }, {});
    report.assertSafe();
    expect(report.skipped.map(({ id }) => id)).not.toContain('T-021/another-alg');
  });

  it('access tokens by RFC 9068, with limits', async () => {
    const more = { profile: 'at+jwt', clockSkew: '0s', maxTokenAge: '10m', maxLifetime: '10m' } as const;
    const report = await all({ algorithm: 'EdDSA' }, more, { claims: { client_id: 'app' } });
    report.assertSafe();
    const ids = report.skipped.map(({ id }) => id);
    expect(ids).not.toContain('T-046/id-token');
    expect(ids).not.toContain('T-061/too-old');
  });

  it('no audience, no exp, and iat in the future', async () => {
    const more = { audience: null, requireExp: false, allowFutureIat: true } as const;
    const report = await all({}, more, {}, { only: ['T-055', 'T-057', 'T-058', 'T-059'] });
    report.assertSafe();
    const reasons = report.skipped.map(({ id, reason }) => `${id}: ${reason}`);
    expect(reasons).toEqual(
      expect.arrayContaining([
        'T-055/aud-other: audience is null: aud is not checked',
        'T-057/exp-missing: requireExp is false',
        'T-059/iat-future: allowFutureIat is true',
      ]),
    );
  });
});
