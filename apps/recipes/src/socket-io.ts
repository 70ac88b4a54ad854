// socket-io.ts: each connection to Socket.IO needs a token, in every namespace.
import {
  AuthError,
  type Authenticator,
  authorize,
  isAuthError,
  type Principal,
  type Rules,
  whenExpired,
} from '@latchkey/core';
import { compileRules } from '@latchkey/core/adapter';
import type { DefaultEventsMap, Namespace, Server, Socket } from 'socket.io';

interface Data {
  auth: Principal | undefined;
}
type Events = DefaultEventsMap;
export type AuthServer = Server<Events, Events, Events, Data>;
export type AuthSocket = Socket<Events, Events, Events, Data>;
type AuthNamespace = Namespace<Events, Events, Events, Data>;
type Next = (error?: Error) => void;

/** Lets only clients with a good token connect. Call it before the first `io.of`. */
export function authenticate(io: AuthServer, authenticator: Pick<Authenticator, 'authenticate'>): void {
  const guard = async (socket: AuthSocket, next: Next) => {
    try {
      socket.data.auth = await authenticator.authenticate(handshakeOf(socket));
    } catch (error) {
      return next(refusalOf(error));
    }
    socket.on(
      'disconnect',
      whenExpired(socket.data.auth, () => socket.disconnect(true)),
    );
    return next();
  };
  io.use(guard);
  io.on('new_namespace', (namespace: AuthNamespace) => namespace.use(guard));
}

/** Rules of a namespace: `io.of('/admin').use(requireClaims({ roles: ['admin'] }))`. */
export function requireClaims(rules: Rules): (socket: AuthSocket, next: Next) => void {
  const compiled = compileRules(rules);
  return (socket, next) => {
    try {
      authorize(socket.data.auth, compiled);
    } catch (error) {
      return next(refusalOf(error));
    }
    return next();
  };
}

/** Rules of an event. The client gets `{ value }` or `{ error: { code, status } }`. */
export function onEvent(
  socket: AuthSocket,
  event: string,
  rules: Rules,
  handler: (principal: Principal, message: unknown) => unknown,
): void {
  const compiled = compileRules(rules);
  socket.on(event, async (message: unknown, answer: unknown) => {
    const reply = typeof answer === 'function' ? answer : () => {};
    try {
      authorize(socket.data.auth, compiled);
      reply({ value: await handler(socket.data.auth, message) });
    } catch (error) {
      reply({ error: refusalOf(error).data });
    }
  });
}

/** The token is in `auth.token` of the client, or in its header. Cookies are not read. */
function handshakeOf({ request, handshake }: AuthSocket) {
  const { token }: { token?: unknown } = Object(handshake.auth);
  const { authorization } = request.headers;
  const protocol = handshake.secure ? 'https' : 'http';
  if (token === undefined)
    return {
      protocol,
      headers: authorization === undefined ? {} : { authorization },
      rawHeaders: request.rawHeaders,
    };
  if (authorization !== undefined) throw new AuthError('credentials_ambiguous');
  if (typeof token !== 'string') throw new AuthError('credentials_malformed');
  return { protocol, headers: { authorization: `Bearer ${token}` } };
}

/** The `connect_error` of the client: its `data` has a constant code, and nothing of the token. */
function refusalOf(error: unknown): Error & { data: object } {
  if (!isAuthError(error)) console.error(error);
  const { message, ...data } = isAuthError(error)
    ? error.toJSON()
    : { message: 'Internal server error', code: 'internal', status: 500 };
  return Object.assign(new Error(message), { data });
}
