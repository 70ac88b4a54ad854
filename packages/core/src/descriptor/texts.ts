// The texts of one descriptor that decide on requests: the one in force, and those that wait for
// their end or their keys and already refuse what they forbid. Reads no file.

import type { Authenticator, AuthenticatorLimits } from '../decision/authenticator.ts';
import { authenticatorOf } from '../decision/authenticator.ts';
import { type Deciding, narrow } from '../decision/narrow.ts';
import type { LatchkeyEvents } from '../events.ts';
import { createCarrier, type KeysetLeases } from './carry.ts';
import { createRevocationCarrier, type RevocationLease } from './carry-revocations.ts';
import { parseDescriptor, placed } from './document.ts';
import type { CheckedDescriptor } from './load.ts';

/** A text with its checked options. */
export interface CheckedText extends Pick<CheckedDescriptor, 'settings' | 'end'> {
  readonly text: string;
}

/** A text with the authenticator made from it. */
export interface RunningText extends CheckedText {
  readonly authenticator: Authenticator;
  readonly leases: KeysetLeases;
  readonly revocations: RevocationLease;
  /** Drops what is kept for requests to come. */
  rest(): void;
}

/** The texts that also decide. A member that is absent is not changed. */
export interface PendingTexts<T> {
  /** The last complete text, while it waits for its keys. A request that it refuses is refused. */
  readonly whole?: T | undefined;
  /**
   * The last text that was read, before its turn, or while it may be incomplete. A request that
   * only it refuses is answered with 503.
   */
  readonly partial?: T | undefined;
}

/** The texts of one descriptor. */
export interface DescriptorTexts extends Required<PendingTexts<RunningText>> {
  /** The text in force. */
  readonly current: RunningText;
  /** Decides by all texts. */
  readonly deciding: Deciding;
  /**
   * Makes the authenticator of a text that is to take effect.
   * @param quiet warnings about the text have been emitted before
   */
  prepare(read: CheckedText, quiet: boolean): RunningText;
  /** Sets the texts that also decide. They are not in force. */
  judgeBy(next: PendingTexts<CheckedText>): void;
  /** Puts a text in force. No other text decides afterwards. */
  putInForce(next: RunningText): void;
  close(): Promise<void>;
}

/** Requests that began with the old options end with them. Longer than any deadline in them. */
const RETIRE_MS = 35_000;

/** Puts the first text in force. Fetches nothing. @throws ConfigError */
export function createTexts(
  first: CheckedText,
  file: string,
  limits: AuthenticatorLimits | undefined,
): DescriptorTexts {
  const carrier = createCarrier();
  const leaseRevocations = createRevocationCarrier();
  const retired = new Map<RunningText, NodeJS.Timeout>();
  let current = make(first, carrier.inForce(), false);
  let whole: RunningText | undefined;
  let partial: RunningText | undefined;
  let deciding: Deciding = current.authenticator;

  /**
   * Makes an authenticator from a text. On failure, releases the keysets that were taken for it.
   */
  function make({ text, settings, end }: CheckedText, leases: KeysetLeases, quiet: boolean): RunningText {
    const resting = new AbortController();
    const revocations = leaseRevocations();
    try {
      const now = () => current.settings;
      const making = {
        take: leases.take,
        takeRevocations: revocations.take,
        quiet,
        resting: resting.signal,
        now,
      };
      const authenticator = authenticatorOf(settings, limits, making);
      const rest = () => resting.abort();
      return { text, end, settings, authenticator, leases, revocations, rest };
    } catch (error) {
      void leases.release();
      throw placed(error, parseDescriptor(text, file));
    }
  }

  /** @param isWhole false: endpoints and sources may be incomplete, so no token is sent to them */
  function makeJudge(read: CheckedText | undefined, isWhole: boolean): RunningText | undefined {
    if (read === undefined) return undefined;
    const { remote, groups } = isWhole ? read.settings : current.settings;
    // The list in force judges until that of the new text has been read.
    const { revocation, revocationFeed } = current.settings;
    const settings = { ...read.settings, remote, groups, revocation, revocationFeed };
    return make({ ...read, settings }, carrier.judging(current.leases, settings, isWhole), true);
  }

  function judgeBy(next: PendingTexts<CheckedText>): void {
    const before = [whole, partial];
    const nextWhole = 'whole' in next ? makeJudge(next.whole, true) : whole;
    partial = 'partial' in next ? makeJudge(next.partial, false) : partial;
    whole = nextWhole;
    deciding = narrow(current.authenticator, [
      ...(whole === undefined ? [] : [{ authenticator: whole.authenticator, isCertain: true }]),
      ...(partial === undefined
        ? []
        : [{ authenticator: partial.authenticator, isCertain: partial.end !== undefined }]),
    ]);
    for (const old of before) if (old !== undefined && old !== whole && old !== partial) retire(old);
  }

  /** Closes a text when the requests that it decides on have ended. */
  function retire(old: RunningText): void {
    old.rest();
    const end = () => {
      retired.delete(old);
      // No decision uses it any more.
      closeText(old).catch(() => {});
    };
    retired.set(old, setTimeout(end, RETIRE_MS).unref());
  }

  return {
    get current() {
      return current;
    },
    get whole() {
      return whole;
    },
    get partial() {
      return partial;
    },
    get deciding() {
      return deciding;
    },
    prepare: (read, quiet) => make(read, carrier.inForce(current.leases), quiet),
    judgeBy,
    putInForce(next) {
      retire(current);
      current = next;
      judgeBy({ whole: undefined, partial: undefined });
    },
    async close() {
      for (const timer of retired.values()) clearTimeout(timer);
      const all = [current, whole, partial, ...retired.keys()];
      retired.clear();
      await Promise.all(all.map((one) => one && closeText(one)));
    },
  };
}

/** Returns the keysets of a text that replaces another one, and those that are no longer there. */
export function keysetsOf(
  { authenticator: before }: RunningText,
  { authenticator: next }: RunningText,
): Pick<LatchkeyEvents['latchkey:descriptor:applied'], 'keysets' | 'removed'> {
  const keysets = next.report().keysets.map(({ keyset, issuer, ageMs, state }) => ({
    ...{ keyset, issuer, ageMs, state },
  }));
  const removed = before
    .report()
    .keysets.filter((was) => !keysets.some((is) => is.keyset === was.keyset && is.issuer === was.issuer))
    .map(({ keyset, issuer }) => ({ keyset, issuer }));
  return { keysets, removed };
}

/** Closes the authenticator of a text, and the keysets that no other text uses. */
export async function closeText({ authenticator, leases }: RunningText): Promise<void> {
  await Promise.all([authenticator.close(), leases.release()]);
}
