// One service token and its file: when the file is read, and which token is in use. Makes no calls
// and verifies no signature: the claims are read only to know when to read again, and to avoid
// sending a wrong token.

import { basename, dirname } from 'node:path';
import { MAX_NUMERIC_DATE } from '../claims/registered.ts';
import { asError, isAuthError } from '../errors.ts';
import { publish, warn } from '../events.ts';
import { withDeadline } from '../net/deadline.ts';
import { DEADLINE_MS } from '../net/limits.ts';
import { readSecretFile, watchPath } from '../secrets/directory.ts';
import { parseToken } from '../token/parse.ts';
import { type Clock, monotonicOf } from '../values/clock.ts';
import { type JsonObject, own } from '../values/json.ts';

/** The options of one service token, checked. */
export interface ServiceTokenSettings {
  /** Its path in the options: `tokens[0]`. */
  readonly name: string;
  /** An absolute path. */
  readonly file: string;
  /** Null: `aud` is not checked. */
  readonly audience: string | null;
  /** Undefined: `sub` is not checked. */
  readonly subject: string | undefined;
  /** The wall clock, milliseconds since the epoch. */
  readonly clock: Clock;
}

/** A service token, kept as current as its file. */
export interface ServiceTokenFile {
  /**
   * Returns the token. Reads the file first if that is due.
   * @throws Error with a constant message, if there is no token or it has expired
   */
  current(): Promise<string>;
  /**
   * Reads the file if that is due. Warns about a token that has expired, expires within 24 h, or
   * never expires.
   * @throws Error
   */
  ready(): Promise<void>;
  /** Forgets the token and stops watching. */
  close(): void;
}

interface HeldToken {
  readonly token: string;
  readonly exp: number | undefined;
  /** Milliseconds since the epoch; Infinity without exp. */
  readonly expiresAtMs: number;
}

/** The shortest time between two readings, counted from the attempt, even if it failed. */
const COOLDOWN_MS = 1_000;
/** Some mounts report no changes: there, the file is read at this interval. */
const REREAD_MS = 60_000;
/** If the token expires sooner, the file is read as often as the cooldown permits. */
const NEAR_EXPIRY_MS = 60_000;
const WARN_AHEAD_MS = 86_400_000;
/**
 * The default of verifiers, for a clock that is behind the issuer's. Not used for exp: an expired
 * token is never sent.
 */
const CLOCK_SKEW_MS = 5_000;
/** Node's own servers refuse longer headers. */
const MAX_TOKEN_BYTES = 16 * 1024;
const EXPIRED = 'the token has expired';

/**
 * Makes a service token of a file. Reads nothing before the first call. Later it reads again at the
 * next call after a change of the file, after a failure, once a minute, and in the token's last
 * minute; at most once a second. If a reading fails or its token is refused, the previous token is
 * used until it expires.
 */
