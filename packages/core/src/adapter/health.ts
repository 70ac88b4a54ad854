// Health checks, for all adapters: whether authenticators can decide now. Says nothing else,
// because everybody may ask.
import type { Authenticator } from '../decision/authenticator.ts';
import { ConfigError } from '../errors.ts';
import { refuseRequest } from './misuse.ts';

/** What is sent. */
export interface HealthAnswer {
  readonly status: 200 | 503;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
}

const HEADERS = Object.freeze({ 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
const READY: HealthAnswer = Object.freeze({ status: 200, headers: HEADERS, body: '{"status":"ready"}' });
const NOT_READY: HealthAnswer = Object.freeze({
  status: 503,
  headers: HEADERS,
  body: '{"status":"unavailable"}',
});

/**
 * Makes the answers to health checks: 200 while all authenticators are ready, else 503.
 * @throws ConfigError for anything but authenticators of `createAuthenticator`
 */
export function healthAnswerer(...authenticators: readonly Authenticator[]): () => HealthAnswer {
  if (authenticators.length === 0)
    throw new ConfigError('healthCheck', 'expected an authenticator; make one with createAuthenticator');
  for (const authenticator of authenticators) {
    refuseRequest(authenticator, 'healthCheck', 'an authenticator');
    if (typeof authenticator?.report !== 'function')
      throw new ConfigError(
        'healthCheck',
        'expected an authenticator that createAuthenticator made; pass each one of a combination',
      );
  }
  return () => (authenticators.every((one) => one.report().isReady) ? READY : NOT_READY);
}
