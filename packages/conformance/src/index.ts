// The conformance suite, and what it is made of that an adapter's own tests need too.
export type { ConformanceCase, Expectation } from './cases.ts';
export { cases } from './cases.ts';
export type { BuildDescribed, Described } from './described.ts';
export { describeDescriptor } from './described.ts';
export type { Exchange, ExchangeRequest } from './exchange.ts';
export { exchange, headerValues } from './exchange.ts';
export { placesOf } from './places.ts';
export type { ReplyHead, Route } from './routes.ts';
export { routes } from './routes.ts';
export type { Served } from './serve.ts';
export { serve } from './serve.ts';
export type { Signers } from './signers.ts';
export { createSigners, LOGIN_ISSUER } from './signers.ts';
export type { PublishedKeys } from './signing-routes.ts';
export type { BuildListener, Harness, KnownGaps } from './suite.ts';
export { describeAdapter } from './suite.ts';
export { canary } from './tokens.ts';
