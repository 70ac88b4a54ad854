// What every keyset scenario needs: an authenticator for a remote issuer, tokens in turn, forged
// kids, and what the engine tells.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Authenticator,
  type AuthenticatorOptions,
  createAuthenticator,
  type KeysetOptions,
} from '@latchkey/core';
import type { Progress } from '@latchkey/test-kit/progress';
import type { IssuerHost, RemoteIssuer } from '../issuer-handle.ts';

/** What a scenario is given. */
export interface Stage {
  readonly issuers: IssuerHost;
  readonly progress: Progress;
  /** How many there were in this process since the run began. */
  unhandledRejections(): number;
}

/** A keyset over the issuer's JWK Set URL. */
export function keysetOf({ issuer, jwksUrl }: RemoteIssuer): KeysetOptions {
  return { issuer, jwksUrl, allowHttp: true };
}

/**
 * An authenticator for one issuer, by its JWK Set URL unless the options say otherwise. Has read
 * nothing yet.
 */
export function authenticatorOf(
  issuer: RemoteIssuer,
  options: Partial<AuthenticatorOptions> = {},
): Authenticator {
  return createAuthenticator({ keySets: [keysetOf(issuer)], audience: issuer.audience, ...options });
}

/** Gives the tokens in turn, for ever. */
export function inTurn(tokens: readonly string[]): () => string {
  let next = 0;
  return () => tokens[next++ % tokens.length] ?? '';
}

/** Gives copies of a token that each name another key, which nobody has. */
export function withRandomKids(token: string): () => string {
  const [, payload, signature] = token.split('.');
  const rest = `.${payload}.${signature}`;
  let count = 0;
  return () => {
    const kid = `${Math.random().toString(36).slice(2)}-${count++}`;
    const header = JSON.stringify({ alg: 'RS256', kid, typ: 'JWT' });
    return `${Buffer.from(header).toString('base64url')}${rest}`;
  };
}

/** One attempt of the engine to read its source. Times by `performance.now()`. */
export interface Attempt {
  readonly endedAt: number;
  /** Undefined if it succeeded. */
  readonly retryInMs: number | undefined;
}

/** What the engine tells of one issuer. Only for an issuer that a single authenticator knows. */
export interface Watch {
  readonly attempts: readonly Attempt[];
  stop(): void;
}

/** Listens to the engine from now on. */
export function watchAttempts(issuer: string): Watch {
  const attempts: Attempt[] = [];
  const listener = (event: unknown) => {
    if (typeof event !== 'object' || event === null || !('issuer' in event) || event.issuer !== issuer)
      return;
    const retryInMs =
      'retryInMs' in event && typeof event.retryInMs === 'number' ? event.retryInMs : undefined;
    attempts.push({ endedAt: performance.now(), retryInMs });
  };
  const channels = ['latchkey:keyset:refreshed', 'latchkey:keyset:failed'];
  for (const channel of channels) subscribe(channel, listener);
  return {
    attempts,
    stop() {
      for (const channel of channels) unsubscribe(channel, listener);
    },
  };
}

/** Asks again every few milliseconds until it is so. */
export async function until(condition: () => boolean, limitMs: number, everyMs = 20): Promise<boolean> {
  const limit = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > limit) return false;
    await sleep(everyMs);
  }
  return true;
}
