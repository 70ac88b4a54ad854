// '@latchkey/core/signing': the functions of applications for signing, publishing keys and sending
// tokens. The signing of replies for adapters is in '../adapter'.
export type {
  AssertionSigner,
  ClientAuthentication,
  PrivateKeyClientAuthentication,
  SecretClientAuthentication,
  UnsafeNoClientAuthentication,
} from '../exchange/client-authentication.ts';
export type { Exchange, ExchangedToken, ExchangeReport } from '../exchange/exchange.ts';
export { createExchange } from '../exchange/exchange.ts';
export type { ActorToken, ExchangeOptions } from '../exchange/options.ts';
export type { AuthorizationServerOptions } from '../exchange/server-options.ts';
export type { ExchangeTarget } from '../exchange/target.ts';
export type { TokenType } from '../exchange/token-type.ts';
export { generateJwk, publicJwk } from '../jwk/generate.ts';
export type {
  Capability,
  CapabilityIssuer,
  CapabilityIssuerOptions,
  CapabilityVerifier,
  CapabilityVerifierOptions,
} from './capability.ts';
export { createCapabilityIssuer, createCapabilityVerifier } from './capability.ts';
export type { ClaimsToSign } from './claims.ts';
export type { KrakendAdditions, KrakendConfiguration, KrakendSigner } from './krakend.ts';
export { fromKrakend } from './krakend.ts';
export type { SignerOptions, SigningAlgorithm } from './options.ts';
export type { SignResponseOptions } from './response.ts';
export type { RetiredKeys, RotatedKey } from './rotation.ts';
export type { ServiceFetch, ServiceFetchOptions } from './service-fetch.ts';
export { createServiceFetch } from './service-fetch.ts';
export type { PublishedKeys, Signer, SignerReport, SignOptions } from './signer.ts';
export { createSigner } from './signer.ts';
