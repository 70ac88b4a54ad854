// What core tells the outside while it works: diagnostics_channel names and payloads. No token, key or claim is ever in one.
import { channel } from 'node:diagnostics_channel';

/** Fields that every keyset event carries. */
interface KeysetEvent {
  /** Where the keyset stands in the options: `keySets[0]`. */
  readonly keyset: string;
  readonly issuer: string | undefined;
}

/** The channels, by name, and what is published there. Subscribe with `diagnostics_channel.subscribe(name, listener)`. */
export interface LatchkeyEvents {
  /** A source was read, and its keys are in use. */
  'latchkey:keyset:refreshed': KeysetEvent & { readonly keys: number; readonly lifetimeMs: number };
  /** A source could not be read. What was there before stays in use. */
  'latchkey:keyset:failed': KeysetEvent & {
    readonly error: Error;
    readonly failures: number;
    readonly retryInMs: number;
  };
  /** Keys older than their lifetime are in use, because their source fails. Once per outage. */
  'latchkey:keyset:stale': KeysetEvent & { readonly ageMs: number };
  'latchkey:keyset:key-added': KeysetEvent & { readonly kid: string | undefined };
  /** A key left its set. It verifies nothing any more. */
  'latchkey:keyset:key-removed': KeysetEvent & { readonly kid: string | undefined };
  /** A member of a JWK Set cannot be used. The others can. */
  'latchkey:keyset:key-skipped': KeysetEvent & {
    readonly kid: string | undefined;
    readonly reason: string;
  };
}

/**
 * Says once, where everybody looks, that the options hold something dangerous or deprecated. Node writes warnings to the standard
 * error stream, unless the application decides otherwise.
 */
export function warn(code: 'LATCHKEY_DEPRECATED' | 'LATCHKEY_UNSAFE', message: string): void {
  process.emitWarning(message, {
    type: code === 'LATCHKEY_UNSAFE' ? 'SecurityWarning' : 'DeprecationWarning',
    code,
  });
}

/** Publishes one event. A listener that throws does not reach the caller: diagnostics_channel sees to that. */
export function publish<Name extends keyof LatchkeyEvents>(name: Name, event: LatchkeyEvents[Name]): void {
  const target = channel(name);
  if (target.hasSubscribers) target.publish(event);
}
