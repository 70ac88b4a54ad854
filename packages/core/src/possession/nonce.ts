// Nonces of the service (RFC 9449 §9): each is the MAC of a span of time, so that nothing has to be
// remembered. Whether proofs need one is decided in dpop.ts.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../values/clock.ts';
import { sharedState } from '../values/copies.ts';

/** Makes and checks nonces. */
export interface Nonces {
  /** The nonce of now. */
  current(): string;
  /** True for a nonce that this service, or one with the same secret, has made a short time ago. */
  isRecent(nonce: string): boolean;
}

// One for all authenticators, because one of them may replace another. Made when it is needed:
// Workers have no random bytes while a module loads.
const ofProcess = sharedState('nonce secret', () => ({}) as { secret?: Uint8Array });
/** Half of a MAC of SHA-256: 128 bits. */
const NONCE_BYTES = 16;

/**
 * Makes nonces. A nonce is accepted for at least half of the lifetime, and never longer than it.
 * @param secret of all processes of the service. Default: that of this process
 */
export function createNonces(
  lifetimeMs: number,
  clock: Clock,
  secret: Uint8Array | string = secretOfProcess(),
): Nonces {
  const spanMs = lifetimeMs / 2;
  const spanNow = () => Math.floor(clock.now() / spanMs);
  const macOf = (span: number) =>
    createHmac('sha256', secret).update(`DPoP nonce ${span}`).digest().subarray(0, NONCE_BYTES);
  return Object.freeze<Nonces>({
    current: () => macOf(spanNow()).toString('base64url'),
    isRecent(nonce) {
      const given = Buffer.from(nonce, 'base64url');
      if (given.length !== NONCE_BYTES || given.toString('base64url') !== nonce) return false;
      const span = spanNow();
      // The next one too, because the clock of another process may be ahead.
      return [span, span - 1, span + 1].some((one) => timingSafeEqual(given, macOf(one)));
    },
  });
}

function secretOfProcess(): Uint8Array {
  ofProcess.secret ??= randomBytes(32);
  return ofProcess.secret;
}
