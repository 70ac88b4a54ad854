// Judges what an MCP request uses before the SDK gets it, and answers a refused one. HTTP decides:
// a refusal inside of a JSON-RPC result is none for a client that could ask for more scope.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AuthError, ConfigError, isAuthError, type Principal } from '@latchkey/core';
import {
  authorizedQuietly,
  challengedScopes,
  type RequestParameters,
  requestRefused,
} from '@latchkey/core/adapter';
import { authOf, type Caller, principalOf } from './auth-info.ts';
import { type Operation, operationsIn } from './operations.ts';
import { MCP } from './place.ts';
import { type OperationRules, type RuleFinder, readRules } from './rules.ts';

/** The answer to a refused request. `new Response(refused.body, refused)` is a web-standard one. */
export interface RefusedCall {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON, with constant texts. */
  readonly body: string;
}

/** What a middleware reads of a request. `express.json()` sets `body`. */
export type McpRequest = IncomingMessage & {
  readonly body?: unknown;
  readonly params?: RequestParameters['params'];
};

/** Compiled rules of tools, resources and prompts: a middleware, and the same for other places. */
export interface ScopeChallenge {
  /**
   * The middleware of Express, behind `authenticate` and `express.json()`. It answers what it
   * refuses, and calls `next` for the rest.
   */
  (request: McpRequest, response: ServerResponse, next: (error?: unknown) => void): void;
  /**
   * Judges a parsed body.
   * @param caller undefined for an anonymous one
   * @param request the framework's own request, for `fromRequest` rules and `onRefusal`
   * @returns the answer; undefined if the caller may do all that the body asks for
   */
  judge(caller: Caller | undefined, body: unknown, request?: McpRequest): RefusedCall | undefined;
  /**
   * True if the caller may use a tool, a resource or a prompt. For lists, and for handlers.
   * @param options with `stepUp`, also true if more scope is all that the caller lacks
   */
  permits(caller: Caller | undefined, operation: Operation, options?: { readonly stepUp?: boolean }): boolean;
}

/**
 * Makes a middleware that refuses the use of tools, resources and prompts to principals that do not
 * satisfy their rules: `tools/call`, `resources/read`, `resources/subscribe`,
 * `resources/unsubscribe`, `prompts/get`, `completion/complete` and `subscriptions/listen`, also in
 * a batch. A 403 for lack of scope names all scopes of the request in one challenge, by which
 * clients ask for more. It does not authenticate: put `authenticate` before it.
 *
 * A body that is not JSON-RPC, or does not name what it uses, gets a 400. Other methods, and names
 * without rules, pass.
 * @throws ConfigError for wrong rules, at once
 * @example
 * ```ts
 * const challenge = scopeChallenge({
 *   tools: { delete_file: { scope: 'files:write' }, '*': { scope: 'files:read' } },
 * });
 * app.use('/mcp', authenticate(authenticator), express.json(), challenge);
 * ```
 */
export function scopeChallenge(rules: OperationRules): ScopeChallenge {
  const find = readRules(rules);
  const judge: ScopeChallenge['judge'] = (caller, body, request) => {
    const operations = operationsIn(body);
    if (operations === undefined) return malformed(400);
    const refusal = refusalOf(principalOf(caller), operations, find, request);
    if (refusal === undefined) return undefined;
    requestRefused(request ?? {}, refusal, MCP);
    return answerTo(refusal);
  };
  const middleware = (
    request: McpRequest,
    response: ServerResponse,
    next: (error?: unknown) => void,
  ): void => {
    let refused: RefusedCall | undefined;
    try {
      const caller = authOf(request, 'scopeChallenge');
      if (!BODILESS.has(request.method ?? ''))
        refused = request.body === undefined ? unread(request) : judge(caller, request.body, request);
    } catch (error) {
      next(error);
      return;
    }
    if (refused === undefined) next();
    else response.writeHead(refused.status, { ...refused.headers }).end(refused.body);
  };
  const permits: ScopeChallenge['permits'] = (caller, operation, options) => {
    const refusal = refusalOf(principalOf(caller), [operation], find, undefined);
    return refusal === undefined || (options?.stepUp === true && refusal.code === 'scope_insufficient');
  };
  return Object.freeze(Object.assign(middleware, { judge, permits }));
}

/** Methods by which the SDK takes no JSON-RPC: streams, and the end of a session. */
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);

const JSON_TYPE = Object.freeze({ 'Content-Type': 'application/json' });

/** Returns why a principal may not do all of this; undefined if it may. */
function refusalOf(
  principal: Principal | undefined,
  operations: readonly Operation[],
  find: RuleFinder,
  request: McpRequest | undefined,
): AuthError | undefined {
  const found: AuthError[] = [];
  for (const rules of new Set(operations.flatMap(find))) {
    try {
      authorizedQuietly(request ?? {}, principal, rules, parametersOf(request));
    } catch (error) {
      if (!isAuthError(error)) throw error;
      found.push(error);
    }
  }
  const [first] = found;
  // More scope does not help where something else is missing too.
  const other = found.find(({ code }) => code === 'claims_insufficient' || code !== first?.code);
  if (first === undefined || other !== undefined) return other;
  const scopes = new Set(found.flatMap(challengedScopes));
  return scopes.size === 0 ? first : first.withChallenge({ scope: [...scopes].join(' ') });
}

function parametersOf(request: McpRequest | undefined): RequestParameters | undefined {
  if (request === undefined) return undefined;
  const { method, headers, params = {} } = request;
  return { method, headers, params };
}

function answerTo(error: AuthError): RefusedCall {
  const headers = { ...error.headers, ...JSON_TYPE };
  return Object.freeze({ status: error.status, headers, body: JSON.stringify(error) });
}

/** Answers a body that no parser has read. @throws ConfigError if the service has no parser */
function unread({ headers }: McpRequest): RefusedCall {
  const [type = ''] = (headers['content-type'] ?? '').split(';');
  if (type.trim().toLowerCase() !== 'application/json') return malformed(415);
  const isEmpty = headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
  if (isEmpty) return malformed(400);
  throw new ConfigError('scopeChallenge', 'expected a parsed body; register express.json() before it');
}

/** An error response of JSON-RPC 2.0 §5.1, to a message without an id that can be read. */
function malformed(status: 400 | 415): RefusedCall {
  const error = { code: -32_600, message: 'Invalid Request' };
  const body = JSON.stringify({ jsonrpc: '2.0', id: null, error });
  return Object.freeze({ status, headers: { 'Cache-Control': 'no-store', ...JSON_TYPE }, body });
}
