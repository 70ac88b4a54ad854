// What a run says: the control before it, the report, and mistakes that are refused.
import { AssertionError } from 'node:assert';
import type { RequestListener } from 'node:http';
import { createAuthenticator } from '@latchkey/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AttackOptions, attack, createIssuer, type TestIssuer } from '../../src/index.ts';
import { serviceWith } from './service.ts';

let issuer: TestIssuer;
let sound: RequestListener;
let close: () => Promise<void>;
beforeAll(async () => {
  issuer = await createIssuer();
  const authenticator = createAuthenticator(issuer.options);
  sound = serviceWith(authenticator);
  close = () => authenticator.close();
});
afterAll(() => Promise.all([issuer.close(), close()]));

const only = ['T-016/none'];
const attacked = (more: Partial<AttackOptions>) =>
  attack({ target: sound, routes: [{ path: '/orders' }], options: issuer.options, issuer, only, ...more });

/** Accepts what has this in its Authorization header, besides good tokens. */
const accepting =
  (accepts: (token: string) => boolean): RequestListener =>
  (request, response) => {
    const [, token = ''] = request.headers.authorization?.split(' ') ?? [];
    if (accepts(token)) response.setHeader('content-type', 'application/json').end('{"subject":"alice"}');
    else sound(request, response);
  };
const isUnsigned = (token: string) => token.endsWith('.');

describe('the control', () => {
  it('a good token must be accepted', async () => {
    const routes = [{ path: '/orders', claims: { aud: 'https://other.example' } }];
    await expect(attacked({ routes })).rejects.toThrow(
      /^attack: GET \/orders: a good token is refused \(401\), so no attack can show anything\. Give the claims/,
    );
  });

  it('a request without a token must be refused', async () => {
    const target = accepting((token) => token === '');
    await expect(attacked({ target })).rejects.toThrow(/a request without a token is accepted \(200\)/);
  });

  it('a redirect is an answer of the service, unless isAccepted says otherwise', async () => {
    const target: RequestListener = (request, response) => {
      if (request.headers.authorization === undefined) response.writeHead(302, { location: '/login' }).end();
      else sound(request, response);
    };
    await expect(attacked({ target })).rejects.toThrow('accepted (302)');
    const report = await attacked({ target, isAccepted: ({ status }) => status === 200 });
    expect(report.attacks).toMatchObject([{ outcome: 'refused', status: 401 }]);
  });

  it('a service that cannot be reached, and one that does not answer', async () => {
    await expect(attacked({ target: 'http://127.0.0.1:9' })).rejects.toThrow('the connection was closed');
    await expect(attacked({ target: () => {}, timeoutMs: 50 })).rejects.toThrow('the connection was late');
  });

  it('a service that limits the rate shows nothing', async () => {
    let count = 0;
    const target: RequestListener = (request, response) => {
      if (count++ < 20) sound(request, response);
      else response.writeHead(429).end();
    };
    await expect(attacked({ target, only: ['T-018', 'T-035'] })).rejects.toThrow(/limits the rate.+Turn/);
  });

  it('a service that is dead afterwards is reported', async () => {
    let isDead = false;
    const target: RequestListener = (request, response) => {
      isDead ||= isUnsigned(request.headers.authorization ?? '');
      if (isDead) response.writeHead(401).end();
      else sound(request, response);
    };
    const report = await attacked({ target });
    expect(report.attacks).toMatchObject([
      { id: 'T-016/none', outcome: 'refused' },
      { id: 'control/after', outcome: 'broke', reason: expect.stringContaining('refused after the attacks') },
    ]);
    expect(() => report.assertSafe()).toThrow('1 broke the service');
  });
});

