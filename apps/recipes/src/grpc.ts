// grpc.ts: an interceptor that lets only calls with a good token reach the handlers.
import {
  Metadata,
  ResponderBuilder,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
  status,
} from '@grpc/grpc-js';
import {
  AuthError,
  type Authenticator,
  compileAccess,
  isAuthError,
  type Principal,
  type RouteAccess,
  whenExpired,
} from '@latchkey/core';

const principals = new WeakMap<Metadata, Principal>();

/**
 * An interceptor, for `new Server({ interceptors })`. `access` has what methods ask for, by path,
 * such as `/shop.Orders/Remove`; each other method needs a good token.
 */
export function authenticateCalls(
  authenticator: Pick<Authenticator, 'authenticate'>,
  access: ReadonlyMap<string, RouteAccess> = new Map(),
): ServerInterceptor {
  const asked = new Map([...access].map(([path, each]) => [path, compileAccess(each)]));
  const other = compileAccess({});
  return ({ path }, call) => {
    let forget = () => {};
    const judge = async (metadata: Metadata) => {
      // The metadata split a value at its commas. Core refuses one that looks like several tokens.
      const authorization = metadata.get('authorization').join(', ');
      const headers = authorization === '' ? {} : { authorization };
      const principal = await authenticator.authenticate({ headers }, asked.get(path) ?? other);
      if (principal === undefined) return;
      principals.set(metadata, principal);
      forget = whenExpired(principal, () => call.sendStatus(statusOf(new AuthError('token_expired'))));
    };
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        judge(metadata)
          .then(() => next(metadata))
          .catch((error: unknown) => call.sendStatus(statusOf(error)));
      })
      .withOnCancel(() => forget())
      .build();
    return new ServerInterceptingCall(
      call,
      new ResponderBuilder().withStart((next) => next(listener)).build(),
    );
  };
}

/** The principal of a call, in a handler. */
export function principalOf(call: { readonly metadata: Metadata }): Principal {
  const principal = principals.get(call.metadata);
  if (principal === undefined) throw new Error('expected the interceptor authenticateCalls');
  return principal;
}

const CODES: Readonly<Record<number, status>> = {
  403: status.PERMISSION_DENIED,
  503: status.UNAVAILABLE,
};

/** The details are a constant code. The challenge is in the trailing metadata. */
function statusOf(error: unknown) {
  const metadata = new Metadata();
  if (!isAuthError(error)) {
    console.error(error);
    return { code: status.INTERNAL, details: 'internal', metadata };
  }
  for (const [name, value] of Object.entries(error.headers)) metadata.set(name, value);
  return { code: CODES[error.status] ?? status.UNAUTHENTICATED, details: error.code, metadata };
}
