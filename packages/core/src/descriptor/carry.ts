// Keysets across the changes of a descriptor. An unchanged keyset continues with its keys. A
// changed keyset keeps its old keys until the new ones are loaded. Which text is in force is not
// known here.
import type { AuthenticatorSettings } from '../decision/settings.ts';
import { AuthError } from '../errors.ts';
import type { KeysetTaker } from '../keysets/create.ts';
import { createSnapshot, type Keyset } from '../keysets/keyset.ts';
import type { LegacyKeySettings } from '../keysets/legacy-options.ts';
import { identityOf, type KeysetSettings, readsForTokens } from '../keysets/options.ts';

/** The keysets of one text. Each must be closed. */
export interface KeysetLeases {
  readonly take: KeysetTaker;
  /** The keysets whose keys must be loaded before the text takes effect. */
  fresh(): readonly Keyset[];
  /** By the identity of their sources. */
  readonly held: ReadonlyMap<string, HeldKeyset>;
  /** Closes the keysets that no other text uses. */
  release(): Promise<void>;
}

interface HeldKeyset {
  /** Undefined for the deprecated list of keys. */
  readonly settings: KeysetSettings | undefined;
  readonly keyset: Keyset;
}

interface Shared {
  readonly keyset: Keyset;
  users: number;
}

const NONE = createSnapshot([]);

/** Makes the keysets that the texts of one descriptor share. */
export function createCarrier() {
  const shared = new Map<string, Shared>();

  function lease(identity: string, make: () => Keyset): Keyset {
    const entry = shared.get(identity) ?? { keyset: make(), users: 0 };
    shared.set(identity, entry);
    entry.users++;
    let isOpen = true;
    return Object.freeze<Keyset>({
      ...entry.keyset,
      async close() {
        if (!isOpen) return;
        isOpen = false;
        if (--entry.users > 0) return;
        if (shared.get(identity) === entry) shared.delete(identity);
        await entry.keyset.close();
      },
    });
  }

  function leases(
    take: (hold: (identity: string, held: HeldKeyset) => void) => KeysetTaker,
    current?: KeysetLeases,
  ) {
    const held = new Map<string, HeldKeyset>();
    const open = new Set<Keyset>();
    return Object.freeze<KeysetLeases>({
      held,
      take: take((identity, one) => {
        if (!held.has(identity)) held.set(identity, one);
        open.add(one.keyset);
      }),
      fresh: () =>
        [...held].flatMap(([identity, { settings, keyset }]) =>
          current?.held.has(identity) === true || settings?.skipValidation === true ? [] : [keyset],
        ),
      async release() {
        await Promise.all([...open].map((keyset) => keyset.close()));
      },
    });
  }

  return {
    /**
     * Takes keysets for a text that is to take effect.
     * @param current the keysets in force, whose keys are not waited for
     */
    inForce: (current?: KeysetLeases): KeysetLeases =>
      leases(
        (hold) => ({
          keyset(settings, make) {
            const identity = identityOf(settings);
            const keyset = placed(lease(identity, make), settings);
            keyset.rename?.(settings.name);
            hold(identity, { settings, keyset });
            return [keyset];
          },
          legacy(keys, make) {
            const identity = legacyIdentity(keys);
            const keyset = lease(identity, make);
            hold(identity, { settings: undefined, keyset });
            return keyset;
          },
        }),
        current,
      ),
    /**
     * Takes keysets for a text that only judges, next to the one in force: old keys replace those
     * that are not loaded.
     * @param next the options of the text
     * @param mayRead whether its sources may be read: a text that is partly written may name wrong
     *   ones
     */
    judging(current: KeysetLeases, next: AuthenticatorSettings, mayRead: boolean): KeysetLeases {
      const wanted = new Set(next.keysets.map(identityOf));
      return leases((hold) => {
        const take = (identity: string, settings: KeysetSettings | undefined, make: () => Keyset) => {
          const keyset = lease(identity, make);
          hold(identity, { settings, keyset });
          return keyset;
        };
        return {
          keyset(settings, make) {
            const identity = identityOf(settings);
            // These sources read nothing, or nothing before a token needs it.
            const isReady = settings.source === 'jwks' || (readsForTokens(settings) && mayRead);
            if (current.held.has(identity) || isReady)
              return [placed(take(identity, settings, make), settings)];
            const olds = [...current.held].flatMap(([old, { settings: was, keyset }]) =>
              was === undefined || wanted.has(old) || !standsIn(was, settings)
                ? []
                : [{ was, keyset: take(old, was, () => keyset) }],
            );
            const fresh = mayRead ? placed(take(identity, settings, make), settings) : undefined;
            const isAtHand = () => fresh?.isLoaded() === true;
            return [
              unlessEmpty(fresh, settings),
              ...olds.map(({ was, keyset }) => standIn(keyset, was, settings, isAtHand)),
            ];
          },
          legacy: (keys, make) => take(legacyIdentity(keys), undefined, make),
        };
      }, current);
    },
  };
}

