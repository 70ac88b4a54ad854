// Sessions of streamable HTTP, bound to the caller that opened them: the id of a session is no
// credential. What a session is, the application decides.
import { createHash } from 'node:crypto';
import { ConfigError, tokenOf } from '@latchkey/core';
import { type Caller, principalOf } from './auth-info.ts';

/** The sessions of one process. */
export interface Sessions<T> {
  /** How many sessions are open. */
  readonly size: number;
  /**
   * Keeps a session for the caller that opens it.
   * @throws ConfigError for an id that is in use
   */
  add(id: string, caller: Caller | undefined, session: T): void;
  /**
   * Finds a session of a caller.
   * @param id the header `Mcp-Session-Id`
   * @returns undefined if no session has this id, or if another caller opened it. Answer 404 in
   *   both cases, so that the answer does not tell which ids exist
   */
  find(id: string | readonly string[] | undefined, caller: Caller | undefined): T | undefined;
  /** Forgets a session. Call it when its transport has closed. */
  delete(id: string): void;
}

/**
 * Makes a store of sessions that gives each session only to its owner: see `ownerOf`. A token that
 * its client has renewed finds the session again; the token of another user or another client does
 * not. Each request still needs a valid token: the store authenticates nothing.
 * @example
 * ```ts
 * const sessions = createSessions<{ close(): Promise<void> }>();
 * const found = sessions.find(incoming.headers['mcp-session-id'], principal);
 * if (found === undefined) response.writeHead(404).end();
 * ```
 */
export function createSessions<T>(): Sessions<T> {
  const sessions = new Map<string, { readonly owner: string; readonly session: T }>();
  return Object.freeze<Sessions<T>>({
    get size() {
      return sessions.size;
    },
    add(id, caller, session) {
      if (sessions.has(id)) throw new ConfigError('sessions.add', 'expected a new id, got one in use');
      sessions.set(id, { owner: ownerOf(caller), session });
    },
    find(id, caller) {
      const found = typeof id === 'string' ? sessions.get(id) : undefined;
      return found?.owner === ownerOf(caller) ? found.session : undefined;
    },
    delete: (id) => void sessions.delete(id),
  });
}

/**
 * Returns a text that is the same for all tokens of one user through one client, and another one
 * for all others: for a store of sessions, or a queue of events, that several processes share. It
 * is a hash, so that it may be part of a key; it is not a secret.
 *
 * It is made of issuer, subject and client id. A token that has neither subject nor client id owns
 * only what was opened with this very token.
 * @param caller undefined for an anonymous caller; these share what they open
 * @example
 * ```ts
 * const key = `${ownerOf(principal)}:${incoming.headers['mcp-session-id']}`;
 * ```
 */
export function ownerOf(caller: Caller | undefined): string {
  const principal = principalOf(caller);
  const parts =
    principal === undefined
      ? []
      : principal.subject === undefined && principal.clientId === undefined
        ? [tokenOf(principal)]
        : [principal.issuer ?? null, principal.subject ?? null, principal.clientId ?? null];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}
