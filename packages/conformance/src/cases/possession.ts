// Tokens that are bound to a key, and proofs of the key: DPoP, RFC 9449. What is accepted by which
// scheme, every part of a proof that can be wrong, and proofs that are sent again.
import { type CaseProof, PUBLIC_URL } from '../proofs.ts';
import type { TokenName } from '../tokens.ts';
import { bearer, type ConformanceCase, type Expectation, ok, type Variant } from './case.ts';

const dpop = (token: TokenName, scheme = 'DPoP') => [['Authorization', `${scheme} {${token}}`]] as const;
const BOUND = dpop('bound to the key');
const invalid = { code: 'proof_invalid', scheme: 'DPoP' } as const;
const mismatch = { code: 'token_binding_mismatch', scheme: 'DPoP' } as const;
const nonceRequired = { code: 'proof_nonce_required', scheme: 'DPoP' } as const;
const NOW = () => Math.floor(Date.now() / 1000);

type Row = readonly [
  title: string,
  expect: Expectation,
  proof?: CaseProof,
  asked?: Partial<Pick<ConformanceCase, 'path' | 'method' | 'headers' | 'proofs' | 'sentBefore'>>,
];

/** Proofs that are wrong in one part, and proofs that only look so. */
const proofs: readonly Row[] = [
  ['a proof', ok],
  ['a proof of another method', invalid, { method: 'POST' }],
  ['a proof for POST', ok, {}, { method: 'POST' }],
  ['a proof with the method in lower case', invalid, { method: 'get' }],
  ['a proof of another path', invalid, { url: `${PUBLIC_URL}/url` }],
  ['a proof of another host', invalid, { url: 'https://evil.example/token' }],
  ['a proof of http', invalid, { url: 'http://api.example.com/token' }],
  ['a proof of another port', invalid, { url: 'https://api.example.com:8443/token' }],
  ['a proof of the default port', ok, { url: 'https://api.example.com:443/token' }],
  ['a proof of the host in upper case', ok, { url: 'https://API.EXAMPLE.COM/token' }],
  ['a proof with a slash at the end', invalid, { url: `${PUBLIC_URL}/token/` }],
  ['a proof with an escape that is not needed', ok, { url: `${PUBLIC_URL}/%74oken` }],
  ['a proof with an escaped slash', invalid, { url: `${PUBLIC_URL}%2Ftoken` }],
  ['a proof with the query of another request', ok, { claims: { htu: `${PUBLIC_URL}/token?a=b` } }],
  ['a request with a query', ok, {}, { path: '/token?a=b&c' }],
  ['a proof without a URL', invalid, { claims: { htu: null } }],
  ['a proof without a method', invalid, { claims: { htm: null } }],
  ['a proof of another token', invalid, { token: 'good' }],
  ['a proof without the hash of the token', invalid, { claims: { ath: null } }],
  ['a proof of another key', mismatch, { key: 'another' }],
  ['an old proof', invalid, { age: 90 }],
  ['a future proof', invalid, { age: -30 }],
  ['a proof without a time', invalid, { claims: { iat: null } }],
  ['a proof whose time is a text', invalid, { claims: { iat: String(NOW()) } }],
  ['a proof without a jti', invalid, { claims: { jti: null } }],
  ['a proof with a huge jti', invalid, { claims: { jti: 'a'.repeat(300) } }],
  ['a huge proof', invalid, { claims: { more: 'a'.repeat(12_000) } }],
  ['a proof of type JWT', invalid, { header: { typ: 'JWT' } }],
  ['a proof without a type', invalid, { header: { typ: null } }],
  ['a proof with a critical header', invalid, { header: { crit: ['exp'], exp: 4_000_000_000 } }],
  ['a proof without a key', invalid, { header: { jwk: null } }],
  ['a proof that names its key', invalid, { header: { jwk: null, kid: 'a', jku: 'https://evil.example/a' } }],
  ['a proof with a private key', invalid, { jwk: { d: 'AQAB' } }],
  ['a proof with a symmetric key', invalid, { jwk: { kty: 'oct', k: 'AQAB' } }],
  ['a proof with a key for another algorithm', invalid, { jwk: { alg: 'ES384' } }],
  ['a proof with another alg', invalid, { change: withAlg('HS256') }],
  ['a proof with alg none', invalid, { change: withAlg('none') }],
  ['a proof that was changed', invalid, { change: (proof) => proof.replace(/.{4}$/, 'AAAA') }],
  ['a proof that is cut off', invalid, { change: (proof) => proof.slice(0, proof.lastIndexOf('.')) }],
  ['two proofs', invalid, {}, { proofs: [{}, {}] }],
  ['two proofs in one header', invalid, { change: (proof) => `${proof}, ${proof}` }],
  ['an empty proof', invalid, { change: () => '' }],
  ['no proof', invalid, {}, { proofs: [] }],
  ['a proof for another Host', ok, {}, { headers: [...BOUND, ['X-Forwarded-Host', 'evil.example']] }],
  [
    'a proof of the Host that the request names',
    invalid,
    { url: 'https://evil.example/token' },
    {
      headers: [
        ...BOUND,
        ['Host', 'evil.example'],
        ['X-Forwarded-Host', 'evil.example'],
        ['X-Forwarded-Proto', 'https'],
      ],
    },
  ],
  ['a proof that was used', invalid, {}, { sentBefore: { path: '/token' } }],
  ['a proof that was used with a query', invalid, {}, { sentBefore: { path: '/token?a=b' } }],
  [
    'a proof that was used for another method',
    invalid,
    { method: 'GET' },
    { method: 'POST', sentBefore: { path: '/token' } },
  ],
  [
    'a proof that was used for another path',
    invalid,
    { url: `${PUBLIC_URL}/token` },
    { path: '/url', sentBefore: { path: '/token' } },
  ],
];