export function createServiceTokenFile(settings: ServiceTokenSettings): ServiceTokenFile {
  const { name, file, audience, clock } = settings;
  const monotonic = monotonicOf(clock);
  const about = { serviceToken: name, audience };
  const stopping = new AbortController();
  let held: HeldToken | undefined;
  let lastError: Error | undefined;
  let attemptedAt = Number.NEGATIVE_INFINITY;
  let changed = false;
  let reading: Promise<void> | undefined;
  let unwatch = () => {};

  // With a clock that returns NaN, no token is usable.
  const isUsable = (token: HeldToken | undefined) => token !== undefined && clock.now() < token.expiresAtMs;

  function isDue(): boolean {
    const agoMs = monotonic() - attemptedAt;
    if (agoMs < COOLDOWN_MS) return false;
    const leftMs = held === undefined ? 0 : held.expiresAtMs - clock.now();
    return changed || lastError !== undefined || agoMs >= REREAD_MS || !(leftMs > NEAR_EXPIRY_MS);
  }

  /** One reading, shared by all callers while it runs. Never rejects. */
  function refresh(): Promise<void> | undefined {
    if (reading === undefined && !stopping.signal.aborted && isDue()) {
      reading = attempt().finally(() => {
        reading = undefined;
      });
    }
    return reading;
  }

  async function attempt(): Promise<void> {
    attemptedAt = monotonic();
    changed = false;
    // Watch again before each reading: the folder may have been replaced, or may not have existed
    // before.
    unwatch();
    unwatch = watchPath(dirname(file), () => (changed = true), new Set([basename(file)]));
    try {
      accept(await readToken(settings, stopping.signal));
      lastError = undefined;
    } catch (thrown) {
      if (stopping.signal.aborted) return;
      lastError = asError(thrown);
      publish('latchkey:service-token:failed', { ...about, error: lastError });
    }
  }

  function accept(next: HeldToken): void {
    stopping.signal.throwIfAborted();
    const isNew = next.token !== held?.token;
    if (isUsable(next) || !isUsable(held)) held = next;
    if (!isUsable(next)) throw new Error(EXPIRED);
    if (isNew) publish('latchkey:service-token:refreshed', { ...about, expiresAt: next.exp });
  }

  function unusable(): Error {
    const why = stopping.signal.aborted ? 'closed' : (lastError?.message ?? EXPIRED);
    return new Error(`service token ${name}: ${why}`);
  }

  return {
    async current() {
      await refresh();
      if (held === undefined || !isUsable(held)) throw unusable();
      return held.token;
    },
    async ready() {
      await refresh();
      if (held === undefined) throw unusable();
      const leftMs = held.expiresAtMs - clock.now();
      if (held.exp === undefined) warn('LATCHKEY_UNSAFE', `service token ${name}: never expires`);
      else if (!(leftMs > 0)) warn('LATCHKEY_EXPIRY', `service token ${name}: has expired`);
      else if (leftMs <= WARN_AHEAD_MS)
        warn('LATCHKEY_EXPIRY', `service token ${name}: expires within 24 hours`);
    },
    close() {
      stopping.abort();
      unwatch();
      held = undefined;
    },
  };
}

async function readToken(settings: ServiceTokenSettings, signal: AbortSignal): Promise<HeldToken> {
  const { file, audience, subject, clock } = settings;
  const bytes = await withDeadline(DEADLINE_MS, signal, (inner) => readSecretFile(file, inner));
  if (bytes === undefined) throw new Error('the file does not exist');
  const token = Buffer.from(bytes)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  const claims = claimsOf(token);
  const exp = readTime(claims, 'exp');
  const nbf = readTime(claims, 'nbf');
  const aud = own(claims, 'aud');
  if (audience !== null && !(Array.isArray(aud) ? aud.includes(audience) : aud === audience))
    throw new Error('the token is for another audience');
  if (subject !== undefined && own(claims, 'sub') !== subject)
    throw new Error('the token is of another subject');
  // Before nbf the token would be refused, while the previous one may still be valid.
  if (nbf !== undefined && clock.now() < nbf * 1000 - CLOCK_SKEW_MS)
    throw new Error('the token is not valid yet');
  return { token, exp, expiresAtMs: exp === undefined ? Number.POSITIVE_INFINITY : exp * 1000 };
}

function claimsOf(token: string): JsonObject {
  try {
    return parseToken(token, MAX_TOKEN_BYTES).claims;
  } catch (error) {
    // Not an AuthError: this is not the fault of a request to this service.
    throw new Error(`expected a compact JWS: ${isAuthError(error) ? error.detail : 'cannot be read'}`);
  }
}

/** NumericDate, RFC 7519 §2: seconds, possibly with a fraction. */
function readTime(claims: JsonObject, name: 'exp' | 'nbf'): number | undefined {
  const value = own(claims, name);
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !(value >= 0 && value < MAX_NUMERIC_DATE))
    throw new Error(`${name} is not a time in seconds`);
  return value;
}
