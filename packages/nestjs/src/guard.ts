// The guard: authenticates, then authorizes, and returns true or throws. There is no third way out of it.
import type { CompiledOverrides, CompiledRules, RequestView, UpgradeAuthenticator } from '@latchkey/core';
import { AuthError, asError, authorize, isPrincipal } from '@latchkey/core';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { accessOf, LATCHKEY_AUTHENTICATOR } from './access.ts';
import { type Call, callOf, type FrameworkRequest, writeHeader } from './context.ts';
import { exceptionOf } from './refusal.ts';
import { type Handshake, handshakes, principalsIn } from './websocket.ts';

interface Attempt {
  /** Not another application's: one may be mounted in the other, and trust other issuers. */
  readonly by: UpgradeAuthenticator<unknown>;
  readonly authenticated: Promise<unknown>;
  auth?: unknown;
}

// A handler may have several guards, and a GraphQL operation many fields: a token is verified once for all that ask the same.
const attempts = new WeakMap<object, Map<CompiledOverrides | undefined, Attempt>>();

/**
 * Denies by default: what no decorator speaks for needs a token. In a context that is neither HTTP nor GraphQL nor a message of a
 * WebSocket whose handshake was authenticated it denies, and says why.
 */
export class LatchkeyGuard implements CanActivate {
  readonly #authenticator: UpgradeAuthenticator<unknown>;

  constructor(authenticator: UpgradeAuthenticator<unknown>) {
    this.#authenticator = authenticator;
  }

  /** @throws HttpException, for a message WsException, with the AuthError as its `cause`; any other error as it is */
  async canActivate(context: ExecutionContext): Promise<true> {
    try {
      await this.#decide(context);
      return true;
    } catch (error) {
      // A filter need not be ready for a rejection with nothing.
      throw await exceptionOf(asError(error), context);
    }
  }

  async #decide(context: ExecutionContext): Promise<void> {
    const call = callOf(context);
    if (call === undefined) throw missing(`in a context of the type ${context.getType<string>()}`);
    const { isPublic, rules, overrides } = accessOf(context);
    const { type, key, request } = call;
    // Nobody else's value may be taken for ours, least of all when the token is refused.
    if (type === 'http' && request !== undefined) request.auth = undefined;
    if (isPublic) return;
    if (request === undefined) return judge(admit(key, overrides), rules);
    const attempt = this.#attempt(call, request, overrides);
    attempt.auth = await attempt.authenticated;
    judge({ auth: attempt.auth, request }, rules);
    if (type === 'http') request.auth = attempt.auth;
  }

  #attempt(call: Call, request: FrameworkRequest, overrides: CompiledOverrides | undefined): Attempt {
    const made = attempts.get(call.key) ?? new Map<CompiledOverrides | undefined, Attempt>();
    attempts.set(call.key, made);
    let attempt = made.get(overrides);
    if (attempt?.by !== this.#authenticator) {
      const by = this.#authenticator;
      attempt = { by, authenticated: by.authenticate(viewOf(call, request), overrides) };
      made.set(overrides, attempt);
    }
    this.#conceal(call, request);
    return attempt;
  }

  #conceal({ response }: Call, request: FrameworkRequest): void {
    const { raw = request, query } = request;
    const view = { setHeader: (name: string, value: string) => writeHeader(response, name, value) };
    this.#authenticator.conceal(raw, view, query);
  }
}
Inject(LATCHKEY_AUTHENTICATOR)(LatchkeyGuard, undefined, 0);
Injectable()(LatchkeyGuard);

/** Whose call it is, as the guard found; undefined for what is public, whoever calls. */
export function principalOf(context: ExecutionContext): unknown {
  const { isPublic, overrides } = accessOf(context);
  const call = callOf(context);
  if (isPublic || call === undefined) return undefined;
  return call.type === 'ws' ? handshakes.get(call.key)?.auth : attempts.get(call.key)?.get(overrides)?.auth;
}

/** A GraphQL subscription comes with the request of its upgrade: a GET, yet any page may have sent it with the cookies of its host. */
function viewOf({ type }: Call, request: FrameworkRequest): RequestView {
  const { url, headers, rawHeaders } = request;
  const isUpgrade = type === 'graphql' && headers.upgrade !== undefined;
  return isUpgrade ? { method: 'UPGRADE', url, headers, rawHeaders } : request;
}

/** Whom a handshake let in, if what the handler says instead of the options does not keep them out. */
function admit(client: object, overrides: CompiledOverrides | undefined): Handshake {
  const handshake = handshakes.get(client);
  if (handshake === undefined) throw missing('the handshake was not authenticated, or its token has expired');
  const { mode, welcomes } = overrides ?? {};
  if (handshake.auth === undefined && mode === 'strict') throw missing('the handshake was anonymous');
  if (welcomes !== undefined && !principalsIn(handshake.auth).every(({ issuer }) => welcomes(issuer)))
    throw new AuthError('token_issuer_untrusted');
  return handshake;
}

function judge({ auth, request }: Handshake, rules: CompiledRules | undefined): void {
  if (rules === undefined) return;
  if (auth !== undefined && !isPrincipal(auth))
    throw new TypeError('@RequireClaims: not a principal; a tree of tokens has its rules at its leaves');
  authorize(auth, rules, request);
}

function missing(detail: string): AuthError {
  return new AuthError('credentials_missing', { detail });
}
