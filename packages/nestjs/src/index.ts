// Latchkey for NestJS, on Express and on Fastify: hand over the request, hang up the principal,
// hand over the error.
export * from '@latchkey/core';
export { LATCHKEY_AUTHENTICATOR } from './access.ts';
export { Auth, Authenticate, Public, RequireClaims } from './decorators.ts';
export type { LatchkeyAsyncOptions, LatchkeyOptions } from './module.ts';
export { LatchkeyModule } from './module.ts';
export { publishKeys, SignResponse } from './signing.ts';
export { authenticateWebSockets } from './websocket.ts';
