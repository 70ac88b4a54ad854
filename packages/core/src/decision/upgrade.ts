// Sockets: authenticates an HTTP upgrade before it is answered, and ends a connection when its
// token expires. Contains no WebSocket library.

import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { validityOf } from '../claims/registered.ts';
import { noteUpgrade } from '../credentials/cookie.ts';
import { concealToken } from '../credentials/query.ts';
import { keyOf, type RequestView } from '../credentials/request.ts';
import { isAuthError } from '../errors.ts';
import { MAX_TIMER_MS } from '../net/limits.ts';
import type { CompiledAccess, RouteAccess } from './access.ts';
import { principalOf } from './authenticator.ts';
import type { CombinedAuthenticator } from './combine.ts';
import type { Decision } from './decision.ts';
import { noteOutcome, watchRequest } from './outcome.ts';
import { contextOf, type Principal, signedClaims } from './principal.ts';
import { rememberHook, tellRefusal } from './refusal-hook.ts';

/** What `authenticateUpgrade` needs of an authenticator, or of several combined. */
export interface UpgradeAuthenticator<T> extends Pick<CombinedAuthenticator<T>, 'conceal' | 'onRefusal'> {
  decide(
    request: RequestView,
    ...access: readonly [access?: RouteAccess | CompiledAccess]
  ): Decision<T> | Promise<Decision<T>>;
}

/** An accepted upgrade. */
export interface AcceptedUpgrade<T> {
  /**
   * The result of `authenticate`: undefined for an anonymous request, which `mode: 'strict'`
   * refuses.
   */
  readonly auth: T;
}

/**
 * Authenticates an upgrade (RFC 9110 §7.8). Call it in the server's `upgrade` event, before the
 * WebSocket library gets the socket. A refusal is written to the socket like the answer to a
 * request, and the socket is closed. A browser lets any page open a WebSocket with the cookies of
 * its host, so the origin is checked for a token in a cookie, although the method is GET.
 * @returns undefined if the upgrade was refused and answered
 * @throws faults that are not refusals; the socket has then been answered with 500
 * @example
 * ```ts
 * server.on('upgrade', async (request, socket, head) => {
 *   const accepted = await authenticateUpgrade(authenticator, request, socket);
 *   if (accepted !== undefined) acceptWebSocket(request, socket, head);
 * });
 * ```
 */
export async function authenticateUpgrade<T>(
  authenticator: UpgradeAuthenticator<T>,
  request: RequestView & { url?: string | undefined; originalUrl?: string | undefined },
  socket: Duplex,
  ...access: readonly [access?: RouteAccess | CompiledAccess]
): Promise<AcceptedUpgrade<T> | undefined> {
  // Ignores socket errors: a client that disconnects meanwhile must not end the process.
  const ignore = () => {};
  socket.on('error', ignore);
  try {
    noteUpgrade(request);
    if (authenticator.onRefusal !== undefined) rememberHook(keyOf(request), authenticator.onRefusal);
    const watched = watchRequest(request, undefined, undefined);
    const decision = authenticator.decide(request, ...access);
    concealToken(authenticator, request, request, request.originalUrl);
    const made = await decision;
    if (watched !== undefined) noteOutcome(watched, made);
    return Object.freeze({ auth: principalOf(made) });
  } catch (error) {
    if (!isAuthError(error)) {
      answer(socket, 500, {});
      throw error;
    }
    tellRefusal(keyOf(request), error);
    answer(socket, error.status, error.headers);
    return undefined;
  } finally {
    socket.off('error', ignore);
  }
}

/**
 * Calls back once when the token of the principal expires, to close a socket or end a stream. The
 * token expires at `exp` or at the end of `maxTokenAge`, whichever comes first, without clock skew.
 * A token with neither never expires, and an anonymous caller (undefined) has no token. The timer
 * does not keep the process alive.
 * @returns a function that cancels the timer: call it when the connection has ended
 * @example
 * ```ts
 * const forget = whenExpired(principal, () => socket.end());
 * socket.on('close', forget);
 * ```
 */
export function whenExpired(principal: Principal | undefined, callback: () => void): () => void {
  if (principal === undefined) return () => {};
  const { maxTokenAgeMs, clock = Date } = contextOf(principal) ?? {};
  const { untilMs } = validityOf(signedClaims(principal), { clockSkewMs: 0, maxTokenAgeMs });
  if (!Number.isFinite(untilMs)) return () => {};
  let timer: NodeJS.Timeout;
  const wait = () => {
    const leftMs = untilMs - clock.now();
    // A timer has a greatest delay; for a longer time, wait again.
    timer = setTimeout(leftMs > 0 ? wait : callback, Math.min(Math.max(leftMs, 0), MAX_TIMER_MS));
    timer.unref();
  };
  wait();
  return () => clearTimeout(timer);
}

function answer(socket: Duplex, status: number, headers: Readonly<Record<string, string>>): void {
  // The caller removes its error listener next, so the socket needs another one.
  socket.on('error', () => {});
  const lines = Object.entries({ ...headers, Connection: 'close', 'Content-Length': '0' });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}\r\n`, () => socket.destroy());
}
