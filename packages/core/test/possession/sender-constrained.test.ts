// Which tokens are accepted where keys and certificates may bind them: by the modes of both kinds,
// by `senderConstrained`, and by what a route says. Nothing of it loosens another part.
import { createClientCertificate } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import { prepareAuthentication } from '../../src/adapter/decide.ts';
import type { RouteAccess } from '../../src/decision/access.ts';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import { type Asked, bench, outcomeOf, PUBLIC, refusalOf, viewOf } from './bench.ts';

type Mode = 'off' | 'allowed' | 'required';
const certificate = createClientCertificate();
const raw = Buffer.from(certificate.clientCert.slice(1, -1), 'base64');
const CONNECTION = { socket: { remoteAddress: '8.8.8.8', getPeerCertificate: () => ({ raw }) } };
const OUTCOMES = { accepted: 'yes', token_binding_mismatch: 'no', token_claims_invalid: 'unknown' };

async function service(dpop: Mode, mutualTls: Mode, senderConstrained: 'required' | 'allowed' = 'allowed') {
  const { authenticator, key, tokenOf, request } = await bench({
    dpop: { mode: dpop, publicUrl: PUBLIC },
    mutualTls: { mode: mutualTls },
    senderConstrained,
  });
  const tokens = {
    free: await tokenOf({}),
    key: await tokenOf({ cnf: key.cnf }),
    certificate: await tokenOf({ cnf: certificate.cnf }),
    both: await tokenOf({ cnf: { ...key.cnf, ...certificate.cnf } }),
  };
  const bearer = (token: string) => ({
    ...viewOf('GET', '/orders', [['Authorization', `Bearer ${token}`]]),
    ...CONNECTION,
  });
  const byDpop = (token: string, asked: Asked = {}) => request(token, { view: CONNECTION, ...asked });
  /** The outcome of each token, in the best way to send it. */
  async function outcomes(access: RouteAccess = {}) {
    const isByDpop = (name: string) => dpop !== 'off' && (name === 'key' || name === 'both');
    const all: string[] = [];
    for (const [name, token] of Object.entries(tokens)) {
      const view = isByDpop(name) ? await byDpop(token) : bearer(token);
      const outcome = await outcomeOf(authenticator, view, access);
      all.push(`${name} ${OUTCOMES[outcome as keyof typeof OUTCOMES] ?? outcome}`);
    }
    return all.join(', ');
  }
  return { authenticator, tokens, bearer, byDpop, outcomes };
}

it.each([
  ['off', 'off', 'free yes, key unknown, certificate unknown, both unknown'],
  ['off', 'allowed', 'free yes, key unknown, certificate yes, both unknown'],
  ['off', 'required', 'free no, key unknown, certificate yes, both unknown'],
  ['allowed', 'off', 'free yes, key yes, certificate unknown, both unknown'],
  ['allowed', 'allowed', 'free yes, key yes, certificate yes, both yes'],
  ['allowed', 'required', 'free no, key no, certificate yes, both yes'],
  ['required', 'off', 'free no, key yes, certificate unknown, both unknown'],
  ['required', 'allowed', 'free no, key yes, certificate no, both yes'],
  ['required', 'required', 'free no, key no, certificate no, both yes'],
] as const)('dpop %s, mutualTls %s: %s', async (dpop, mutualTls, expected) => {
  const { outcomes } = await service(dpop, mutualTls);
  // Also from the cache.
  for (let time = 0; time < 3; time++) expect(await outcomes()).toBe(expected);
});

it.each([
  ['off', 'allowed', 'free no, key unknown, certificate yes, both unknown'],
  ['allowed', 'off', 'free no, key yes, certificate unknown, both unknown'],
  ['allowed', 'allowed', 'free no, key yes, certificate yes, both yes'],
  ['required', 'allowed', 'free no, key yes, certificate no, both yes'],
] as const)('senderConstrained, dpop %s, mutualTls %s: %s', async (dpop, mutualTls, expected) => {
  const { outcomes } = await service(dpop, mutualTls, 'required');
  for (let time = 0; time < 3; time++) expect(await outcomes()).toBe(expected);
});

it.each([
  [{ dpop: 'required' }, 'free no, key yes, certificate no, both yes'],
  [{ mutualTls: 'required' }, 'free no, key no, certificate yes, both yes'],
  [{ senderConstrained: 'required' }, 'free no, key yes, certificate yes, both yes'],
  [{ dpop: 'required', mutualTls: 'required' }, 'free no, key no, certificate no, both yes'],
  [
    { dpop: 'allowed', mutualTls: 'allowed', senderConstrained: 'allowed' },
    'free yes, key yes, certificate yes, both yes',
  ],
] as const)('a route with %j: %s', async (access, expected) => {
  const { outcomes } = await service('allowed', 'allowed');
  for (let time = 0; time < 3; time++) expect(await outcomes(access)).toBe(expected);
});

