// The public surface of @latchkey/core, in two halves.

// For applications.

export type { RouteReport, RoutesOptions } from './adapter/route-report.ts';
export { route } from './claims/compile.ts';
export type { IssuerRule } from './claims/issuers.ts';
export type {
  AllOfRule,
  AnyOfRule,
  ClaimRow,
  ClaimRowType,
  ExactlyRule,
  FromRequestRule,
  Literal,
  NoneOfRule,
  OptionalRule,
  PathRule,
  PatternRule,
  PresentRule,
  RequestParameters,
  RequiredRule,
  Rule,
  Rules,
  RulesByClaim,
  ValuesRule,
} from './claims/rules.ts';
export {
  allOf,
  anyOf,
  at,
  exactly,
  fromRequest,
  noneOf,
  optional,
  pattern,
  present,
} from './claims/rules.ts';
export type { StandardSchema } from './claims/schema.ts';
export type { ClaimsOf } from './claims/types.ts';
export type { BodyCarrier, Carrier, CookieCarrier, HeaderCarrier, QueryCarrier } from './credentials/find.ts';
export type { AuthenticationMode, NamedRoute, RouteAccess } from './decision/access.ts';
export type { Authenticator, AuthenticatorReport } from './decision/authenticator.ts';
export { authorize } from './decision/authorize.ts';
export type { CombinedAuthenticator, TokenSource } from './decision/combine.ts';
export { requireAll, requireAny } from './decision/combine.ts';
export type { Explanation } from './decision/explain.ts';
export type { ExplainedCheck } from './decision/explain-texts.ts';
export type { AuthenticatorOptions } from './decision/options.ts';
export { refusalOf } from './decision/pipeline.ts';
export type { Claims, Principal } from './decision/principal.ts';
export type { AcceptedUpgrade, UpgradeAuthenticator } from './decision/upgrade.ts';
export { authenticateUpgrade, whenExpired } from './decision/upgrade.ts';
export { createAuthenticator } from './descriptor/create.ts';
export type {
  DescribedAuthenticator,
  DescribedAuthenticatorReport,
  DescriptorReport,
} from './descriptor/follow.ts';
export { interpolate } from './descriptor/interpolate.ts';
export type { DescriptorOptions, LoadedDescriptor } from './descriptor/load.ts';
export { loadDescriptor } from './descriptor/load.ts';
export type { AuthErrorCode, AuthErrorContext, FilePlace } from './errors.ts';
export { AuthError, ConfigError, isAuthError } from './errors.ts';
export type { LatchkeyEvents } from './events.ts';
export type { GroupEndpointOptions } from './groups/endpoint.ts';
export type { GroupSourceReport } from './groups/groups.ts';
export type { GroupSource, GroupsOptions, GroupTrust } from './groups/options.ts';
export type { GroupResolver, GroupSubject } from './groups/resolver.ts';
export { generateJwk, publicJwk } from './jwk/generate.ts';
export type { JwkSet } from './jwk/import-jwks.ts';
export type { KeysetReport } from './keysets/keyset.ts';
export type {
  DiscoveryKeysetOptions,
  ExternalSecretKeysetOptions,
  InlineKeysetOptions,
  JkuKeysetOptions,
  JwksUrlKeysetOptions,
  KeysetOptions,
  LegacyKeyOptions,
  PublicKeyOptions,
  PublicKeysKeysetOptions,
  SecretKeysetOptions,
} from './keysets/options.ts';
export type { TlsOptions } from './net/tls.ts';
export type { AuthDirectory, AuthDirectoryOptions, SavedToken } from './own-keys/auth-directory.ts';
export {
  createUserToken,
  initAuthDirectory,
  openAuthDirectory,
  userTokenFile,
} from './own-keys/auth-directory.ts';
export type { EnvironmentStart, EnvironmentStartOptions } from './own-keys/environment-start.ts';
export { loadEnvironmentStart } from './own-keys/environment-start.ts';
export type { RemoteReport } from './remote/endpoint.ts';
export type { IntrospectionRemoteOptions, RemoteOptions, SubjectRemoteOptions } from './remote/options.ts';
export { createDirectoryStore } from './secrets/directory.ts';
export type { EnvironmentStoreOptions, MemoryStore, SecretReference, SecretStore } from './secrets/store.ts';
export { createEnvironmentStore, createMemoryStore } from './secrets/store.ts';
export type {
  Capability,
  CapabilityIssuer,
  CapabilityIssuerOptions,
  CapabilityVerifier,
  CapabilityVerifierOptions,
} from './signing/capability.ts';
export { createCapabilityIssuer, createCapabilityVerifier } from './signing/capability.ts';
export type { ClaimsToSign } from './signing/claims.ts';
export type { KrakendConfiguration, KrakendSigner } from './signing/krakend.ts';
export { fromKrakend } from './signing/krakend.ts';
export type {
  ExternalSecretSignerOptions,
  JwksSignerOptions,
  JwkUrlSignerOptions,
  LegacyKeysSignerOptions,
  SecretFormat,
  SecretSignerOptions,
  SignerOptions,
  SigningAlgorithm,
} from './signing/options.ts';
export type { SignResponseOptions } from './signing/response.ts';
export type { RetiredKeys, RotatedKey } from './signing/rotation.ts';
export type { ServiceFetch, ServiceFetchOptions, ServiceTokenOptions } from './signing/service-fetch.ts';
export { createServiceFetch } from './signing/service-fetch.ts';
export type { PublishedKeys, Signer, SignerReport, SignOptions } from './signing/signer.ts';
export { createSigner } from './signing/signer.ts';
export type { AlgorithmName, LegacyAlgorithmName } from './token/algorithms.ts';
export type { Clock } from './values/clock.ts';
export type { Duration } from './values/duration.ts';
export type { JsonObject, JsonValue } from './values/json.ts';

// For authors of adapters and stores. A third party's needs no more than this.

export type { AuthenticationSource, PreparedAuthentication } from './adapter/decide.ts';
export {
  concealmentOf,
  decide,
  prepareAuthentication,
  requestViewOf,
  toAuthenticator,
  toResponse,
  whenDecided,
} from './adapter/decide.ts';
export { holdReply } from './adapter/hold-reply.ts';
export type { PassedMark, RouteMark } from './adapter/route-report.ts';
export { authenticateMarks, checkOnce, checkRoutes, reportRoute } from './adapter/route-report.ts';
export type { CompiledRules } from './claims/compile.ts';
export { claimNames, compileRules } from './claims/compile.ts';
export type { Concealment } from './credentials/query.ts';
export type { RequestView } from './credentials/request.ts';
export type { CompiledAccess } from './decision/access.ts';
export { compileAccess } from './decision/access.ts';
export { checkCombinedAccess } from './decision/combine.ts';
export type { Decision } from './decision/pipeline.ts';
export { isPrincipal } from './decision/principal.ts';
export { asError, authErrorCodes } from './errors.ts';
export { inconclusive } from './net/breaker.ts';
export type { OutgoingReply, ResponseSigner, SignedReply } from './signing/response.ts';
export { createResponseSigner } from './signing/response.ts';
