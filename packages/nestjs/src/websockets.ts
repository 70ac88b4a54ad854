// '@latchkey/nestjs/websockets': authenticates the handshakes of gateways, over ws and over
// Socket.IO, because Nest runs no guard there, and closes a connection when its token expires. The
// guard judges messages.
import type { IncomingMessage } from 'node:http';
import type { Principal, RouteAccess, UpgradeAuthenticator } from '@latchkey/core';
import { AuthError, authenticateUpgrade, ConfigError, isAuthError, whenExpired } from '@latchkey/core';
import type { CompiledAccess, RequestView } from '@latchkey/core/adapter';
import {
  argument,
  authorized,
  compileAccess,
  decide,
  isPrincipal,
  judgeAccess,
  protocolOf,
  whenDecided,
} from '@latchkey/core/adapter';
import {
  type ArgumentsHost,
  Catch,
  type INestApplicationContext,
  Logger,
  type WebSocketAdapter,
} from '@nestjs/common';
import { BaseWsExceptionFilter, WsException } from '@nestjs/websockets';
import { NEST } from './context.ts';
import { LATCHKEY_AUTHENTICATOR } from './guard.ts';
import { type Handshake, handshakes, handshaking, messageOf } from './messages.ts';

/** The client of ws. */
interface WsClient {
  on(event: 'close', listener: () => void): unknown;
  close(code: number, reason: string): void;
  terminate(): void;
}

interface WsServer {
  readonly options?: { readonly verifyClient?: unknown };
  on(event: 'connection', listener: (client: WsClient, request: IncomingMessage) => void): unknown;
}

/** The client of Socket.IO. */
interface IoClient {
  readonly request: IncomingMessage;
  readonly handshake: { readonly auth?: unknown };
  on(event: 'disconnect', listener: () => void): unknown;
  disconnect(close: true): unknown;
}

/** A server or a namespace of Socket.IO. */
interface IoServer {
  readonly sockets: unknown;
  use(middleware: (client: IoClient, next: (error?: Error) => void) => void): unknown;
  on(event: 'connection', listener: (client: IoClient) => void): unknown;
}

// Milliseconds. Long enough for a peer to answer a close frame, and short enough that the
// connection ends within a second of its token.
const CLOSING_MS = 500;

/**
 * Authenticates every WebSocket handshake before it is answered, with the adapter of `ws` or of
 * Socket.IO: `app.useWebSocketAdapter(authenticateWebSockets(app, new WsAdapter(app)))`. A refused
 * handshake of `ws` gets the status and headers of its error, and no 101; one of Socket.IO gets a
 * `connect_error` with `{ code, message }` in its `data`. A connection is closed when its token
 * expires. `@RequireClaims` on a message handler judges the principal of the handshake.
 *
 * With Socket.IO, the token is in the headers of the handshake, or in `auth.token` of the client.
 * @param adapter Nest's `WsAdapter` or `IoAdapter`, or one that extends them
 * @param access the requirements of handshakes, which replace those of the options. It may be
 *   omitted, but not undefined, which would drop the rules
 * @returns the adapter
 * @throws ConfigError when a gateway starts that is served by neither `ws` nor Socket.IO, or has
 *   its own `verifyClient`
 * @example
 * ```ts
 * app.useWebSocketAdapter(authenticateWebSockets(app, new WsAdapter(app)));
 * ```
 */
export function authenticateWebSockets<A extends WebSocketAdapter>(
  app: INestApplicationContext,
  adapter: A,
  ...access: readonly [access?: RouteAccess]
): A {
  const authenticator = app.get<UpgradeAuthenticator<unknown>>(LATCHKEY_AUTHENTICATOR);
  const asked = compileAccess(argument(access, 'access', {}));
  const accepted = new WeakMap<IncomingMessage, Handshake>();
  const accept = async (request: IncomingMessage, answer: (verified: true) => void) => {
    const upgrade = await authenticateUpgrade(authenticator, request, request.socket, asked);
    // If it is undefined, the refusal was answered already.
    if (upgrade === undefined) return;
    accepted.set(request, handshakeOf(upgrade.auth, request));
    answer(true);
  };
  const verifyClient = ({ req }: { req: IncomingMessage }, answer: (verified: true) => void) => {
    accept(req, answer).catch((error: unknown) => Logger.error(error, 'Latchkey'));
  };
  const create = adapter.create.bind(adapter);
  adapter.create = (port: number, options: { readonly verifyClient?: unknown } = {}): unknown => {
    const server: WsServer | IoServer = create(port, { ...options, verifyClient });
    if (isSocketIo(server)) {
      guardNamespace(server, authenticator, asked);
      return server;
    }
    if (options.verifyClient !== undefined || server.options?.verifyClient !== verifyClient)
      throw new ConfigError(
        'adapter',
        'expected a server of ws without its own verifyClient, or one of Socket.IO, because handshakes would be open; use WsAdapter or IoAdapter',
      );
    server.on('connection', (client, request) => {
      hold(client, accepted.get(request), 'close', () => {
        client.close(1008, 'The token has expired');
        setTimeout(() => client.terminate(), CLOSING_MS).unref();
      });
    });
    return server;
  };
  handshaking.add(authenticator);
  return adapter;
}

