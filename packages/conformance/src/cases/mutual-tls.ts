// Tokens that are bound to a certificate, RFC 8705: over TLS with this certificate, another one or
// none, and from proxies that name it in a header.
import { type CertificateName, clientCert, forwardedClientCert } from '../certificates.ts';
import { bearer, type ConformanceCase, type Expectation, ok, type Variant } from './case.ts';

const CERTIFIED = bearer('bound to the certificate');
const mismatch = { code: 'token_binding_mismatch' } as const;

type Row = readonly [
  title: string,
  expect: Expectation,
  certificate?: CertificateName | undefined,
  asked?: Partial<Pick<ConformanceCase, 'path' | 'method' | 'headers' | 'isCached' | 'proofs'>>,
];

/** Certificates of connections. */
const connections: readonly Row[] = [
  ['the certificate of the token', ok, 'client'],
  ['another certificate', mismatch, 'another'],
  ['no certificate', mismatch],
  ['the certificate of the token, by POST', ok, 'client', { method: 'POST' }],
  ['a cached token with its certificate', ok, 'client', { isCached: true }],
  ['a cached token with another certificate', mismatch, 'another', { isCached: true }],
  ['a cached token without a certificate', mismatch, undefined, { isCached: true }],
  ['a token that is not bound', ok, 'client', { headers: bearer('good') }],
  ['a token that is not bound, without a certificate', ok, undefined, { headers: bearer('good') }],
  ['no token', { code: 'credentials_missing' }, 'client', { headers: [] }],
  ['an expired token', { code: 'token_expired' }, 'client', { headers: bearer('expired') }],
  ['a token of a key', { code: 'token_claims_invalid' }, 'client', { headers: bearer('bound to the key') }],
  [
    'a token that names no certificate',
    { code: 'token_claims_invalid' },
    'client',
    { headers: bearer('bound to half a certificate') },
  ],
  ['a route that requires it', ok, 'client', { path: '/certified' }],
  ['a route that requires it, another certificate', mismatch, 'another', { path: '/certified' }],
  ['a named route that requires it', ok, 'client', { path: '/named/certified' }],
  ['a route that requires a binding', ok, 'client', { path: '/constrained' }],
  [
    'a token that is not bound on a route that requires it',
    mismatch,
    'client',
    { path: '/certified', headers: bearer('good') },
  ],
  [
    'a token that is not bound on a named route that requires it',
    mismatch,
    'client',
    { path: '/named/certified', headers: bearer('good') },
  ],
  [
    'a token that is not bound on a route that requires a binding',
    mismatch,
    'client',
    { path: '/constrained', headers: bearer('good') },
  ],
  [
    'a route with a scope',
    { code: 'scope_insufficient', scope: 'friends:read' },
    'client',
    { path: '/scope' },
  ],
];

const NOT_READ: readonly Row[] = [
  ['Client-Cert', mismatch, undefined, { headers: [...CERTIFIED, clientCert('client')] }],
  [
    'X-Forwarded-Client-Cert',
    mismatch,
    undefined,
    { headers: [...CERTIFIED, forwardedClientCert('client')] },
  ],
  ['another Client-Cert', ok, 'client', { headers: [...CERTIFIED, clientCert('another')] }],
];

/** The header of one kind of proxy, in the requests of a trusted one. */
const headers = (
  header: (name: CertificateName) => readonly [name: string, value: string],
  other: readonly [name: string, value: string],
): readonly Row[] => {
  const [name, value] = header('client');
  const sent = (...more: NonNullable<ConformanceCase['headers']>) => ({ headers: [...CERTIFIED, ...more] });
  return [
    ['the certificate of the token', ok, undefined, sent(header('client'))],
    ['another certificate', mismatch, undefined, sent(header('another'))],
    ['no header', mismatch],
    ['no header, and a certificate of the proxy', mismatch, 'client'],
    ['a header, and a certificate of the proxy', mismatch, 'client', sent(header('client'))],
    ['the header twice', mismatch, undefined, sent(header('client'), header('client'))],
    [
      'the header twice, with another certificate',
      mismatch,
      undefined,
      sent(header('another'), header('client')),
    ],
    ['two values in one header', mismatch, undefined, sent([name, `${value}, ${value}`])],
    ['the header of another kind of proxy', mismatch, undefined, sent(other)],
    ['both headers', mismatch, undefined, sent(header('client'), other)],
    ['an empty header', mismatch, undefined, sent([name, ''])],
    ['a malformed header', mismatch, undefined, sent([name, value.slice(0, -1)])],
    [
      'a cached token with another certificate',
      mismatch,
      undefined,
      { ...sent(header('another')), isCached: true },
    ],
  ];
};

/** Either kind of proof. */
const either: readonly Row[] = [
  ['the certificate of the token', ok, 'client'],
  ['another certificate', mismatch, 'another'],
  ['a token that is not bound', mismatch, 'client', { headers: bearer('good') }],
  [
    'a token of a key with its proof',
    ok,
    undefined,
    { headers: [['Authorization', 'DPoP {bound to the key}']], proofs: [{}] },
  ],
  [
    'a token of both with both proofs',
    ok,
    'client',
    {
      headers: [['Authorization', 'DPoP {bound to both}']],
      proofs: [{ token: 'bound to both' }],
    },
  ],
  [
    'a token of both with the proof of the key',
    { ...mismatch, scheme: 'DPoP' },
    'another',
    {
      headers: [['Authorization', 'DPoP {bound to both}']],
      proofs: [{ token: 'bound to both' }],
    },
  ],
  [
    'a token of both with its certificate',
    { ...mismatch, scheme: 'DPoP' },
    'client',
    { headers: bearer('bound to both') },
  ],
  ['a route that requires a certificate', ok, 'client', { path: '/certified' }],
  [
    'a token of a key on a route that requires a certificate',
    { ...mismatch, scheme: 'DPoP' },
    'client',
    {
      path: '/certified',
      headers: [['Authorization', 'DPoP {bound to the key}']],
      proofs: [{}],
    },
  ],
];

const rows = (authenticator: Variant, all: readonly Row[]): readonly ConformanceCase[] =>
  all.map(([title, expect, certificate, asked = {}]) => ({
    name: `RFC 8705: ${authenticator}: ${title}`,
    authenticator,
    path: '/token',
    headers: CERTIFIED,
    certificate,
    expect,
    ...asked,
  }));

/** All cases of certificates. */
export const mutualTlsCases: readonly ConformanceCase[] = [
  ...rows('mutual TLS', [...connections, ...NOT_READ]),
  ...rows('mutual TLS, described', connections.slice(0, 3)),
  ...rows('mutual TLS, Client-Cert', headers(clientCert, forwardedClientCert('client'))),
  ...rows('mutual TLS, Envoy', headers(forwardedClientCert, clientCert('client'))),
  ...rows('mutual TLS, untrusted', [...connections.slice(0, 3), ...NOT_READ]),
  ...rows('dpop or mutual TLS', either),
  {
    name: 'RFC 8705: without the option, a token that is bound to a certificate is refused',
    path: '/token',
    headers: CERTIFIED,
    expect: { code: 'token_claims_invalid' },
  },
];
