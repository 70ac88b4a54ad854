// The authenticators of cases. All trust one issuer, one that cannot be reached, and the signer of
// replies; each variant adds its own options. One of them reads its options from a file.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Authenticator,
  type AuthenticatorOptions,
  createAuthenticator,
  type RevocationFeed,
} from '@latchkey/core';
import type { AuthErrorContext } from '@latchkey/core/adapter';
import type { Variant } from './cases.ts';
import { PUBLIC_URL } from './proofs.ts';
import { ORDERS } from './routes.ts';
import { LOGIN_ISSUER } from './signers.ts';
import { PARTNER, type World } from './tokens.ts';

/** `LATCHKEY_CACHE=off pnpm conformance` runs all cases without the cache of tokens. */
export const HAS_CACHE = process.env.LATCHKEY_CACHE !== 'off';

/** A realm that needs quoting in a challenge. */
const REALM = 'friends "and" messages';

/** The URL of the metadata in the challenges of variants with a resource. */
const METADATA_URL = 'https://api.example.com/.well-known/oauth-protected-resource';
const resource = {
  url: 'https://api.example.com',
  scopes: ['friends:write', 'friends:read'],
};

/** Two resources on one host. Routes name the second one. */
const resources: Partial<AuthenticatorOptions> = {
  resource,
  resources: { files: { url: 'https://api.example.com/files', name: 'Files' } },
  routes: {
    'files for readers': { resource: 'files', claims: { scope: 'friends:read' } },
  },
};

/** The rules that routes refer to by name. An adapter refuses a name that is not here at start. */
const ROUTES: NonNullable<AuthenticatorOptions['routes']> = {
  admin: { claims: { roles: { anyOf: ['admin', 'root'] } } },
  writers: { claims: { scope: 'friends:write' } },
  partner: { claims: { roles: ['root'] }, issuers: ['https://partner.example'] },
  orders: { audience: ORDERS },
  tenant: { claims: { tenant: { fromRequest: 'params.tenant' } } },
  pay: { acr: ['urn:example:mfa', 'urn:example:hw'], maxAge: '1h' },
  acting: { actors: ['gateway'] },
  reporting: { claims: { roles: ['root'] }, maxAge: '1h', enforce: false },
};

/** A partner whose tokens are for orders, and the issuer of this service, each with its options. */
function keysetsFor({ trusted, stranger }: World): AuthenticatorOptions['keySets'] {
  return [
    {
      issuer: trusted.issuer,
      useOidcDiscovery: true,
      allowHttp: true,
      audience: trusted.audience,
      typ: 'JWT',
    },
    {
      issuer: PARTNER,
      jwks: { keys: [stranger.publicJwk] },
      audience: ORDERS,
      claims: { dept: 'IT' },
      typ: 'at+jwt',
      maxTokenAge: '10m',
      maxLifetime: '1h',
    },
  ];
}

/** Tokens that are bound to a key, with their proofs. */
const dpop = { mode: 'allowed', publicUrl: PUBLIC_URL, algorithms: ['ES256', 'RS256'] } as const;
const possession: Partial<AuthenticatorOptions> = { dpop, routes: { bound: { dpop: 'required' } } };

/** Tokens that are bound to a certificate. */
const mutualTls = { mode: 'allowed' } as const;
const certified: Partial<AuthenticatorOptions> = {
  mutualTls,
  routes: { certified: { mutualTls: 'required' } },
};
const behind = (header: 'Client-Cert' | 'X-Forwarded-Client-Cert', trustedPeers: readonly string[]) => ({
  ...certified,
  mutualTls: { ...mutualTls, header, trustedPeers },
});

/** A list of revocations that is never confirmed. */
const silent: RevocationFeed = {
  description: 'a feed that says nothing',
  follow: () => ({ close: () => Promise.resolve() }),
  publish: () => Promise.reject(new Error('not connected')),
};

