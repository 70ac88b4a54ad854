// A service that judges revocations, a feed that a test controls, and tokens, for the tests of this
// folder.
import { createClock, generateSigningKey, type MintClaims, mint, type TestClock } from '@latchkey/testing';
import { onTestFinished } from 'vitest';
import type { RequestView } from '../../src/credentials/request.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import {
  type AuthError,
  type Authenticator,
  createAuthenticator,
  isAuthError,
  type RevocationFeed,
  type RevocationOptions,
  type RevocationSink,
  type StoredRevocation,
} from '../../src/index.ts';
import { requestWith } from '../support/authenticators.ts';

export const ISSUER = 'https://issuer.example';
export const AUDIENCE = 'https://api.example.com';
const signer = await generateSigningKey('ES256');
export const KEYSET = { issuer: ISSUER, jwks: { keys: [signer.publicJwk] } };

/** A feed that delivers what a test says. */
export interface ControlledFeed extends RevocationFeed {
  readonly sinks: RevocationSink[];
  readonly published: StoredRevocation[];
  /** Delivers to all followers, and confirms the list. */
  deliver(...entries: readonly StoredRevocation[]): void;
  closed: number;
}

export function controlledFeed(publish: () => Promise<void> = () => Promise.resolve()): ControlledFeed {
  const feed: ControlledFeed = {
    description: 'feed of the test',
    sinks: [],
    published: [],
    closed: 0,
    follow(sink) {
      feed.sinks.push(sink);
      return {
        close: async () => {
          feed.closed++;
        },
      };
    },
    async publish(revocation) {
      await publish();
      feed.published.push(revocation);
    },
    deliver(...entries) {
      for (const sink of feed.sinks) {
        sink.add(entries);
        sink.current(sink.now());
      }
    },
  };
  return feed;
}

export interface Bench {
  readonly authenticator: Authenticator;
  readonly clock: TestClock;
  /** Signs claims for the service: by default of alice, issued a minute ago. */
  tokenOf(claims?: MintClaims): Promise<string>;
  /** The outcome of a request: `accepted`, or the code of the refusal. */
  ask(token: string): Promise<string>;
  refusalOf(token: string): Promise<AuthError | undefined>;
}

/** Makes a service, and closes it after the test. */
export function bench(
  revocation: RevocationOptions | undefined = {},
  options: Partial<AuthenticatorOptions> = {},
  clock = createClock(),
): Bench {
  const authenticator = createAuthenticator({
    keySets: [KEYSET],
    audience: AUDIENCE,
    ...(revocation === undefined ? {} : { revocation }),
    clock,
    ...options,
  } as AuthenticatorOptions);
  onTestFinished(() => authenticator.close());
  const refusalOf = (token: string) => refusalOfRequest(authenticator, requestWith(token));
  return {
    authenticator,
    clock,
    tokenOf: (claims) => tokenAt(clock, claims),
    refusalOf,
    ask: async (token) => (await refusalOf(token))?.code ?? 'accepted',
  };
}

/** Signs claims for the service. */
export function tokenAt(clock: TestClock, claims: MintClaims = {}): Promise<string> {
  const at = Math.floor(clock.now() / 1000) - 60;
  return mint(signer, { iss: ISSUER, aud: AUDIENCE, sub: 'alice', iat: at, exp: at + 7200, ...claims });
}

export async function refusalOfRequest(
  { decide }: Pick<Authenticator, 'decide'>,
  request: RequestView,
): Promise<AuthError | undefined> {
  const decision = await decide(request);
  if (decision.ok) return undefined;
  if (!isAuthError(decision.error)) throw decision.error;
  return decision.error;
}
