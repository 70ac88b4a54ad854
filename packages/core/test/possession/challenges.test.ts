// Challenges of a service with DPoP (RFC 9449 §7.1, §7.2), and its metadata (RFC 9728 §2).
import { expect, it } from 'vitest';
import { principalOf } from '../../src/decision/authenticator.ts';
import { authorize } from '../../src/decision/authorize.ts';
import { bench, PUBLIC, refusalOf, viewOf } from './bench.ts';

const ALGS = 'algs="ES256 PS256"';
const DESCRIPTION = 'error_description="The proof of possession is not valid"';
const options = (mode: 'allowed' | 'required') => ({
  dpop: { mode, publicUrl: PUBLIC, algorithms: ['ES256', 'PS256'] as const },
});

async function challengeOf(
  mode: 'allowed' | 'required',
  kind: 'none' | 'bearer' | 'proof' | 'bound' | 'scope',
) {
  const { authenticator, request, token, tokenOf } = await bench(options(mode));
  const expired = await tokenOf({ exp: 1 });
  const view = {
    none: () => viewOf('GET', '/orders', []),
    bearer: () => viewOf('GET', '/orders', [['Authorization', `Bearer ${expired}`]]),
    bound: () => viewOf('GET', '/orders', [['Authorization', `Bearer ${token}`]]),
    proof: () => request(token, { claims: { htm: 'PUT' } }),
    scope: () => request(token),
  };
  const access = kind === 'scope' ? { claims: { scope: 'read' } } : {};
  return (await refusalOf(authenticator, await view[kind](), access))?.headers['WWW-Authenticate'];
}

it.each([
  ['allowed', 'none', `Bearer, DPoP ${ALGS}`],
  ['required', 'none', `DPoP ${ALGS}`],
  [
    'allowed',
    'bearer',
    `Bearer error="invalid_token", error_description="The token has expired", DPoP ${ALGS}`,
  ],
  ['required', 'bearer', `DPoP error="invalid_token", error_description="The token has expired", ${ALGS}`],
  ['allowed', 'proof', `DPoP error="invalid_dpop_proof", ${DESCRIPTION}, ${ALGS}, Bearer`],
  ['required', 'proof', `DPoP error="invalid_dpop_proof", ${DESCRIPTION}, ${ALGS}`],
  [
    'allowed',
    'bound',
    `DPoP error="invalid_token", error_description="The token is not bound to the key of the sender", ${ALGS}, Bearer`,
  ],
  [
    'required',
    'scope',
    `DPoP error="insufficient_scope", error_description="The token lacks a scope that this request needs", scope="read", ${ALGS}`,
  ],
] as const)('mode %s, %s: %s', async (mode, kind, challenge) => {
  expect(await challengeOf(mode, kind)).toBe(challenge);
});

it('what the client has to do is said once, and both schemes name the metadata', async () => {
  const { authenticator } = await bench({
    ...options('allowed'),
    realm: 'orders',
    resource: { url: 'https://api.example.com' },
  });
  const refusal = await refusalOf(authenticator, viewOf('GET', '/orders', []), { claims: { scope: 'read' } });
  const metadata = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"';
  expect(refusal?.headers['WWW-Authenticate']).toBe(
    `Bearer realm="orders", scope="read", ${metadata}, DPoP ${metadata}, ${ALGS}`,
  );
});

it('a refusal after the decision has the scheme of the token', async () => {
  const { authenticator, request, token, tokenOf } = await bench(options('allowed'));
  const scheme = (principal: unknown) => {
    try {
      authorize(principal as never, { scope: 'read' });
      return 'none';
    } catch (error) {
      return /^(\w+) error/.exec(
        (error as { headers: Record<string, string> }).headers['WWW-Authenticate'] ?? '',
      )?.[1];
    }
  };
  expect(scheme(principalOf(await authenticator.decide(await request(token))))).toBe('DPoP');
  const view = viewOf('GET', '/orders', [['Authorization', `Bearer ${await tokenOf({})}`]]);
  expect(scheme(principalOf(await authenticator.decide(view)))).toBe('Bearer');
});

it('RFC 9728 §2: the metadata name the algorithms, and say whether tokens must be bound', async () => {
  const resource = { url: 'https://api.example.com' };
  const allowed = await bench({ ...options('allowed'), resource });
  expect(allowed.authenticator.resources?.[0]?.metadata).toMatchObject({
    dpop_signing_alg_values_supported: ['ES256', 'PS256'],
  });
  expect(allowed.authenticator.resources?.[0]?.metadata).not.toHaveProperty(
    'dpop_bound_access_tokens_required',
  );
  const required = await bench({ ...options('required'), resource });
  expect(required.authenticator.resources?.[0]?.metadata).toMatchObject({
    dpop_signing_alg_values_supported: ['ES256', 'PS256'],
    dpop_bound_access_tokens_required: true,
  });
  const off = await bench({ dpop: { mode: 'off' }, resource });
  expect(Object.keys(off.authenticator.resources?.[0]?.metadata ?? {}).join()).not.toContain('dpop');
});
