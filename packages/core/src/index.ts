// '@latchkey/core': what applications use, and nothing else. The rest is in subpaths: './signing',
// './adapter', './tools' and './own-keys'.
export type { DecisionReaders } from './adapter/recent-decisions.ts';
export type { RouteReport, RoutesOptions } from './adapter/route-report.ts';
export type { ActingParty, Actor } from './claims/actor.ts';
export type { ActorRule } from './claims/actors.ts';
export type { CompiledRules } from './claims/compile.ts';
export { route } from './claims/compile.ts';
export type { Enforcement } from './claims/enforce.ts';
// A file that exports a rule needs the name of its type for its own declarations.
export type {
  AllOfRule,
  AnyOfRule,
  ExactlyRule,
  FromRequestRule,
  NoneOfRule,
  OptionalRule,
  PathRule,
  PatternRule,
  PresentRule,
  ReportOnlyRule,
  Rule,
  Rules,
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
  reportOnly,
} from './claims/rules.ts';
export type { ClaimsOf, SignedClaimsOf } from './claims/types.ts';
export type { Carrier } from './credentials/options.ts';
export type { AuthenticationMode, NamedRoute, RouteAccess } from './decision/access.ts';
export { compileAccess } from './decision/access.ts';
export type { Authenticator, AuthenticatorReport } from './decision/authenticator.ts';
export { authorize } from './decision/authorize.ts';
export type { CombinedAuthenticator, TokenSource } from './decision/combine.ts';
export { requireAll, requireAny } from './decision/combine.ts';
export type { Explanation } from './decision/explain.ts';
export type { ExplainedCheck } from './decision/explain-texts.ts';
export type { AuthenticatorOptions } from './decision/options.ts';
export { refusalOf } from './decision/pipeline.ts';
export type { Claims, Principal } from './decision/principal.ts';
export { signedClaims, tokenOf } from './decision/principal.ts';
export type { RecentDecision, RecentDecisions } from './decision/recent.ts';
export type { AcceptedUpgrade, UpgradeAuthenticator } from './decision/upgrade.ts';
export { authenticateUpgrade, whenExpired } from './decision/upgrade.ts';
export { createAuthenticator } from './descriptor/create.ts';
export type {
  DescribedAuthenticator,
  DescribedAuthenticatorReport,
  DescriptorReport,
} from './descriptor/described.ts';
export type { DescriptorOptions, LoadedDescriptor } from './descriptor/load.ts';
export { loadDescriptor } from './descriptor/load.ts';
export type { AuthErrorCode, AuthErrorCodes, FilePlace } from './errors.ts';
export { AuthError, ConfigError, isAuthError } from './errors.ts';
export type { DecisionEvent, LatchkeyEvents } from './events.ts';
export type { GroupSourceReport } from './groups/groups.ts';
export type { GroupsOptions } from './groups/options.ts';
export type { GroupResolver, GroupSubject } from './groups/resolver.ts';
export type { JwkSet } from './jwk/import-jwks.ts';
export type { AcceptedKey } from './keysets/accepted.ts';
export type { KeysetReport, TenantsReport } from './keysets/keyset.ts';
export type { KeysetFor, KeysetForReport } from './keysets/keyset-for.ts';
export type { KeysetOptions } from './keysets/options.ts';
export type { TenantPredicate, TenantsRule } from './keysets/tenants.ts';
export type { TlsOptions } from './net/tls.ts';
export type {
  EventReceiverOptions,
  LogoutOptions,
  ReceivedEvent,
  ReceivedEventKind,
  SecurityEventOptions,
} from './notices/options.ts';
export type { EventReceiver } from './notices/receiver.ts';
export { createEventReceiver } from './notices/receiver.ts';
export { addToOpenApi, describeOpenApi } from './openapi/document.ts';
export { reportAccess } from './openapi/report-access.ts';
export type { OpenApiOptions, OpenApiParts } from './openapi/types.ts';
export type { ProofMode } from './possession/mode.ts';
export type { ClientCertificateHeader, MutualTlsOptions } from './possession/mutual-tls-options.ts';
export type { DpopNonceOptions, DpopOptions } from './possession/options.ts';
export type { ReplayStore } from './possession/replay.ts';
export type { RemoteReport } from './remote/endpoint.ts';
export type { RemoteOptions } from './remote/options.ts';
export type { ProtectedResource, ResourceMetadata } from './resource/metadata.ts';
export type { ResourceOptions } from './resource/options.ts';
export type { FollowedFeed, RevocationFeed, RevocationSink } from './revocation/feed.ts';
export type { RevocationReport } from './revocation/list.ts';
export type { RevocationOptions } from './revocation/options.ts';
export type { Revocation, StoredRevocation } from './revocation/revocation.ts';
export { createDirectoryStore } from './secrets/directory.ts';
export type { MemoryStore, SecretReference, SecretStore } from './secrets/store.ts';
export { createEnvironmentStore, createMemoryStore } from './secrets/store.ts';
export type { AlgorithmName } from './token/algorithms.ts';
export type { Clock } from './values/clock.ts';
export type { Duration } from './values/duration.ts';
export type { JsonObject, JsonValue } from './values/json.ts';