/** Tokens and schemes. */
const schemes: readonly Row[] = [
  ['the scheme in lower case', ok, {}, { headers: dpop('bound to the key', 'dpop') }],
  ['a bound token as a bearer token', mismatch, {}, { headers: bearer('bound to the key') }],
  [
    'a bound token as a bearer token, without its proof',
    mismatch,
    {},
    { headers: bearer('bound to the key'), proofs: [] },
  ],
  ['a token that is not bound, by DPoP', mismatch, { token: 'good' }, { headers: dpop('good') }],
  [
    'a token of an RSA key',
    ok,
    { token: 'bound to an RSA key', key: 'RSA' },
    { headers: dpop('bound to an RSA key') },
  ],
  [
    'a proof of the key of another token',
    mismatch,
    { token: 'bound to an RSA key' },
    { headers: dpop('bound to an RSA key') },
  ],
  [
    'a token that is bound to a certificate too',
    { code: 'token_claims_invalid', scheme: 'DPoP' },
    { token: 'bound to a key and a certificate' },
    { headers: dpop('bound to a key and a certificate') },
  ],
  [
    'both schemes',
    { code: 'credentials_ambiguous' },
    {},
    { headers: [...BOUND, ...bearer('bound to the key')] },
  ],
  [
    'both schemes in one header',
    { notHandled: true },
    {},
    { headers: [['Authorization', 'DPoP {bound to the key}, Bearer {bound to the key}']] },
  ],
  [
    'the scheme without a token',
    { code: 'credentials_malformed' },
    {},
    { headers: [['Authorization', 'DPoP']] },
  ],
  [
    'a route with a scope',
    { code: 'scope_insufficient', scheme: 'DPoP', scope: 'friends:read' },
    {},
    { path: '/scope' },
  ],
  ['a route that requires it', ok, {}, { path: '/bound' }],
  ['a named route that requires it', ok, {}, { path: '/named/bound' }],
  ['an expired token', { code: 'token_expired', scheme: 'DPoP' }, {}, { headers: dpop('expired') }],
];

const rows = (authenticator: Variant, all: readonly Row[]): readonly ConformanceCase[] =>
  all.map(([title, expect, proof = {}, asked = {}]) => ({
    name: `RFC 9449: ${authenticator}: ${title}`,
    authenticator,
    path: '/token',
    headers: BOUND,
    proofs: [proof],
    expect,
    ...asked,
  }));

/** Tokens that are not bound, by mode and by route. */
const unbound = (
  authenticator: Variant,
  path: string,
  expect: Expectation,
  headers: ConformanceCase['headers'] = bearer('good'),
): ConformanceCase => {
  const what = headers?.length === 0 ? 'no token' : 'a token that is not bound';
  return { name: `RFC 9449: ${authenticator}: ${what} on ${path}`, authenticator, path, headers, expect };
};

/** All cases of proofs. */
export const possessionCases: readonly ConformanceCase[] = [
  ...rows('dpop', [...proofs, ...schemes]),
  ...rows('dpop, described', schemes),
  ...rows('dpop required', [...proofs.slice(0, 2), ...schemes.slice(0, 4)]),
  ...rows('dpop, nonce', [
    ['the nonce of the service', ok, { nonce: 'served' }],
    ['no nonce', nonceRequired],
    ['another nonce', nonceRequired, { nonce: 'invented' }],
    ['a nonce that was used, with another proof', ok, { nonce: 'served' }, { path: '/token?again' }],
    ['the nonce, and another method', invalid, { nonce: 'served', method: 'POST' }],
    ['no proof', invalid, {}, { proofs: [] }],
  ]),
  {
    name: 'RFC 9449: dpop: the proof of a cached token is judged too',
    authenticator: 'dpop',
    path: '/token',
    headers: BOUND,
    proofs: [{ method: 'POST' }],
    isCached: true,
    expect: invalid,
  },
  unbound('dpop', '/token', ok),
  unbound('dpop', '/bound', mismatch),
  unbound('dpop', '/named/bound', mismatch),
  unbound('dpop', '/bound', { code: 'credentials_missing' }, []),
  unbound('dpop required', '/token', mismatch),
  unbound('dpop required', '/token', { code: 'credentials_missing' }, []),
  unbound('dpop required', '/bound', mismatch),
  {
    name: 'RFC 9728 §2: the document names the algorithms of proofs',
    authenticator: 'dpop required',
    path: '/.well-known/oauth-protected-resource',
    expect: {
      status: 200,
      handled: false,
      body: {
        dpop_signing_alg_values_supported: ['ES256', 'RS256'],
        dpop_bound_access_tokens_required: true,
      },
    },
  },
  {
    name: 'RFC 9449: without the option, a bound token is refused by both schemes',
    path: '/token',
    headers: BOUND,
    proofs: [{}],
    expect: { code: 'credentials_missing' },
  },
];

/** Writes another alg into the header of a proof. The signature stays. */
function withAlg(alg: string) {
  return (proof: string): string => {
    const [header = '', ...rest] = proof.split('.');
    const members = { ...JSON.parse(Buffer.from(header, 'base64url').toString()), alg };
    return [Buffer.from(JSON.stringify(members)).toString('base64url'), ...rest].join('.');
  };
}
