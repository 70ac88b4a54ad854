// What an authorization server is asked, and how the client authenticates: RFC 8693 §2.1, RFC 7523
// §2.1 and §2.2, RFC 6749 §2.3.1.
import { generateKeyPairSync } from 'node:crypto';
import { jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import type { ExchangeOptions } from '../../src/exchange/options.ts';
import { createSigner } from '../../src/signing/signer.ts';
import { clock, NOW } from '../remote/endpoints.ts';
import { startAuthenticator, startIssuer } from '../support/authenticators.ts';
import { closing } from '../support/closing.ts';
import { rejectionOf } from '../support/refusals.ts';
import {
  ALICE,
  exchangeAt,
  exchanging,
  formOf,
  GRANT,
  issued,
  outcomeOf,
  REFUSED,
  subjectOf,
  UNAVAILABLE,
  URN,
} from './token-servers.ts';

const EXCHANGE = {
  grant_type: `${GRANT}token-exchange`,
  subject_token: ALICE,
  subject_token_type: `${URN}access_token`,
  requested_token_type: `${URN}access_token`,
};

describe('a request', () => {
  it.each<[title: string, options: Partial<ExchangeOptions>, form: object]>([
    ['of nothing in particular', {}, EXCHANGE],
    [
      'for targets and scopes',
      {
        audience: ['invoices', 'orders'],
        resource: 'https://api.example.com/v1',
        scope: ['write read', 'read'],
      },
      {
        ...EXCHANGE,
        audience: ['invoices', 'orders'],
        resource: 'https://api.example.com/v1',
        scope: 'read write',
      },
    ],
    [
      'with an actor',
      { actor: { token: () => 'the-actor', tokenType: 'jwt' } },
      { ...EXCHANGE, actor_token: 'the-actor', actor_token_type: `${URN}jwt` },
    ],
    [
      'with other types of tokens',
      { subjectTokenType: 'id_token', requestedTokenType: 'urn:example:token' },
      {
        ...EXCHANGE,
        subject_token_type: `${URN}id_token`,
        requested_token_type: 'urn:example:token',
      },
    ],
    [
      'with a JWT as the grant',
      { grant: 'jwt-bearer', scope: 'read', parameters: { requested_token_use: 'on_behalf_of' } },
      {
        grant_type: `${GRANT}jwt-bearer`,
        assertion: ALICE,
        scope: 'read',
        requested_token_use: 'on_behalf_of',
      },
    ],
  ])('%s', async (_, options, form) => {
    const { server, exchange } = await exchanging(issued(), options);
    await exchange.tokenFor(ALICE).catch(() => {});
    expect(server.asked).toMatchObject([{ method: 'POST' }]);
    expect(server.asked[0]?.headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect(formOf(server.asked[0])).toEqual(form);
  });

  it('the target of a call replaces that of the options, member by member', async () => {
    const { server, exchange } = await exchanging(issued(), { audience: 'orders', scope: 'read' });
    await exchange.tokenFor(ALICE, { scope: 'write' });
    expect(formOf(server.asked[0])).toMatchObject({ audience: 'orders', scope: 'write' });
  });

  it('takes the token of a principal, and no copy of one', async () => {
    const issuer = await startIssuer();
    const authenticator = startAuthenticator(issuer.options);
    const token = await issuer.mint({ sub: 'alice' });
    const principal = await authenticator.verify(token, {});
    const { server, exchange } = await exchanging(issued(), { clock: Date });
    expect(await outcomeOf(exchange.tokenFor(principal))).toBe('issued');
    expect(formOf(server.asked[0])).toMatchObject({ subject_token: token });
    const error = await rejectionOf(exchange.tokenFor({ ...principal }));
    expect(error.message).toContain('expected a principal of an authenticator');
    for (const missing of [undefined, null, ''])
      await expect(exchange.tokenFor(missing as never)).rejects.toThrow(TypeError);
    expect(server.asked).toHaveLength(1);
  });

  it('a token that has expired is not sent', async () => {
    const { server, exchange } = await exchanging();
    expect(await outcomeOf(exchange.tokenFor(subjectOf('alice', { exp: NOW })))).toBe(REFUSED);
    expect(server.asked).toEqual([]);
  });

  it('a token of more than 64 KiB is not sent', async () => {
    const { server, exchange } = await exchanging();
    await expect(exchange.tokenFor('a'.repeat(64 * 1024 + 1))).rejects.toThrow(TypeError);
    expect(server.asked).toEqual([]);
    expect(await outcomeOf(exchange.tokenFor('a'.repeat(64 * 1024)))).toBe('issued');
  });

  it('an actor without a token: nothing is sent', async () => {
    for (const token of [() => '', () => Promise.reject(new Error('no token')), () => undefined]) {
      const { server, exchange } = await exchanging(issued(), { actor: { token: token as never } });
      expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe(UNAVAILABLE);
      expect(server.asked).toEqual([]);
    }
  });
});

describe('the client', () => {
  it('by HTTP Basic: id and secret are form-encoded first', async () => {
    const { server, exchange } = await exchanging(issued(), {
      clientAuthentication: {
        method: 'client_secret_basic',
        clientId: 'a:b',
        secret: { name: 'login', key: 'secret' },
      },
    });
    await exchange.tokenFor(ALICE);
    const [, basic = ''] = server.asked[0]?.headers.authorization?.split(' ') ?? [];
    expect(Buffer.from(basic, 'base64').toString()).toBe('a%3Ab:a%2Bb+c');
    expect(formOf(server.asked[0])).not.toHaveProperty('client_id');
  });

  it('by the form', async () => {
    const { server, exchange } = await exchanging(issued(), {
      clientAuthentication: {
        method: 'client_secret_post',
        clientId: 'orders',
        secret: { name: 'login', key: 'secret' },
      },
    });
    await exchange.tokenFor(ALICE);
    expect(server.asked[0]?.headers.authorization).toBeUndefined();
    expect(formOf(server.asked[0])).toMatchObject({ client_id: 'orders', client_secret: 'a+b c' });
  });

  it.each<[title: string, more: Partial<ExchangeOptions>, audience: string | undefined, aud: string]>([
    ['the token endpoint', {}, undefined, 'endpoint'],
    ['the issuer', { issuer: 'https://login.example.com' }, undefined, 'https://login.example.com'],
    ['the one of the options', {}, 'https://as.example.com', 'https://as.example.com'],
  ])('by a key: an assertion for each request, for %s', async (_, more, audience, aud) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwks = { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', kid: 'k' }] };
    const signer = closing(createSigner({ jwks, clock }));
    const { server, exchange } = await exchanging(issued(), {
      clientAuthentication: {
        method: 'private_key_jwt',
        clientId: 'orders',
        signer,
        ...(audience === undefined ? {} : { audience }),
      },
      ...more,
    });
    await exchange.tokenFor(ALICE);
    await exchange.tokenFor(subjectOf('bob'));
    const forms = server.asked.map(formOf);
    const ids = await Promise.all(
      forms.map(async ({ client_id, client_assertion_type, client_assertion }) => {
        expect(client_id).toBe('orders');
        expect(client_assertion_type).toBe('urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
        const { payload } = await jwtVerify(String(client_assertion), publicKey, {
          currentDate: new Date(NOW * 1000),
        });
        const { jti, ...claims } = payload;
        expect(claims).toEqual({
          iss: 'orders',
          sub: 'orders',
          aud: aud === 'endpoint' ? server.url : aud,
          iat: NOW,
          exp: NOW + 60,
        });
        return jti;
      }),
    );
    expect(new Set(ids).size).toBe(2);
  });

  it('without a secret, by a loud name only, and with a warning', async () => {
    const { server } = await exchanging();
    const exchange = exchangeAt(server.url, {
      clientAuthentication: { method: 'unsafeNone', clientId: 'orders' },
    });
    await exchange.tokenFor(ALICE);
    expect(process.emitWarning).toHaveBeenCalledWith(
      'clientAuthentication: unsafeNone lets anyone with a token of a user exchange it',
      expect.objectContaining({ code: 'LATCHKEY_UNSAFE' }),
    );
    expect(formOf(server.asked[0])).toMatchObject({ client_id: 'orders' });
    expect(server.asked[0]?.headers.authorization).toBeUndefined();
  });

  it.each([
    ['the store has no entry', { name: 'login', key: 'none' }],
    ['the store has no such secret', { name: 'nothing', key: 'secret' }],
  ])('%s: nothing is sent', async (_, secret) => {
    const { server, exchange } = await exchanging(issued(), {
      clientAuthentication: { method: 'client_secret_basic', clientId: 'orders', secret },
    });
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe(UNAVAILABLE);
    expect(server.asked).toEqual([]);
  });
});
