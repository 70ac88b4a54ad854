// '@latchkey/core/adapter': what adapters, stores and group resolvers need. Applications need none.
export type { CompiledRules } from '../claims/compile.ts';
export { claimNames, compileRules } from '../claims/compile.ts';
export type { RequestParameters } from '../claims/rules.ts';
export type { ConcealableRequest, ResponseView } from '../credentials/query.ts';
export type { RequestView } from '../credentials/request.ts';
export type { CompiledAccess, CompiledOverrides } from '../decision/access.ts';
export { compileAccess, compileOverrides } from '../decision/access.ts';
export { isPrincipal } from '../decision/principal.ts';
export { settle } from '../decision/settle.ts';
export type { AuthErrorContext } from '../errors.ts';
export { asError, authErrorCodes } from '../errors.ts';
export { oddAnswer } from '../net/breaker.ts';
export type { HeaderAccess, OutgoingReply, ResponseSigner, SignedReply } from '../signing/response.ts';
export { createResponseSigner, headersOf } from '../signing/response.ts';
export { holdReply } from './hold-reply.ts';
export type { PassedMark, RouteMark } from './route-report.ts';
export { authenticateMark, checkRoutes, reportRoute } from './route-report.ts';
