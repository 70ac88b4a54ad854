// Maps NestJS, on Express and on Fastify, to core: passes the request in, sets `request.auth`,
// throws errors. No decision is made here; this file only exports.
export * from '@latchkey/core';
export { recentDecisions } from './decisions.ts';
export { Auth, Authenticate, Public, RequireClaims } from './decorators.ts';
export { receiveEvents } from './events.ts';
export { LATCHKEY_AUTHENTICATOR, LatchkeyGuard } from './guard.ts';
export { healthCheck } from './health.ts';
export type { LatchkeyAsyncOptions, LatchkeyOptions } from './module.ts';
export { LatchkeyModule } from './module.ts';
export { type DocumentedApplication, secureDocument } from './openapi.ts';
export { publishResource } from './resource.ts';
export { routes } from './routes.ts';
export { publishKeys, SignResponse } from './signing.ts';
