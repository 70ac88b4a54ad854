// connect.ts: an interceptor that lets only calls with a good token reach the handlers.
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { DescMethod } from '@bufbuild/protobuf';
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextKey,
  createContextValues,
  type HandlerContext,
  type Interceptor,
} from '@connectrpc/connect';
import {
  type AuthError,
  type Authenticator,
  compileAccess,
  isAuthError,
  type Principal,
  type RouteAccess,
} from '@latchkey/core';

type NodeRequest = IncomingMessage | Http2ServerRequest;
const requestKey = createContextKey<NodeRequest | undefined>(undefined);
const principalKey = createContextKey<Principal | undefined>(undefined);

/** For `contextValues` of `connectNodeAdapter`: the interceptor reads the headers as they came. */
export function contextValues(request: NodeRequest): ContextValues {
  return createContextValues().set(requestKey, request);
}

/** An interceptor. `access` has what methods ask for; each other method needs a good token. */
export function authenticateCalls(
  authenticator: Pick<Authenticator, 'authenticate'>,
  access: ReadonlyMap<DescMethod, RouteAccess> = new Map(),
): Interceptor {
  const asked = new Map([...access].map(([method, each]) => [method, compileAccess(each)]));
  const other = compileAccess({});
  return (next) => async (call) => {
    const request = call.contextValues.get(requestKey);
    if (request === undefined) throw new Error('expected contextValues in the options of the adapter');
    try {
      const principal = await authenticator.authenticate(request, asked.get(call.method) ?? other);
      call.contextValues.set(principalKey, principal);
    } catch (error) {
      throw isAuthError(error) ? refusalOf(error) : error;
    }
    return next(call);
  };
}

/** The principal of a call, in a handler. */
export function principalOf(context: Pick<HandlerContext, 'values'>): Principal {
  const principal = context.values.get(principalKey);
  if (principal === undefined) throw new ConnectError('credentials_missing', Code.Unauthenticated);
  return principal;
}

const CODES: Readonly<Record<number, Code>> = { 403: Code.PermissionDenied, 503: Code.Unavailable };

/** Over the Connect protocol, the client gets the challenge as a header. */
function refusalOf({ code, status, headers }: AuthError): ConnectError {
  return new ConnectError(code, CODES[status] ?? Code.Unauthenticated, headers);
}
