// The public surface of @latchkey/core, in two halves.

// For applications.
export type { Authenticator } from './authenticator.ts';
export { authorize, createAuthenticator } from './authenticator.ts';
// For authors of adapters. A third party's adapter needs no more than this.
export type { CompiledRules } from './claims/compile.ts';
export { compileRules } from './claims/compile.ts';
export type {
  AllOfRule,
  AnyOfRule,
  Literal,
  OptionalRule,
  PatternRule,
  PresentRule,
  RequiredRule,
  Rule,
  Rules,
} from './claims/rules.ts';
export { allOf, anyOf, optional, pattern, present } from './claims/rules.ts';
export type { BodyCarrier, Carrier, CookieCarrier, HeaderCarrier, QueryCarrier } from './credentials/find.ts';
export type { RequestView } from './credentials/request.ts';
export type { Duration } from './duration.ts';
export type { AuthErrorCode, AuthErrorContext } from './errors.ts';
export { AuthError, authErrorCodes, ConfigError, isAuthError } from './errors.ts';
export type { LatchkeyEvents } from './events.ts';
export type { JwkSet } from './keysets/jwk.ts';
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
export type { TlsOptions } from './keysets/tls.ts';
export type { AuthenticatorOptions, Clock } from './options.ts';
export type { Claims, Principal } from './principal.ts';
export { createDirectoryStore } from './secrets/directory.ts';
export type { EnvironmentStoreOptions, MemoryStore, SecretReference, SecretStore } from './secrets/store.ts';
export { createEnvironmentStore, createMemoryStore } from './secrets/store.ts';
export type { AlgorithmName, LegacyAlgorithmName } from './token/algorithms.ts';
export type { JsonObject, JsonValue } from './token/json.ts';