describe('a token that is bound by both', () => {
  it('needs both proofs', async () => {
    const { authenticator, tokens, bearer, byDpop } = await service('allowed', 'allowed');
    const { both } = tokens;
    const ask = async (view: Parameters<typeof outcomeOf>[1]) => outcomeOf(authenticator, view);
    expect(await ask(await byDpop(both))).toBe('accepted');
    expect(await ask(await byDpop(both, { view: {} }))).toBe('token_binding_mismatch');
    expect(await ask(await byDpop(both, { proofs: [] }))).toBe('proof_invalid');
    expect(await ask(bearer(both))).toBe('token_binding_mismatch');
  });
});

it('a token of a certificate does not come by DPoP, and one of a key not as a bearer token', async () => {
  const { authenticator, tokens, bearer, byDpop } = await service('allowed', 'allowed');
  expect(await outcomeOf(authenticator, await byDpop(tokens.certificate))).toBe('token_binding_mismatch');
  expect(await outcomeOf(authenticator, bearer(tokens.key))).toBe('token_binding_mismatch');
});

it.each(['A', 'A'.repeat(42), 'A'.repeat(44), `${'A'.repeat(42)}=`, '', null, 1, [certificate.thumbprint]])(
  'x5t#S256 %j does not name a certificate',
  async (thumbprint) => {
    const { authenticator, tokenOf } = await bench({ dpop: { mode: 'off' }, mutualTls: { mode: 'allowed' } });
    const token = await tokenOf({ cnf: { 'x5t#S256': thumbprint } });
    const view = { ...viewOf('GET', '/', [['Authorization', `Bearer ${token}`]]), ...CONNECTION };
    expect(await outcomeOf(authenticator, view)).toBe('token_claims_invalid');
  },
);

it.each([
  ['required', 'allowed', 'allowed'],
  ['allowed', 'required', 'allowed'],
  ['allowed', 'allowed', 'required'],
] as const)(
  'verify accepts nothing where bound tokens are required: %s, %s, %s',
  async (dpop, mutualTls, senderConstrained) => {
    const { authenticator, tokens } = await service(dpop, mutualTls, senderConstrained);
    for (const token of Object.values(tokens)) {
      await expect(authenticator.verify(token)).rejects.toMatchObject({ code: 'token_binding_mismatch' });
      expect((await authenticator.explain(token)).allowed).toBe(false);
    }
  },
);

it('verify accepts no token of a certificate', async () => {
  const { authenticator, tokens } = await service('off', 'allowed');
  for (let time = 0; time < 3; time++)
    await expect(authenticator.verify(tokens.certificate)).rejects.toMatchObject({
      code: 'token_binding_mismatch',
    });
});

it.each([
  ['off', 'allowed', 'certificate', /^Bearer error="invalid_token"/],
  ['allowed', 'allowed', 'certificate', /^Bearer error="invalid_token".*, DPoP algs=/],
  ['allowed', 'allowed', 'key', /^DPoP error="invalid_token".*, Bearer$/],
  ['off', 'required', 'free', /^Bearer error="invalid_token"/],
] as const)(
  'dpop %s, mutualTls %s: the challenge of a refused token, %s',
  async (dpop, mutualTls, name, text) => {
    const { authenticator, tokens } = await service(dpop, mutualTls);
    const view = viewOf('GET', '/orders', [['Authorization', `Bearer ${tokens[name]}`]]);
    const refusal = await refusalOf(authenticator, view);
    expect(refusal?.code).toBe('token_binding_mismatch');
    expect(refusal?.headers['WWW-Authenticate']).toMatch(text);
  },
);

it('explain shows the parts of the proof', async () => {
  const { authenticator, bearer, tokens } = await service('off', 'allowed');
  const about = async (view: Parameters<typeof outcomeOf>[1]) =>
    (await authenticator.explain(view)).checks
      .filter(({ check }) => check === 'possession')
      .map((check) => `${check.about} ${check.outcome}`);
  expect(await about(bearer(tokens.certificate))).toEqual([
    'cnf passed',
    'the certificate of the client passed',
    'x5t#S256 passed',
  ]);
  const { socket: _none, ...alone } = bearer(tokens.certificate);
  expect(await about(alone)).toEqual(['cnf passed', 'the certificate of the client failed']);
});

const GOOD = { keySets: [{ issuer: 'i', jwksUrl: 'https://keys.example/jwks' }], audience: 'a' };
const ON = { mode: 'allowed' } as const;
const FORWARDED = { ...ON, header: 'Client-Cert', trustedPeers: ['10.0.0.0/8'] } as const;
const create = (more: object) => createAuthenticator({ ...GOOD, ...more } as never);

