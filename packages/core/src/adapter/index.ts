// '@latchkey/core/adapter': for adapters, stores and group resolvers. Applications do not need it.
export type { CompiledRules } from '../claims/compile.ts';
export { claimNames, compileRules } from '../claims/compile.ts';
export type { RequestParameters } from '../claims/rules.ts';
export type { Concealment } from '../credentials/query.ts';
export { concealToken } from '../credentials/query.ts';
export type { RequestView } from '../credentials/request.ts';
export { protocolOf } from '../credentials/request.ts';
export type { CompiledAccess } from '../decision/access.ts';
export { accessWith, compileAccess } from '../decision/access.ts';
export { authorized, judgeAccess } from '../decision/authorize.ts';
export { checkCombinedAccess } from '../decision/combine.ts';
export type { Decision } from '../decision/decision.ts';
export type { RequestPlace } from '../decision/outcome.ts';
export { requestAnswered, verifyRequest } from '../decision/outcome.ts';
export { isPrincipal, metadataUrlOf } from '../decision/principal.ts';
export { checkAccessNames } from '../decision/route-names.ts';
export { warnOfAccess } from '../decision/warn-enforce.ts';
export type { AuthErrorContext } from '../errors.ts';
export { asError, authErrorCodes, challengedScopes } from '../errors.ts';
export { warn } from '../events.ts';
export { inconclusive } from '../net/breaker.ts';
export { withDeadline } from '../net/deadline.ts';
export { readTls } from '../net/tls.ts';
export type { EventAnswer } from '../notices/answers.ts';
export { METADATA_PATH } from '../resource/metadata.ts';
export { readStore } from '../secrets/store.ts';
export type { OutgoingReply, SignedReply } from '../signing/reply-body.ts';
export type { ResponseSigner } from '../signing/response.ts';
export { createResponseSigner, keysPublisher } from '../signing/response.ts';
export { foldCase } from '../values/fold.ts';
export { durationFrom, whole } from '../values/option.ts';
export { isPromise } from '../values/promise.ts';
export {
  argument,
  optionIn,
  readBoolean,
  readChoice,
  readList,
  readObject,
  readText,
} from '../values/readers.ts';
export { readSmallFile } from '../values/small-file.ts';
export type { Attempt } from './attempts.ts';
export { attemptOn, decideOnce } from './attempts.ts';
export type { AuthenticationSource, PreparedAuthentication } from './decide.ts';
export {
  authorizedQuietly,
  authorizeRequest,
  decide,
  loadKeys,
  onceResponded,
  prepareAuthentication,
  requestRefused,
  toAuthenticator,
  whenDecided,
} from './decide.ts';
export type { AccessDecorator, AccessNote, DecoratedAccess, DecoratedClass } from './decorated.ts';
export { decoratedAccess, isPublicClass, lineageOf, noteAccess } from './decorated.ts';
export type { HealthAnswer } from './health.ts';
export { healthAnswerer } from './health.ts';
export { holdReply } from './hold-reply.ts';
export { handlerIn, notAuthenticated, refuseArguments, refuseRequest } from './misuse.ts';
export type { ResourceAnswer, ResourcePublisher } from './publish-resource.ts';
export { resourcePublisher } from './publish-resource.ts';
export type { EventMessage } from './receive-events.ts';
export { eventAnswerer, nodeEventAnswerer, readWebBody } from './receive-events.ts';
export type { DecisionReaders, RecentAnswer, RecentAnswerer } from './recent-decisions.ts';
export { recentAnswerer } from './recent-decisions.ts';
export type { PassedMark, RouteMark } from './route-report.ts';
export {
  authenticateMarks,
  checkOnce,
  checkRoutes,
  claimsMark,
  countRoutes,
  reportDocuments,
  reportRoute,
} from './route-report.ts';
export type { PeerSocket, WebRequestExtras } from './web-request.ts';
export { requestViewOf, requestWithUrl, toResponse } from './web-request.ts';
