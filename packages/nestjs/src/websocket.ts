// WebSockets: Nest runs no guard at the handshake, so it is decided at the upgrade, and a
// connection ends with its token.
import type { IncomingMessage } from 'node:http';
import type { Principal, RouteAccess, UpgradeAuthenticator } from '@latchkey/core';
import { authenticateUpgrade, ConfigError, whenExpired } from '@latchkey/core';
import type { RequestParameters } from '@latchkey/core/adapter';
import { argument, compileAccess, isPrincipal } from '@latchkey/core/adapter';
import { type INestApplicationContext, Logger, type WebSocketAdapter } from '@nestjs/common';
import { LATCHKEY_AUTHENTICATOR } from './access.ts';

/** What let a client connect. */
export interface Handshake {
  readonly auth: unknown;
  /** For `fromRequest` rules. An upgrade has no path parameters. */
  readonly request: RequestParameters;
}

interface Client {
  on(event: 'close', listener: () => void): unknown;
  close(code: number, reason: string): void;
  terminate(): void;
}

interface SocketServer {
  readonly options?: { readonly verifyClient?: unknown };
  on(event: 'connection', listener: (client: Client, request: IncomingMessage) => void): unknown;
}

// Long enough for a peer to answer a close frame, and short enough that a connection is gone a
// second after its token.
const CLOSING_MS = 500;

/** What let a client connect, by its upgrade and by the client; gone when its token has expired. */
export const handshakes = new WeakMap<object, Handshake>();

/** The authenticators that handshakes are authenticated with. */
export const handshaking = new WeakSet<object>();

/**
 * Authenticates every WebSocket handshake, before it is answered:
 * `app.useWebSocketAdapter(authenticateWebSockets(app, new WsAdapter(app)))`. A refused one gets
 * the status and headers of its error, and no 101. A connection is closed when its token expires.
 * Rules on message handlers are judged by what the handshake brought, by `@RequireClaims`; a
 * handler without decorators is for all who are connected.
 * @param adapter Nest's `WsAdapter`, or another one over the `ws` package
 * @param access what handshakes ask instead of what the options say
 * @returns the adapter
 * @throws ConfigError when a gateway starts that is not served by `ws`, or brings a `verifyClient`
 *   of its own
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
  const compiled = compileAccess(argument(access, 'access', {}));
  const decide = async (request: IncomingMessage, accept: (verified: true) => void) => {
    const upgrade = await authenticateUpgrade(authenticator, request, request.socket, compiled);
    // Otherwise the answer has been given.
    if (upgrade === undefined) return;
    const { headers } = request;
    handshakes.set(request, { auth: upgrade.auth, request: { method: 'UPGRADE', headers, params: {} } });
    accept(true);
  };
  const verifyClient = ({ req }: { req: IncomingMessage }, accept: (verified: true) => void) => {
    decide(req, accept).catch((error: unknown) => Logger.error(error, 'Latchkey'));
  };
  const create = adapter.create.bind(adapter);
  adapter.create = (port: number, options: { readonly verifyClient?: unknown } = {}): SocketServer => {
    const server: SocketServer = create(port, { ...options, verifyClient });
    if (options.verifyClient !== undefined || server.options?.verifyClient !== verifyClient)
      throw new ConfigError(
        'adapter',
        'not over ws, or with a verifyClient of its own: handshakes would be open',
      );
    server.on('connection', (client, request) => hold(client, handshakes.get(request)));
    return server;
  };
  handshaking.add(authenticator);
  return adapter;
}

/** The principals that an authenticator, or several combined, gave. */
export function principalsIn(auth: unknown): readonly Principal[] {
  if (isPrincipal(auth)) return [auth];
  return typeof auth === 'object' && auth !== null ? Object.values(auth).flatMap(principalsIn) : [];
}

function hold(client: Client, handshake: Handshake | undefined): void {
  if (handshake === undefined) {
    client.terminate();
    return;
  }
  handshakes.set(client, handshake);
  const end = () => {
    // At once: what a peer sends while it is asked to leave is not for handlers with rules.
    handshakes.delete(client);
    client.close(1008, 'The token has expired');
    setTimeout(() => client.terminate(), CLOSING_MS).unref();
  };
  for (const principal of principalsIn(handshake.auth)) client.on('close', whenExpired(principal, end));
}
