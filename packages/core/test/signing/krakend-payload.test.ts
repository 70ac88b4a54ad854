// The payload and the endpoint of KrakenD's documentation, to the letter: what a signer says about
// them, and the options that the gateway does not have.
import { createClock } from '@latchkey/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ConfigError } from '../../src/errors.ts';
import { fromKrakend, type KrakendAdditions } from '../../src/signing/krakend.ts';
import type { SignerOptions } from '../../src/signing/options.ts';
import { createSigner } from '../../src/signing/signer.ts';
import { parseToken } from '../../src/token/parse.ts';

const PAYLOAD = {
  aud: 'https://your.krakend.io',
  iss: 'https://your-backend',
  sub: '1234567890qwertyuio',
  jti: 'mnb23vcsrt756yuiomnbvcx98ertyuiop',
  roles: ['role_a', 'role_b'],
  exp: 1735689600,
};
const SIGNER = {
  alg: 'HS256',
  kid: 'sim2',
  'keys-to-sign': ['access_token', 'refresh_token'],
  'jwk-url': 'https://your-backend.example/jwk/symmetric.json',
};
const ENDPOINT = {
  endpoint: '/token',
  method: 'POST',
  backend: [{ host: ['https://backend'], url_pattern: '/token-issuer' }],
  extra_config: { 'github.com/devopsfaith/krakend-jose/signer': SIGNER },
};
const KEY = {
  kty: 'oct',
  kid: 'sim2',
  alg: 'HS256',
  k: Buffer.from('0123456789abcdefghijklmnopqrstuv').toString('base64url'),
};

/** Signs with the options of the gateway form, and keys in place of its URL. */
async function sign(claims: object, additions: KrakendAdditions = {}, now = '2024-12-31T12:00:00Z') {
  const ofResponses = new Set(['jwkUrl', 'allowHttp', 'keysToSign', 'full', 'onMissing']);
  const options = Object.fromEntries(
    Object.entries(fromKrakend(SIGNER, additions)).filter(([name]) => !ofResponses.has(name)),
  );
  const jwks = { keys: [KEY] };
  const signer = createSigner({ ...options, jwks, clock: createClock(Date.parse(now)) } as SignerOptions);
  return parseToken(await signer.sign({ ...claims }), 8192);
}

afterEach(() => vi.restoreAllMocks());

describe('the payload', () => {
  it('is signed while its exp is in the future', async () => {
    const { claims, header } = await sign(PAYLOAD);
    expect(claims).toEqual({ ...PAYLOAD, iat: expect.any(Number) });
    expect(header).toMatchObject({ alg: 'HS256', kid: 'sim2', typ: 'JWT' });
  });

  it('is signed as it is where iat, jti and typ are turned off', async () => {
    const { jti: _, ...claims } = PAYLOAD;
    const signed = await sign(claims, { addIat: false, addJti: false, typ: null });
    expect(signed.claims).toEqual(claims);
    expect(signed.header.typ).toBeUndefined();
  });

  it('with an exp in the past is refused with that reason', async () => {
    for (const now of ['2025-01-01T00:00:00Z', '2026-01-01T00:00:00Z'])
      await expect(sign(PAYLOAD, {}, now)).rejects.toThrow('exp is in the past');
  });

  it('without exp, or with one far away, is signed as the additions say', async () => {
    const { exp: _, ...endless } = PAYLOAD;
    const far = { ...PAYLOAD, exp: PAYLOAD.exp + 400 * 86_400 };
    await expect(sign(endless)).rejects.toThrow('set expiresIn, or requireExp: false');
    expect((await sign(endless, { requireExp: false })).claims).not.toHaveProperty('exp');
    expect((await sign(endless, { expiresIn: '1h' })).claims.exp).toBe(1_735_650_000);
    await expect(sign(far)).rejects.toThrow('at most maxLifetime');
    expect((await sign(far, { maxLifetime: '500d' })).claims.exp).toBe(far.exp);
  });
});

describe('the endpoint', () => {
  it('has a backend that is named as without effect', () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    fromKrakend(ENDPOINT);
    fromKrakend({ ...ENDPOINT, backend: undefined, timeout: '3s', '@comment': 'ours' } as never);
    fromKrakend({ endpoint: '/token', method: 'POST', extra_config: ENDPOINT.extra_config } as never);
    fromKrakend(SIGNER);
    const texts = warned.mock.calls.map(([text]) => String(text));
    expect(texts).toEqual([
      'fromKrakend: backend: no effect here; the handler of the route calls the backend',
      'fromKrakend: backend, timeout: no effect here; the handler of the route calls the backend',
    ]);
  });

  it.each<readonly [additions: object, path: string]>([
    [{ maxLifetime: 'long' }, 'maxLifetime'],
    [{ requireExp: 'no' }, 'requireExp'],
    [{ backend: [] }, 'additions.backend'],
    [{ addIat: undefined }, 'additions.addIat'],
    [{ expiresIn: '2h', maxLifetime: '1h' }, 'expiresIn'],
  ])('refuses additions: %j', (additions, path) => {
    const refused = () => fromKrakend(ENDPOINT, additions as KrakendAdditions);
    expect(refused).toThrow(expect.objectContaining({ name: 'ConfigError', path }) as ConfigError);
  });
});
