// '@latchkey/web': maps web-standard requests to core. No decision is made here.
export * from '@latchkey/core';
export { recentDecisions } from './decisions.ts';
export { healthCheck, publishKeys, publishResource } from './documents.ts';
export { receiveEvents } from './events.ts';
export type { Guard, RequestExtras, RouteGuard } from './guard.ts';
export { createGuard, isRefused } from './guard.ts';
export { signResponse } from './signing.ts';
export type { AuthFor, AuthOf } from './types.ts';
export type { ExtrasOf, Handler } from './with-auth.ts';
export { withAuth } from './with-auth.ts';
