// The guard: asks core for a decision, and either returns true or throws. Contexts and what
// decorators say are read elsewhere.
import { ConfigError, type UpgradeAuthenticator } from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import * as nest from '@nestjs/common';
import { callOf, exceptionOf, NEST, writeHeaders } from './context.ts';
import { handshakeOf, judgeMessage } from './messages.ts';

/**
 * The injection token of the application's authenticator: `@Inject(LATCHKEY_AUTHENTICATOR)
 * authenticator: Authenticator`, to verify a token that did not come as the bearer token of a
 * request, or to await `ready()`. It is a symbol, so no metadata of types is needed. All copies of
 * this package have the same one: the decorators of one find the module of another.
 */
export const LATCHKEY_AUTHENTICATOR: unique symbol = Symbol.for('@latchkey/nestjs/authenticator');

/** What to do where the module is missing. */
export const IMPORT = 'put LatchkeyModule.forRoot({ … }) among the imports of the application';

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
export class LatchkeyGuard implements nest.CanActivate {
  readonly #authenticator: UpgradeAuthenticator<unknown>;

  constructor(authenticator: UpgradeAuthenticator<unknown> | undefined) {
    if (authenticator === undefined)
      throw new ConfigError('LatchkeyModule', `@RequireClaims, @Authenticate and @Auth need it; ${IMPORT}`);
    this.#authenticator = authenticator;
  }

  /**
   * @throws HttpException, for messages WsException and RpcException, with the AuthError as its
   *   `cause`; any other error unchanged
   */
  canActivate(context: nest.ExecutionContext): true | Promise<true> {
    // A rejection with undefined would break filters, so it is wrapped in an Error.
    const refuse = async (error: unknown) =>
      Promise.reject(await exceptionOf(adapter.asError(error), context));
    try {
      const decided = this.#decide(context);
      return decided === true || decided.catch(refuse);
    } catch (error) {
      return refuse(error);
    }
  }

  #decide(context: nest.ExecutionContext): true | Promise<true> {
    const { isPublic, asked } = adapter.decoratedAccess(context.getClass(), context.getHandler());
    const call = callOf(context);
    if (call === undefined) return isPublic || judgeMessage(context, asked);
    const { key, request } = call;
    // Other code may have set `auth`. Handlers must not take that value for a principal, least of
    // all after a refusal.
    if (key === request) request.auth = undefined;
    const attempt = isPublic ? undefined : adapter.decideOnce(this.#authenticator, key, request, asked, NEST);
    const { raw = request } = request;
    const concealment = adapter.concealToken(this.#authenticator, request, raw, raw.originalUrl);
    if (concealment !== undefined) writeHeaders(call, concealment.headers);
    if (attempt === undefined) return true;
    return adapter.whenDecided(attempt.decision, (auth) => {
      attempt.passed = { auth };
      if (key === request) request.auth = auth;
      return true;
    });
  }
}
nest.Inject(LATCHKEY_AUTHENTICATOR)(LatchkeyGuard, undefined, 0);
nest.Optional()(LatchkeyGuard, undefined, 0);
nest.Injectable()(LatchkeyGuard);

/**
 * Returns the principal of a call, as the guard found it; undefined for a public handler, also if a
 * token was sent. A field of GraphQL that asks for nothing has the principal of its operation.
 * @throws ConfigError if no guard of Latchkey has let the call pass
 */
export function principalOf(context: nest.ExecutionContext): unknown {
  const { name } = context.getHandler();
  const { isPublic, isAsking, asked } = adapter.decoratedAccess(context.getClass(), context.getHandler());
  if (isPublic) return undefined;
  const handshake = handshakeOf(context);
  if (handshake !== undefined) return handshake.judge(asked);
  const { key = {} } = callOf(context) ?? {};
  const own = adapter.attemptOn(key, (one) => one.asked === asked && one.passed !== undefined);
  const any = own ?? adapter.attemptOn(key, ({ passed }) => !isAsking && passed !== undefined);
  if (any?.passed !== undefined) return any.passed.auth;
  throw new ConfigError(
    `${context.getClass().name}.${name} @Auth()`,
    `no guard of Latchkey has run; ${IMPORT}`,
  );
}
