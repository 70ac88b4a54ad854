// What an application over HTTP needs of sockets and microservices: the clients that websockets.ts
// has authenticated, the exceptions of messages, and the checks of their handlers at start. No part
// of HTTP and GraphQL.
import { AuthError, ConfigError } from '@latchkey/core';
import { type CompiledAccess, type DecoratedClass, isPublicClass, warn } from '@latchkey/core/adapter';
import type { ExecutionContext } from '@nestjs/common';

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

/** The authenticators of handshakes. */
export const handshaking = new WeakSet<object>();

/** Returns the handshake of the client of a message. */
export function handshakeOf(context: ExecutionContext): Handshake | undefined {
  return context.getType<string>() === 'ws' ? handshakes.get(Object(context.getArgByIndex(0))) : undefined;
}

/**
 * Judges a message by the handshake of its client.
 * @throws AuthError without one, also in every other context than that of a socket
 */
export function judgeMessage(context: ExecutionContext, asked: CompiledAccess): true {
  const type = context.getType<string>();
  const detail =
    type === 'ws'
      ? 'the handshake was not authenticated, or its token has expired'
      : `in a context of the type ${type}`;
  const handshake = handshakeOf(context);
  if (handshake === undefined) throw new AuthError('credentials_missing', { detail });
  handshake.judge(asked);
  return true;
}

/** What the client of a message is told. */
export function messageOf({ code, message }: AuthError): object {
  return { status: 'error', code, message };
}

/** Makes the exception of a message; undefined in other contexts. */
export async function messageExceptionOf(error: AuthError, type: string): Promise<Error | undefined> {
  if (type !== 'ws' && type !== 'rpc') return undefined;
  // Each kind of client is told only of exceptions of its own class. An application with such a
  // context has the package installed.
  const Exception =
    type === 'ws'
      ? (await import('@nestjs/websockets')).WsException
      : (await import('@nestjs/microservices')).RpcException;
  return Object.assign(new Exception(messageOf(error)), { cause: error });
}

/** Checks the handlers of messages. */
export interface MessageChecks {
  /** @throws ConfigError for a gateway whose handshakes are not authenticated */
  gateway(type: DecoratedClass, authenticator: object): void;
  isMessage(method: object): boolean;
}

/** Makes the checks, with the decorators of the packages that are installed. */
export async function messageChecks(): Promise<MessageChecks> {
  const sockets = await import('@nestjs/websockets').catch(() => undefined);
  const messages = await import('@nestjs/microservices').catch(() => undefined);
  const isGateway = markedBy((probe) => sockets?.WebSocketGateway()(probe));
  return {
    gateway(type, authenticator) {
      if (!isGateway(type) || isPublicClass(type) || handshaking.has(authenticator)) return;
      throw new ConfigError(
        type.name,
        'the handshakes of this gateway are not authenticated; call app.useWebSocketAdapter(authenticateWebSockets(app, new WsAdapter(app))) with authenticateWebSockets of @latchkey/nestjs/websockets',
      );
    },
    isMessage: markedBy((value) => messages?.MessagePattern('')({}, '', { value })),
  };
}

/** Warns of message handlers that have no guard. */
export function warnOfOpen(handlers: readonly string[]): void {
  if (handlers.length > 0)
    warn(
      'LATCHKEY_UNSAFE',
      `${handlers.join(', ')}: open to every client in a hybrid application without inheritAppConfig: true, and denied in any other`,
    );
}

/** Tells what a decorator of Nest is on, without the names of Nest's own metadata. */
function markedBy(decorate: (probe: () => void) => unknown): (target: object) => boolean {
  const probe = () => {};
  decorate(probe);
  const keys = Reflect.getMetadataKeys(probe);
  return (target) => keys.length > 0 && keys.every((key) => Reflect.getMetadataKeys(target).includes(key));
}