const wrong: readonly (readonly [options: object, path: string])[] = [
  [{ mutualTls: {} }, 'mutualTls.mode'],
  [{ mutualTls: { mode: 'on' } }, 'mutualTls.mode'],
  [{ mutualTls: { ...ON, header: 'X-Client-Cert' } }, 'mutualTls.header'],
  [{ mutualTls: { ...ON, header: 'Client-Cert' } }, 'mutualTls.trustedPeers'],
  [{ mutualTls: { ...ON, trustedPeers: ['10.0.0.0/8'] } }, 'mutualTls.trustedPeers'],
  ...[
    '0.0.0.0/0',
    '::/0',
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0',
    '10.0.0.0/',
    '10.0.0.0/-1',
    'localhost',
    '::ffff:10.0.0.1',
    '0:0:0:0:0:ffff::/96',
    '::/1',
    '::/8',
    '::ffff:a00:0/104',
    'fe80::1%eth0',
    '',
    1,
  ].map(
    (one) =>
      [{ mutualTls: { ...FORWARDED, trustedPeers: ['::1', one] } }, 'mutualTls.trustedPeers[1]'] as const,
  ),
  [{ mutualTls: { ...FORWARDED, trustedPeers: [] } }, 'mutualTls.trustedPeers'],
  [{ mutualTls: { mode: 'off', header: 'Client-Cert' } }, 'mutualTls.trustedPeers'],
  [{ mutualTls: ON, unsafeAcceptSenderConstrained: true }, 'unsafeAcceptSenderConstrained'],
  [{ senderConstrained: 'required' }, 'senderConstrained'],
  [{ senderConstrained: 'required', mutualTls: { mode: 'off' } }, 'senderConstrained'],
  [{ senderConstrained: true, mutualTls: ON }, 'senderConstrained'],
  [{ routes: { pay: { mutualTls: 'required' } } }, 'routes.pay.mutualTls'],
  [{ routes: { pay: { senderConstrained: 'required' } } }, 'routes.pay.senderConstrained'],
  [{ mutualTls: ON, routes: { pay: { dpop: 'required' } } }, 'routes.pay.dpop'],
  [{ mutualTls: ON, routes: { pay: { mutualTls: 'off' } } }, 'routes.pay.mutualTls'],
  [{ mutualTls: { mode: 'required' }, routes: { pay: { mutualTls: 'allowed' } } }, 'routes.pay.mutualTls'],
  [
    { mutualTls: { mode: 'required' }, routes: { pay: { senderConstrained: 'allowed' } } },
    'routes.pay.senderConstrained',
  ],
  [
    { mutualTls: ON, senderConstrained: 'required', routes: { pay: { mutualTls: 'allowed' } } },
    'routes.pay.mutualTls',
  ],
];

it.each(wrong)('%j is refused at %s', (options, path) => {
  expect(() => create(options)).toThrow(expect.objectContaining({ name: 'ConfigError', path }));
});

it.each([
  [{ mutualTls: 'required' }, {}, 'access.mutualTls'],
  [{ senderConstrained: 'required' }, {}, 'access.senderConstrained'],
  [{ mutualTls: 'required', mode: 'optional' }, { mutualTls: ON }, 'access.mode'],
  [{ senderConstrained: 'required', mode: 'optional' }, { mutualTls: ON }, 'access.mode'],
])('a route with %j is refused at start with options %j', (access, options, path) => {
  const prepare = () => prepareAuthentication(create(options), access as never);
  expect(prepare).toThrow(expect.objectContaining({ name: 'ConfigError', path }));
});

it.each([
  { mutualTls: { mode: 'off' } },
  { mutualTls: FORWARDED },
  { mutualTls: { ...FORWARDED, header: 'X-Forwarded-Client-Cert', trustedPeers: ['::1', '10.0.0.7'] } },
  { mutualTls: ON, senderConstrained: 'required', routes: { pay: { senderConstrained: 'required' } } },
])('%j is accepted', (options) => {
  expect(() => create(options)).not.toThrow();
});

it('RFC 9728 §2: the metadata of a resource say that tokens may be bound to a certificate', () => {
  const resource = { url: 'https://api.example.com' };
  const member = (mutualTls: object | undefined) => {
    const { audience: _audience, ...rest } = GOOD;
    const options = { ...rest, resource, ...(mutualTls === undefined ? {} : { mutualTls }) };
    const [published] = createAuthenticator(options as never).resources ?? [];
    return published?.metadata.tls_client_certificate_bound_access_tokens;
  };
  expect([member(undefined), member({ mode: 'off' }), member(ON), member({ mode: 'required' })]).toEqual([
    undefined,
    undefined,
    true,
    true,
  ]);
});
