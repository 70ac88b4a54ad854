// The guard: asks core for a decision, and either returns true or throws. Decorators and contexts
// are read elsewhere.
import type { UpgradeAuthenticator } from '@latchkey/core';
import { AuthError, ConfigError } from '@latchkey/core';
import type { CompiledAccess, Decision } from '@latchkey/core/adapter';
import { asError, concealToken, decide, whenDecided } from '@latchkey/core/adapter';
import { type CanActivate, type ExecutionContext, Inject, Injectable, Optional } from '@nestjs/common';
import { accessOf, LATCHKEY_AUTHENTICATOR } from './access.ts';
import { type Call, callOf, exceptionOf, sharedContext, writeHeaders } from './context.ts';

interface Attempt {
  /** What this belongs to; copies and derived objects do not match. */
  readonly of: object;
  /** What was decided on. */
  readonly request: object;
  /** Not another application's: one may be mounted in the other, and trust other issuers. */
  readonly by: UpgradeAuthenticator<unknown>;
  readonly asked: CompiledAccess;
  readonly decision: Decision<unknown> | Promise<Decision<unknown>>;
  /** Undefined until the guard has let the call pass. */
  passed?: { readonly auth: unknown };
  readonly before: Attempt | undefined;
}

// A handler may have several guards, and a GraphQL operation many fields; a request is decided once
// for all with the same requirements. The decision is kept on the request itself, because a WeakMap
// would cost every request as much as the rest of the guard.
const LATEST: unique symbol = Symbol('attempts');
type Attempted = { [LATEST]?: Attempt | undefined };

/** The authenticated client of a socket. */
export interface Handshake {
  readonly auth: unknown;
  /**
   * Returns the principal, with what schemas of the rules make of its claims.
   * @throws AuthError if the handler requires more than the handshake has
   */
  judge(asked: CompiledAccess): unknown;
}

/** By the client of a gateway; a handshake is deleted when its token expires. */
export const handshakes = new WeakMap<object, Handshake>();

/**
 * Denies by default: a handler without a decorator needs a token. `@Public` opens a handler in
 * every context. In a context that is neither HTTP, nor GraphQL, nor a message of a socket whose
 * handshake was authenticated, every other handler is denied, and the error names the reason. In
 * unit tests of controllers, replace it by `overrideGuard(LatchkeyGuard)`.
 * @throws ConfigError from its constructor, if the module is not imported
 * @example
 * ```ts
 * Test.createTestingModule({}).overrideGuard(LatchkeyGuard).useValue({ canActivate: () => true });
 * ```
 */
export class LatchkeyGuard implements CanActivate {
  readonly #authenticator: UpgradeAuthenticator<unknown>;

  constructor(authenticator: UpgradeAuthenticator<unknown> | undefined) {
    if (authenticator === undefined)
      throw new ConfigError(
        'LatchkeyModule',
        '@RequireClaims, @Authenticate and @Auth need it; put LatchkeyModule.forRoot({ … }) among the imports of the application',
      );
    this.#authenticator = authenticator;
  }

  /**
   * @throws HttpException, for messages WsException and RpcException, with the AuthError as its
   *   `cause`; any other error unchanged
   */
  canActivate(context: ExecutionContext): true | Promise<true> {
    const refuse = async (error: unknown) => Promise.reject(await exceptionOf(asError(error), context));
    try {
      const decided = this.#decide(context);
      return decided === true || decided.catch(refuse);
    } catch (error) {
      // A rejection with undefined would break filters, so it is wrapped in an Error.
      return refuse(error);
    }
  }

  #decide(context: ExecutionContext): true | Promise<true> {
    const { isPublic, asked } = accessOf(context);
    const call = callOf(context);
    // Other code may have set `auth`. Handlers must not take that value for a principal, least of
    // all after a refusal.
    if (call?.isHttp === true) call.request.auth = undefined;
    const attempt = isPublic || call === undefined ? undefined : this.#attempt(call, asked);
    if (call !== undefined) this.#conceal(call);
    if (isPublic) return true;
    if (call === undefined || attempt === undefined) return judgeHandshake(context, asked);
    return whenDecided(attempt.decision, (auth) => {
      attempt.passed = { auth };
      if (call.isHttp) call.request.auth = auth;
      return true;
    });
  }

  #attempt({ key, request }: Call & { readonly key: Attempted }, asked: CompiledAccess): Attempt {
    const by = this.#authenticator;
    const last = key[LATEST];
    // Otherwise the decision on one caller would be taken for that on another.
    if (last?.of === key && last.request !== request) throw sharedContext();
    const kept = latestOf(key, (attempt) => attempt.asked === asked && attempt.by === by);
    if (kept !== undefined) return kept;
    const decision = decide(by, request, asked);
    key[LATEST] = { of: key, request, by, asked, decision, before: last };
    return key[LATEST];
  }

  #conceal(call: Call): void {
    const { request } = call;
    // Express's request is Node's request; Fastify's has Node's in `raw`, and its own parsed query.
    const { raw = request } = request;
    const concealment = concealToken(this.#authenticator, request, raw, raw.originalUrl);
    if (concealment === undefined) return;
    for (const name of concealment.names) Reflect.deleteProperty(Object(request.query), name);
    // Fastify caches the URL when it is first read, and reads it again if the cached one is
    // deleted.
    for (const kept of Object.getOwnPropertySymbols(request))
      if (kept.description === 'fastify.request.originalUrl') Reflect.deleteProperty(request, kept);
    writeHeaders(call, concealment.headers);
  }
}
Inject(LATCHKEY_AUTHENTICATOR)(LatchkeyGuard, undefined, 0);
Optional()(LatchkeyGuard, undefined, 0);
Injectable()(LatchkeyGuard);

/**
 * Returns the principal of a call, as the guard found it; undefined for a public handler, also if a
 * token was sent. A field of GraphQL that asks for nothing has the principal of its operation.
 * @throws ConfigError if no guard of Latchkey has let the call pass
 */
export function principalOf(context: ExecutionContext): unknown {
  const { isPublic, isAsking, asked } = accessOf(context);
  if (isPublic) return undefined;
  const { key } = callOf(context) ?? {};
  const handshake = key === undefined ? handshakes.get(Object(context.getArgByIndex(0))) : undefined;
  if (handshake !== undefined) return handshake.judge(asked);
  const found =
    key === undefined
      ? undefined
      : (
          latestOf(key, (attempt) => attempt.asked === asked && attempt.passed !== undefined) ??
          latestOf(key, (attempt) => !isAsking && attempt.passed !== undefined)
        )?.passed;
  if (found === undefined)
    throw new ConfigError(
      `${context.getClass().name}.${context.getHandler().name} @Auth()`,
      'no guard of Latchkey has run before the handler; put LatchkeyModule.forRoot({ … }) among the imports',
    );
  return found.auth;
}

function judgeHandshake(context: ExecutionContext, asked: CompiledAccess): true {
  const type = context.getType<string>();
  const handshake = type === 'ws' ? handshakes.get(Object(context.getArgByIndex(0))) : undefined;
  const detail =
    type === 'ws'
      ? 'the handshake was not authenticated, or its token has expired'
      : `in a context of the type ${type}`;
  if (handshake === undefined) throw new AuthError('credentials_missing', { detail });
  handshake.judge(asked);
  return true;
}

function latestOf(key: Attempted, isWanted: (attempt: Attempt) => boolean): Attempt | undefined {
  let attempt = key[LATEST];
  while (attempt !== undefined && (attempt.of !== key || !isWanted(attempt))) attempt = attempt.before;
  return attempt;
}