describe('the report', () => {
  it('has each attack, and no part of a token', async () => {
    const minted: string[] = [];
    const mint: TestIssuer['mint'] = async (...claims) => {
      const token = await issuer.mint(...claims);
      minted.push(token);
      return token;
    };
    const report = await attacked({
      target: accepting((token) => token !== ''),
      routes: [{ path: '/orders' }, { path: '/orders?all=true' }],
      issuer: { mint, key: issuer.key, jwks: issuer.jwks },
      only: ['T-016', 'T-018', 'T-085', 'T-006'],
    });
    expect(report.letIn.length).toBeGreaterThan(10);
    const text = `${JSON.stringify(report)}${report.summary}`;
    for (const token of minted) for (const part of token.split('.')) expect(text).not.toContain(part);
    expect(text).not.toContain('eyJ');
    expect(new Set(report.attacks.map(({ route }) => route))).toEqual(
      new Set(['GET /orders', 'GET /orders?all=true']),
    );
  });

  it('fails a test with what was let in, what to do, and how to repeat it', async () => {
    const report = await attacked({ target: accepting(isUnsigned), only: ['T-016'] });
    let error: unknown;
    try {
      report.assertSafe();
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(AssertionError);
    expect((error as AssertionError).message).toBe(`2 of 4 attacks were let in.

GET /orders: what every caller can do
  let-in T-016/none: alg "none", with an empty signature (200)
  let-in T-016/none-case: alg "None", "NONE" and "nOnE", with an empty signature (200)
    Every caller can write such a token. Verify with the algorithms of your keys only, and let the token choose none.

To repeat them, add only: ["T-016/none","T-016/none-case"]`);
    expect((error as AssertionError).actual).toEqual([
      'GET /orders T-016/none',
      'GET /orders T-016/none-case',
    ]);
  });

  it('an error of the service, and no answer in time, break it', async () => {
    const broken =
      (answer: RequestListener): RequestListener =>
      (request, response) =>
        isUnsigned(request.headers.authorization ?? '')
          ? answer(request, response)
          : sound(request, response);
    const fails = await attacked({ target: broken((_, response) => response.writeHead(500).end()) });
    expect(fails.broke).toMatchObject([{ id: 'T-016/none', status: 500 }]);
    const hangs = await attacked({ target: broken(() => {}), timeoutMs: 1_500 });
    expect(hangs.broke).toMatchObject([{ id: 'T-016/none', status: undefined }]);
    const closes = await attacked({ target: broken(({ socket }) => void socket.destroy()) });
    expect(closes.attacks).toMatchObject([{ outcome: 'refused', status: undefined }]);
  });

  it('attacks that need more of an issuer are skipped, with the reason', async () => {
    const mint: TestIssuer['mint'] = async (claims = {}, header) => {
      if (claims.exp === null) throw new RangeError('expected a time');
      return issuer.mint(claims, header);
    };
    const report = await attacked({
      issuer: { mint },
      only: ['T-010/list', 'T-018/jwks', 'T-057/exp-missing'],
    });
    expect(report.skipped.map(({ id, reason }) => [id, reason])).toEqual([
      ['T-018/jwks', 'no public key of this form is in the options, nor in issuer.jwks'],
      ['T-057/exp-missing', 'the issuer cannot make the tokens: RangeError'],
      ['T-010/list', 'it signs with the key of the issuer, and issuer.key is not given'],
    ]);
    expect(() => report.assertSafe()).not.toThrow();
  });
});

describe('an issuer that writes what it likes', () => {
  it('is said, and its good tokens are not taken for forged ones', async () => {
    const mint: TestIssuer['mint'] = (claims, header) => {
      const exp = Math.floor(Date.now() / 1000) + 60;
      return issuer.mint({ ...claims, exp, cnf: undefined }, { ...header, typ: 'JWT' });
    };
    const otherIssuer = {
      mint: (claims: object) => issuer.mint({ ...claims, iss: issuer.issuer, jti: 'own' }),
    };
    const report = await attacked({
      issuer: { mint, key: issuer.key },
      otherIssuer,
      only: ['T-058', 'T-057/exp-missing', 'T-072/no-proof', 'T-046/logout-token', 'T-049'],
    });
    expect(report.letIn).toEqual([]);
    expect(report.skipped.map(({ id, reason }) => [id, reason])).toEqual([
      ['T-049/issuer-mixing', 'mint of the issuer does not write jti as it is asked to'],
      ['T-072/no-proof', 'mint of the issuer does not write cnf as it is asked to'],
      ['T-046/logout-token', 'mint of the issuer does not write typ as it is asked to'],
      ['T-057/exp-missing', 'mint of the issuer does not write exp as it is asked to'],
      ['T-058/exp-past', 'mint of the issuer does not write exp as it is asked to'],
    ]);
  });
});

describe('mistakes', () => {
  it.each([
    ['routes', { routes: [] }],
    ['routes[0].path', { routes: [{ path: 'orders' }] }],
    ['routes[0].method', { routes: [{ path: '/orders', method: 'get' }] }],
    ['routes[0].claim', { routes: [{ path: '/orders', claim: {} }] }],
    ['options', { options: undefined }],
    ['options', { options: { descriptor: 'service.yaml' } }],
    ['issuer', { issuer: {} }],
    ['otherIssuer', { otherIssuer: { mint: true } }],
    ['only[0]', { only: ['none'] }],
    ['publicPaths[0]', { publicPaths: ['health'] }],
    ['timeoutMs', { timeoutMs: 0 }],
    ['unsafeRemote', { unsafeRemote: true }],
    ['target', { target: 'not a URL' }],
    ['target', { target: 'ftp://127.0.0.1' }],
    ['target', { target: 'http://127.0.0.1/api' }],
    ['target', { target: {} }],
    ['target', { target: 'https://api.example.com' }],
    ['target', { target: 'http://127.0.0.1.example.com' }],
    ['target', { target: 'http://[::ffff:10.0.0.1]' }],
    ['issuer.mint', { issuer: { mint: async () => 'opaque' } }],
  ])('%s', async (path, options) => {
    await expect(attacked(options as never)).rejects.toThrow(`${path}:`);
  });

  it('a host that is not on loopback needs an option that says so', async () => {
    const target = 'http://name.invalid';
    await expect(attacked({ target })).rejects.toThrow('this sends attacks');
    await expect(attacked({ target, unsafeRemoteTarget: true })).rejects.toThrow('the connection was');
  });
});
