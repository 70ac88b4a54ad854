// '@latchkey/mcp': what servers of the Model Context Protocol need of core, for both versions of
// the TypeScript SDK. No type of an SDK is in its types.
export * from '@latchkey/core';
export type { AuthInfo, Caller, SdkAuthInfo, SdkRequest } from './auth-info.ts';
export { authInfoOf, principalOf, withAuthInfo } from './auth-info.ts';
export type { McpRequest, RefusedCall, ScopeChallenge } from './challenge.ts';
export { scopeChallenge } from './challenge.ts';
export { endAtExpiry, endedAtExpiry } from './expiry.ts';
export type { FilterOptions, ListingServer } from './lists.ts';
export { filterLists } from './lists.ts';
export type { Kind, Operation } from './operations.ts';
export type { OperationRules, RulesByName } from './rules.ts';
export type { Sessions } from './sessions.ts';
export { createSessions, ownerOf } from './sessions.ts';
export type { InvalidTokenErrorClass, TokenVerifier, TokenVerifierOptions } from './verifier.ts';
export { tokenVerifier } from './verifier.ts';