/** The same keyset under its present name and order in the options. */
function placed(keyset: Keyset, { name, selection }: KeysetSettings): Keyset {
  return Object.freeze<Keyset>({
    ...keyset,
    name,
    selection,
    report: () => ({ ...keyset.report(), keyset: name }),
  });
}

/** A keyset that fails instead of waiting while it has no keys. */
function unlessEmpty(
  keyset: Keyset | undefined,
  { name, issuer, policy, selection }: KeysetSettings,
): Keyset {
  const isAtHand = () => keyset?.isLoaded() === true;
  const look =
    (which: 'keys' | 'refetch') =>
    (...asked: Parameters<Keyset['keys']>) => {
      if (keyset !== undefined && isAtHand()) return keyset[which](...asked);
      throw new AuthError('keyset_unavailable', { detail: `${name}: its keys have not been loaded yet` });
    };
  return Object.freeze<Keyset>({
    name,
    issuer,
    allowed: policy.allowed,
    selection,
    keys: look('keys'),
    refetch: look('refetch'),
    ready: () => Promise.resolve(),
    isLoaded: isAtHand,
    report: () =>
      keyset?.report() ?? {
        keyset: name,
        issuer,
        source: 'not read yet',
        state: 'idle',
        kids: [],
        skipped: [],
        ageMs: undefined,
        failures: 0,
        lastError: undefined,
        nextAttemptInMs: undefined,
      },
    close: () => Promise.resolve(),
  });
}

/** The old keys of a changed keyset, used while it has no new ones, with the present options. */
function standIn(keyset: Keyset, was: KeysetSettings, is: KeysetSettings, isReplaced: () => boolean): Keyset {
  return Object.freeze<Keyset>({
    ...keyset,
    name: is.name,
    issuer: is.issuer,
    allowed: is.policy.allowed,
    selection: { kidless: is.selection.kidless, unnamed: was.selection.unnamed },
    keys: (...asked) => (isReplaced() ? NONE : keyset.keys(...asked)),
    refetch: (...asked) => (isReplaced() ? NONE : keyset.refetch(...asked)),
    ready: () => Promise.resolve(),
  });
}

/**
 * True if old keys may replace new ones: they were for the same issuer, and do not verify anything
 * that the new options forbid.
 */
function standsIn(was: KeysetSettings, is: KeysetSettings): boolean {
  return (
    !readsForTokens(was) &&
    (was.issuer === is.issuer || was.issuer === undefined) &&
    (was.policy.matchFamily !== true || is.policy.matchFamily === true) &&
    [...(was.policy.legacy ?? [])].every((algorithm) => is.policy.legacy?.has(algorithm) === true)
  );
}

function legacyIdentity(keys: readonly LegacyKeySettings[]): string {
  return JSON.stringify(['keys', keys.map((key) => ({ ...key, legacy: [...key.legacy].sort() }))]);
}