/**
 * Answers an AuthError that a handler of a gateway threw, for example from `authenticator.verify`,
 * in the same way as a refusal of the guard: Nest runs no global filter there.
 * @example
 * ```ts
 * @UseFilters(new WebSocketRefusalFilter())
 * @WebSocketGateway()
 * class ChatGateway {}
 * ```
 */
export class WebSocketRefusalFilter extends BaseWsExceptionFilter {
  override catch(error: unknown, host: ArgumentsHost): void {
    super.catch(isAuthError(error) ? new WsException(messageOf(error)) : error, host);
  }
}
Catch()(WebSocketRefusalFilter);

function isSocketIo(server: WsServer | IoServer): server is IoServer {
  return 'use' in server && typeof server.use === 'function' && 'sockets' in server;
}

function guardNamespace(
  server: IoServer,
  authenticator: UpgradeAuthenticator<unknown>,
  asked: CompiledAccess,
): void {
  const accepted = new WeakMap<IoClient, Handshake>();
  server.use(async (client, next) => {
    try {
      const view = viewOf(client);
      const auth = await whenDecided(decide(authenticator, view, asked, NEST, view), (found) => found);
      accepted.set(client, handshakeOf(auth, client.request));
    } catch (error) {
      if (!isAuthError(error)) Logger.error(error, 'Latchkey');
      const { message, ...data } = isAuthError(error) ? error.toJSON() : { message: 'Internal server error' };
      return next(Object.assign(new Error(message), { data }));
    }
    return next();
  });
  // Socket.IO runs no middleware for a connection that it recovers.
  server.on('connection', (client) =>
    hold(client, accepted.get(client), 'disconnect', () => client.disconnect(true)),
  );
}

/** The handshake of Socket.IO, which is polling or an upgrade, as an upgrade with its token. */
function viewOf({ request, handshake }: IoClient): RequestView {
  const { token }: { token?: unknown } = Object(handshake.auth);
  const more = typeof token === 'string' ? { authorization: `Bearer ${token}` } : {};
  return {
    method: 'GET',
    url: request.url,
    protocol: protocolOf(request),
    socket: request.socket,
    // Browsers send cookies with both, whichever page opens the connection: both need the check of
    // their origin.
    headers: { ...more, ...request.headers, connection: 'Upgrade', upgrade: 'websocket' },
    rawHeaders: [...request.rawHeaders, ...Object.entries(more).flat()],
  };
}

function handshakeOf(auth: unknown, { headers }: IncomingMessage): Handshake {
  const judge: Handshake['judge'] = (access) => {
    const { mode, claims } = access;
    if (auth === undefined && mode === 'strict')
      throw new AuthError('credentials_missing', { detail: 'the handshake was anonymous' });
    for (const principal of principalsIn(auth)) {
      const refusal = judgeAccess(principal, access);
      if (refusal !== undefined) throw refusal;
    }
    // An upgrade has no path parameters.
    if (claims !== undefined)
      return authorized(auth as Principal, claims, { method: 'UPGRADE', headers, params: {} });
    return auth;
  };
  return { auth, judge };
}

/** Keeps the handshake of a client until its token expires. */
function hold<Event extends string>(
  client: { on(event: Event, listener: () => void): unknown },
  handshake: Handshake | undefined,
  closed: Event,
  close: () => void,
): void {
  if (handshake === undefined) {
    close();
    return;
  }
  handshakes.set(client, handshake);
  const end = () => {
    // Deletes the handshake at once, so that messages during the closing reach no handler with
    // rules.
    handshakes.delete(client);
    close();
  };
  for (const principal of principalsIn(handshake.auth)) client.on(closed, whenExpired(principal, end));
}

/** The principals of an authenticator, or of several combined. */
function principalsIn(auth: unknown): readonly Principal[] {
  if (isPrincipal(auth)) return [auth];
  return typeof auth === 'object' && auth !== null ? Object.values(auth).flatMap(principalsIn) : [];
}
