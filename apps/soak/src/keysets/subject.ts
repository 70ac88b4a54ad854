// Helpers of all keyset scenarios: an authenticator for a remote issuer, tokens in turn, random
// kids, and the engine's events. No scenario is here.
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

/** The input of a scenario. */
export interface Stage {
  readonly issuers: IssuerHost;
  readonly progress: Progress;
  /** The number of unhandled rejections in this process since the run began. */
  unhandledRejections(): number;
}

/** A keyset over the issuer's JWK Set URL. */
export function keysetOf({ issuer, jwksUrl }: RemoteIssuer): KeysetOptions {
  return { issuer, jwksUrl, allowHttp: true };
}

/**
 * Creates an authenticator for one issuer, by its JWK Set URL unless the options say otherwise. It
 * has fetched no keys yet.
 */
export function authenticatorOf(
  issuer: RemoteIssuer,
  options: Partial<AuthenticatorOptions> = {},
): Authenticator {
  return createAuthenticator({ keySets: [keysetOf(issuer)], audience: issuer.audience, ...options });
}

/** Returns a function that gives the tokens in turn, without end. */
export function inTurn(tokens: readonly string[]): () => string {
  let next = 0;
  return () => tokens[next++ % tokens.length] ?? '';
}

/** Returns a function that gives copies of a token, each with a new random kid. */
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

/** One attempt of the engine to fetch from its source. Times by `performance.now()`. */
export interface Attempt {
  readonly endedAt: number;
  /** Undefined if it succeeded. */
  readonly retryInMs: number | undefined;
}

/** The engine's events for one issuer. It works only if a single authenticator uses the issuer. */
export interface Watch {
  readonly attempts: readonly Attempt[];
  stop(): void;
}

/** Starts to record the engine's events. */
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

/** Repeats the check every few milliseconds until it is true. @returns false after `limitMs` */
export async function until(condition: () => boolean, limitMs: number, everyMs = 20): Promise<boolean> {
  const limit = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > limit) return false;
    await sleep(everyMs);
  }
  return true;
}