/** By name. */
export const VARIANTS: { readonly [Name in Variant]: Partial<AuthenticatorOptions> } = {
  strict: {},
  optional: { mode: 'optional' },
  permissive: { mode: 'permissive' },
  realm: { realm: REALM },
  carriers: {
    tokenFrom: [
      { header: 'Authorization' },
      { header: 'X-Token' },
      { header: 'X-Scheme', scheme: 'Token' },
      { cookie: 'token', allowedOrigins: ['https://app.example.com'] },
      { query: 'access_token' },
    ],
  },
  scopes: {
    realm: REALM,
    scopes: { implies: { 'friends:all': ['friends:read', 'friends:write'] }, permissions: true },
    exposeChallenge: true,
  },
  nested: { nestedClaimDelimiter: '.' },
  profile: { profile: 'at+jwt' },
  https: { requireSecureTransport: true },
  'behind a proxy': { requireSecureTransport: true },
  resource: { resource },
  'resource, no cache': { resource, cache: false },
  resources,
  'resources, no cache': { ...resources, cache: false },
  'resources, described': resources,
  described: {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is a variable of the file.
    realm: '${REALM}',
    resource: { url: 'https://api.example.com/described', name: 'Described' },
  },
  dpop: possession,
  'dpop required': { ...possession, resource, dpop: { ...dpop, mode: 'required' } },
  'dpop, described': possession,
  'dpop, nonce': { ...possession, dpop: { ...dpop, nonce: { lifetime: '1h' } } },
  'dpop or mutual TLS': {
    dpop,
    mutualTls,
    senderConstrained: 'required',
    routes: { ...possession.routes, ...certified.routes },
  },
  'mutual TLS': certified,
  'mutual TLS, described': certified,
  'mutual TLS, Client-Cert': behind('Client-Cert', ['127.0.0.0/8']),
  'mutual TLS, Envoy': behind('X-Forwarded-Client-Cert', ['::1', '127.0.0.1']),
  'mutual TLS, untrusted': behind('Client-Cert', ['10.0.0.0/8']),
  revocation: { revocation: {} },
  'revocation, described': { revocation: { file: 'revocations.jsonl' } },
  'revocation, optional': { revocation: {}, mode: 'optional' },
  'revocation, permissive': { revocation: {}, mode: 'permissive' },
  'revocation, stale': { revocationFeed: silent },
  only: { audMatch: 'only' },
  lifetime: { maxLifetime: '10m' },
  keysets: {},
  'keysets, uncached': { cache: false },
  'keysets, described': {},
  uncached: { cache: false },
};

/** What the challenges of a variant have in common. */
export function challengeOf(
  variant: Variant | undefined,
): Pick<AuthErrorContext, 'realm' | 'resourceMetadata' | 'isExposed' | 'dpop'> {
  if (variant === 'described') return { realm: REALM, resourceMetadata: `${METADATA_URL}/described` };
  if (variant === 'dpop required')
    return { resourceMetadata: METADATA_URL, dpop: { algs: 'ES256 RS256', isRequired: true } };
  if (variant?.startsWith('dpop')) return { dpop: { algs: 'ES256 RS256', isRequired: false } };
  if (variant === 'realm') return { realm: REALM };
  if (variant === 'scopes') return { realm: REALM, isExposed: true };
  return variant?.startsWith('resource') ? { resourceMetadata: METADATA_URL } : {};
}

/** Makes the authenticator of a variant. */
export function authenticatorFor(
  world: World,
  variant: Variant,
  more: Partial<AuthenticatorOptions> = {},
): Authenticator {
  const options: AuthenticatorOptions = Object.assign(
    optionsFor(world, variant),
    HAS_CACHE ? {} : { cache: false },
    more,
  );
  if (!variant.endsWith('described')) return createAuthenticator(options);
  // JSON is YAML, and a descriptor has the same options in the same form.
  const descriptor = join(world.directory, `${variant}.yaml`);
  if (options.revocation?.file !== undefined)
    writeFileSync(join(world.directory, options.revocation.file), '', { flag: 'a' });
  writeFileSync(descriptor, JSON.stringify({ service: { jwt: options } }, null, 2));
  return createAuthenticator({ descriptor, environment: { REALM } });
}

function optionsFor(world: World, variant: Variant): AuthenticatorOptions {
  const { trusted, down, signers } = world;
  return {
    keySets: [
      { issuer: trusted.issuer, useOidcDiscovery: true, allowHttp: true },
      { issuer: down.issuer, jwksUrl: down.jwksUrl, allowHttp: true },
      { issuer: LOGIN_ISSUER, jwks: signers.jwks },
    ],
    // The URL of the resource is the audience, where nothing else is said.
    ...(variant.startsWith('resource') ? { resource } : { audience: trusted.audience }),
    ...(variant.startsWith('keysets') && { keySets: keysetsFor(world) }),
    ...VARIANTS[variant],
    routes: { ...ROUTES, ...VARIANTS[variant].routes },
  } as AuthenticatorOptions;
}
