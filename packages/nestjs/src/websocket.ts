// Authenticates WebSocket handshakes at the upgrade, because Nest runs no guard there, and closes a
// connection when its token expires. The guard judges messages.
import type { IncomingMessage } from 'node:http';
import type { Principal, RouteAccess, UpgradeAuthenticator } from '@latchkey/core';
import { authenticateUpgrade, ConfigError, whenExpired } from '@latchkey/core';
import type { RequestParameters } from '@latchkey/core/adapter';
import { argument, compileAccess, isPrincipal } from '@latchkey/core/adapter';
import { type INestApplicationContext, Logger, type WebSocketAdapter } from '@nestjs/common';
import { LATCHKEY_AUTHENTICATOR } from './access.ts';

/** The result of a handshake. */
export interface Handshake {
  readonly auth: unknown;
  /** The request for `fromRequest` rules. An upgrade has no path parameters. */
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

// Milliseconds. Long enough for a peer to answer a close frame, and short enough that the
// connection ends within a second of its token.
const CLOSING_MS = 500;

/**
 * The handshakes, by the upgrade request and by the client; one is deleted when its token expires.
 */
export const handshakes = new WeakMap<object, Handshake>();

/** The authenticators of handshakes. */
export const handshaking = new WeakSet<object>();

/**
 * Authenticates every WebSocket handshake, before it is answered:
 * `app.useWebSocketAdapter(authenticateWebSockets(app, new WsAdapter(app)))`. A refused one gets
 * the status and headers of its error, and no 101. A connection is closed when its token expires.
 * `@RequireClaims` on a message handler judges the principal of the handshake; a handler without
 * decorators is open to every connected client.
 * @param adapter Nest's `WsAdapter`, or another one over the `ws` package
 * @param access the requirements of handshakes, which replace those of the options
 * @returns the adapter
 * @throws ConfigError when a gateway starts that is not served by `ws`, or has its own
 *   `verifyClient`
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
    // If it is undefined, the refusal was answered already.
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
        'expected a server of ws without its own verifyClient, because handshakes would be open; use WsAdapter',
      );
    server.on('connection', (client, request) => hold(client, handshakes.get(request)));
    return server;
  };
  handshaking.add(authenticator);
  return adapter;
}

/** The principals of an authenticator, or of several combined. */
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
    // Deletes the handshake at once, so that messages during the closing reach no handler with
    // rules.
    handshakes.delete(client);
    client.close(1008, 'The token has expired');
    setTimeout(() => client.terminate(), CLOSING_MS).unref();
  };
  for (const principal of principalsIn(handshake.auth)) client.on('close', whenExpired(principal, end));
}
