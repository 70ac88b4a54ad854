// The guard: authenticates, then authorizes, and either returns true or throws. Decorators and
// contexts are read elsewhere.
import type { UpgradeAuthenticator } from '@latchkey/core';
import { AuthError } from '@latchkey/core';
import type { CompiledAccess, CompiledRules, Decision } from '@latchkey/core/adapter';
import { asError, authorized, concealToken, decide, isPrincipal, whenDecided } from '@latchkey/core/adapter';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { accessOf, LATCHKEY_AUTHENTICATOR } from './access.ts';
import { type Call, callOf, type FrameworkRequest, sharedContext, writeHeader } from './context.ts';
import { exceptionOf } from './refusal.ts';
import { type Handshake, handshakes, principalsIn } from './websocket.ts';

interface Attempt {
  /** The request this belongs to; copies and derived objects do not match. */
  readonly of: object;
  /** What was decided on. */
  readonly request: object;
  /** Not another application's: one may be mounted in the other, and trust other issuers. */
  readonly by: UpgradeAuthenticator<unknown>;
  readonly access: CompiledAccess;
  readonly decision: Decision<unknown> | Promise<Decision<unknown>>;
  auth?: unknown;
  readonly before: Attempt | undefined;
}

// A handler may have several guards, and a GraphQL operation many fields; a token is verified once
// for all that have the same requirements. The result is kept on the request itself, because a
// WeakMap would cost every request as much as the rest of the guard.
const LATEST: unique symbol = Symbol('attempts');
type Attempted = { [LATEST]?: Attempt | undefined };

/**
 * Denies by default: a handler without a decorator needs a token. In a context that is neither
 * HTTP, nor GraphQL, nor a message of a WebSocket whose handshake was authenticated, it denies, and
 * its error names the reason.
 */
export class LatchkeyGuard implements CanActivate {
  readonly #authenticator: UpgradeAuthenticator<unknown>;

  constructor(authenticator: UpgradeAuthenticator<unknown>) {
    this.#authenticator = authenticator;
  }

  /**
   * @throws HttpException, for a message WsException, with the AuthError as its `cause`; any other
   *   error unchanged
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
    const call = callOf(context);
    if (call === undefined) throw missing(`in a context of the type ${context.getType<string>()}`);
    const { isPublic, rules, access, whole } = accessOf(context);
    const { type, key, request } = call;
    // Other code may have set `auth`. Handlers must not take that value for a principal, least of
    // all after a refusal.
    if (type === 'http' && request !== undefined) request.auth = undefined;
    if (isPublic) {
      if (request !== undefined) this.#conceal(call, request);
      return true;
    }
    if (request === undefined) {
      judge(admit(key, access), rules);
      return true;
    }
    const attempt = this.#attempt(key, request, access);
    const take = (auth: unknown): true | Promise<true> => {
      attempt.auth = auth;
      if (auth === undefined && rules !== undefined) return this.#refuse(request, whole);
      const judged = judge({ auth, request }, rules);
      if (type === 'http') request.auth = judged;
      return true;
    };
    this.#conceal(call, request);
    return whenDecided(attempt.decision, take);
  }

  /**
   * Rules need a principal. The authenticator makes the refusal, so that the challenge has its
   * realm.
   */
  #refuse(request: FrameworkRequest, whole: CompiledAccess): Promise<true> | true {
    return whenDecided(decide(this.#authenticator, request, whole), () => {
      throw missing('rules on an anonymous request');
    });
  }

  #attempt(key: Attempted, request: FrameworkRequest, access: CompiledAccess): Attempt {
    const last = key[LATEST];
    // Otherwise the decision on one caller would be taken for that on another.
    if (last?.of === key && last.request !== request) throw sharedContext();
    let attempt = latestOf(key, access);
    if (attempt?.by !== this.#authenticator) {
      const by = this.#authenticator;
      const decision = decide(by, request, access);
      attempt = { of: key, request, by, access, decision, auth: undefined, before: key[LATEST] };
      key[LATEST] = attempt;
    }
    return attempt;
  }

  #conceal({ response }: Call, request: FrameworkRequest): void {
    // Express's request is Node's request; Fastify's has Node's in `raw`, and its own parsed query.
    const { raw = request } = request;
    const concealment = concealToken(this.#authenticator, request, raw, raw.originalUrl);
    if (concealment === undefined) return;
    for (const name of concealment.names) Reflect.deleteProperty(Object(request.query), name);
    // Fastify caches the URL when it is first read, and reads it again if the cached one is
    // deleted.
    for (const kept of Object.getOwnPropertySymbols(request))
      if (kept.description === 'fastify.request.originalUrl') Reflect.deleteProperty(request, kept);
    for (const [name, value] of Object.entries(concealment.headers)) writeHeader(response, name, value);
  }
}
Inject(LATCHKEY_AUTHENTICATOR)(LatchkeyGuard, undefined, 0);
Injectable()(LatchkeyGuard);

/**
 * Returns the principal of a call, as the guard found it, with the output of schemas in its rules;
 * undefined for a public handler, also if a token was sent.
 */
export function principalOf(context: ExecutionContext): unknown {
  const { isPublic, rules, access } = accessOf(context);
  const call = callOf(context);
  if (isPublic || call === undefined) return undefined;
  const found = call.type === 'ws' ? handshakes.get(call.key) : latestOf(call.key, access);
  // The guard has judged these rules. Here they say what schemas make of the claims.
  const request = call.request ?? handshakes.get(call.key)?.request;
  if (request === undefined || !isPrincipal(found?.auth)) return found?.auth;
  return judge({ auth: found.auth, request }, rules);
}

function latestOf(key: Attempted, access: CompiledAccess): Attempt | undefined {
  let attempt = key[LATEST];
  while (attempt !== undefined && (attempt.of !== key || attempt.access !== access)) attempt = attempt.before;
  return attempt;
}

/** Returns the principal of the handshake, if the overrides of the handler accept it. */
function admit(client: object, access: CompiledAccess): Handshake {
  const handshake = handshakes.get(client);
  if (handshake === undefined) throw missing('the handshake was not authenticated, or its token has expired');
  const { mode, welcomes } = access;
  if (handshake.auth === undefined && mode === 'strict') throw missing('the handshake was anonymous');
  if (welcomes !== undefined && !principalsIn(handshake.auth).every(({ issuer }) => welcomes(issuer)))
    throw new AuthError('token_issuer_untrusted');
  return handshake;
}

/** Returns the principal, with what schemas of the rules make of its claims. */
function judge({ auth, request }: Handshake, rules: CompiledRules | undefined): unknown {
  if (rules === undefined) return auth;
  if (auth !== undefined && !isPrincipal(auth))
    throw new TypeError(
      '@RequireClaims: not a principal; with requireAll and requireAny, pass the rules to the sources',
    );
  return authorized(auth, rules, request);
}

function missing(detail: string): AuthError {
  return new AuthError('credentials_missing', { detail });
}
