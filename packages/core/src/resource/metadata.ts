// The metadata of a protected resource, RFC 9728: the document, and its URL.
import type { BearerMethod } from '../credentials/find.ts';
import type { DpopSettings } from '../possession/options.ts';
import { isAuthorizationServer, type ResourceSettings } from './options.ts';

/** A protected resource, as clients find it. */
export interface ProtectedResource {
  /** Its identifier, exactly as in the options. */
  readonly url: string;
  /** The URL of its metadata, RFC 9728 §3.1. It is in every challenge. */
  readonly metadataUrl: string;
  /** The metadata, RFC 9728 §2. */
  readonly metadata: ResourceMetadata;
}

/** The metadata of a protected resource, RFC 9728 §2. Members without a value are left out. */
export interface ResourceMetadata {
  readonly resource: string;
  readonly authorization_servers?: readonly string[];
  readonly jwks_uri?: string;
  readonly scopes_supported?: readonly string[];
  readonly bearer_methods_supported?: readonly BearerMethod[];
  readonly resource_signing_alg_values_supported?: readonly string[];
  /** RFC 9449 §5.1 names the same member for authorization servers. */
  readonly dpop_signing_alg_values_supported?: readonly string[];
  readonly dpop_bound_access_tokens_required?: boolean;
  readonly tls_client_certificate_bound_access_tokens?: boolean;
  readonly resource_name?: string;
  readonly resource_documentation?: string;
  readonly resource_policy_uri?: string;
  readonly resource_tos_uri?: string;
}

/** What the metadata take from the other options, where `resource` says nothing. */
interface ResourceDefaults {
  /** The issuers of the keysets. */
  readonly issuers: readonly string[];
  /** The scopes that rules name. */
  readonly scopes: readonly string[];
  readonly methods: readonly BearerMethod[];
  /** How tokens come by DPoP. Undefined: they do not. */
  readonly dpop: Pick<DpopSettings, 'algorithms' | 'isRequired'> | undefined;
  /** Tokens may be bound to a certificate. */
  readonly mutualTls: boolean;
}

/** The path of the metadata of a resource without a path, and the start of all others. */
export const METADATA_PATH = '/.well-known/oauth-protected-resource';

/** Makes one resource of checked options. */
function protectedResource(
  settings: ResourceSettings,
  { issuers, scopes, methods, dpop, mutualTls }: ResourceDefaults,
): ProtectedResource {
  const { url, name, documentation, policy, termsOfService, jwksUrl, signingAlgorithms } = settings;
  const servers =
    settings.authorizationServers ?? issuers.filter((one) => isAuthorizationServer(one, settings.allowHttp));
  // Clients ask for offline_access by themselves, and no request needs it.
  const supported = settings.scopes ?? scopes.filter((scope) => scope !== 'offline_access');
  const metadata: ResourceMetadata = {
    resource: url,
    ...listed('authorization_servers', servers),
    ...given('jwks_uri', jwksUrl),
    ...listed('scopes_supported', supported),
    ...listed('bearer_methods_supported', methods),
    ...listed('resource_signing_alg_values_supported', signingAlgorithms ?? []),
    ...listed('dpop_signing_alg_values_supported', [...(dpop?.algorithms ?? [])]),
    ...(dpop?.isRequired === true ? { dpop_bound_access_tokens_required: true } : {}),
    ...(mutualTls ? { tls_client_certificate_bound_access_tokens: true } : {}),
    ...given('resource_name', name),
    ...given('resource_documentation', documentation),
    ...given('resource_policy_uri', policy),
    ...given('resource_tos_uri', termsOfService),
  };
  return Object.freeze({ url, metadataUrl: metadataUrlOf(url), metadata: Object.freeze(metadata) });
}

/** The resources of a service. */
export interface Resources {
  /** That of all routes that name none. */
  readonly own: ProtectedResource | undefined;
  /** By the names that routes give. */
  readonly named: ReadonlyMap<string, ProtectedResource>;
}

/**
 * Makes the resources of checked options.
 * @param defaultsOf gets the name of a resource; undefined for that of all other routes
 */
export function resourcesOf(
  {
    resource,
    resources = new Map(),
  }: {
    readonly resource: ResourceSettings | undefined;
    readonly resources: ReadonlyMap<string, ResourceSettings> | undefined;
  },
  defaultsOf: (name: string | undefined) => ResourceDefaults,
): Resources {
  return {
    own: resource && protectedResource(resource, defaultsOf(undefined)),
    named: new Map(
      [...resources].map(([name, settings]) => [name, protectedResource(settings, defaultsOf(name))]),
    ),
  };
}

/** RFC 9728 §3.1: the well-known path goes between host and path. The path `/` is dropped. */
function metadataUrlOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${METADATA_PATH}${pathname === '/' ? '' : pathname}`;
}

/** RFC 9728 §3.2: a parameter with zero values is left out. */
function listed<T>(
  name: keyof ResourceMetadata,
  values: readonly T[],
): { readonly [name: string]: readonly T[] } {
  return values.length === 0 ? {} : { [name]: Object.freeze([...new Set(values)]) };
}

function given(name: keyof ResourceMetadata, value: string | undefined): { readonly [name: string]: string } {
  return value === undefined ? {} : { [name]: value };
}
