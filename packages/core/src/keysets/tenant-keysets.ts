// The keys of tenants that each have their own, found by the metadata of their own issuer. A sender
// can make tenants up, so a tenant is only a candidate until one of its tokens has verified:
// candidates have a small place of their own, and a limit on new fetches (jku-admission.ts). Which
// tenants are welcome is decided before, in tenants.ts.
import { LRUCache } from 'lru-cache';
import { AuthError } from '../errors.ts';
import { warn } from '../events.ts';
import type { KeyPolicy } from '../jwk/import-jwks.ts';
import type { UnverifiedHeader } from '../token/parse.ts';
import type { IssuerTemplate } from './issuer-template.ts';
import { type AdmissionLimits, createAdmission } from './jku-admission.ts';
import { createSnapshot, type KeySelection, type KeySnapshot, type Keyset } from './keyset.ts';
import { createRefreshedKeyset, type KeySource } from './refreshed-keyset.ts';
import { createTenantNotice } from './tenant-notice.ts';

/** The settings of a keyset whose tenants have keys of their own. */
interface TenantKeysetSettings {
  readonly name: string;
  readonly template: IssuerTemplate;
  readonly policy: KeyPolicy;
  readonly selection: KeySelection;
  readonly maxTenants: number;
  readonly refreshIntervalMs: number;
  readonly maxStaleMs: number;
  readonly monotonic: () => number;
  /** What kind of sources these are, for reports. */
  readonly description: string;
  /** Makes the source of the keys of one tenant. All share their connections. */
  sourceOf(issuer: string): KeySource;
  /** Closes the connections. */
  close(): Promise<void>;
}

interface Tenant {
  readonly keyset: Keyset;
  /** When its keys were first fetched: they are not read again at once for an unknown kid. */
  readonly admittedAt: number;
  /** When they were last read for an unknown kid. */
  soughtAt: number;
}

/** Tenants whose keys are read for the first time, in each minute; those that verify count not. */
export const MAX_NEW_TENANTS = 250;
/** Further ones in each minute: those requested most often in the minute before. */
export const MAX_FAVOURED_TENANTS = 50;
/** Tenants that have keys, or wait for them, and have verified no token. */
export const MAX_CANDIDATE_TENANTS = 512;
/** Tenants that have verified a token, and are not delayed when they come back. */
export const MAX_KNOWN_TENANTS = 20_000;
/** The pause between two readings of the keys of one tenant for an unknown kid. */
const REREAD_MS = 10_000;

/** The limits for new tenants. */
export const NEW_TENANTS: AdmissionLimits = {
  windowMs: 60_000,
  fresh: MAX_NEW_TENANTS,
  favoured: MAX_FAVOURED_TENANTS,
  confirmed: MAX_KNOWN_TENANTS,
  givesBack: true,
};
/** Of all tenants together, for unknown kids: a sender can make up kids for each of them. */
const REREAD: AdmissionLimits = { ...NEW_TENANTS, confirmed: 1, givesBack: false };

const NONE = createSnapshot([]);

/** Makes the keyset. Reads nothing before a token of a tenant needs it. */
export function createTenantKeyset(settings: TenantKeysetSettings): Keyset {
  const { template, policy, selection, monotonic, maxTenants, description } = settings;
  let { name } = settings;
  const admission = createAdmission(monotonic, NEW_TENANTS);
  const rereading = createAdmission(monotonic, REREAD);
  const notice = createTenantNotice(() => name);
  /** Until the keys of any tenant were read, it may be the template that is wrong. */
  let isProven = false;
  let isDoubted = false;
  let isClosed = false;

  /** Tenants that leave are closed, unless they only change their place. */
  const placeFor = (max: number) =>
    new LRUCache<string, Tenant>({
      max,
      dispose: ({ keyset }, issuer, reason) => {
        if (reason === 'evict') end(issuer, keyset);
      },
    });
  const inUse = placeFor(maxTenants);
  const candidates = placeFor(MAX_CANDIDATE_TENANTS);

  function end(issuer: string, keyset: Keyset): Promise<void> {
    notice.forget(issuer);
    return keyset.close();
  }

  function find(issuer: string): Tenant {
    return inUse.get(issuer) ?? candidates.get(issuer) ?? admit(issuer);
  }

  function admit(issuer: string): Tenant {
    if (isClosed) throw refusal('is closed');
    const waitMs = admission.ask(issuer, undefined);
    if (waitMs !== undefined) throw refusal('too many new tenants', waitMs);
    const source = settings.sourceOf(issuer);
    const keyset = createRefreshedKeyset({
      ...settings,
      name,
      issuer,
      allowed: policy.allowed,
      tell: (state, text) => {
        // A sender can make tenants up: candidates that fail cause one warning, and none after
        // the keys of any tenant have been read.
        if (inUse.has(issuer)) notice.tell(issuer, state, text);
        else if (!isProven && !isDoubted && state !== 'well') {
          isDoubted = true;
          warn('LATCHKEY_UNAVAILABLE', text());
        }
      },
      source: {
        ...source,
        load: async (signal) => {
          const loaded = await source.load(signal);
          if (isDoubted && !isProven)
            warn('LATCHKEY_RECOVERED', `${name}: the keys of a tenant have been read`);
          isProven = true;
          return loaded;
        },
        close: () => Promise.resolve(),
      },
    });
    const tenant: Tenant = {
      keyset,
      admittedAt: monotonic(),
      soughtAt: Number.NEGATIVE_INFINITY,
    };
    candidates.set(issuer, tenant);
    // A tenant without keys is not asked for again on its own: there may be no such tenant.
    keyset.ready().catch(() => {
      if (isClosed || inUse.peek(issuer) === tenant) return;
      admission.failed(issuer);
      if (candidates.peek(issuer) === tenant) candidates.delete(issuer);
      void end(issuer, keyset);
    });
    return tenant;
  }

  function refusal(detail: string, waitMs?: number): AuthError {
    return new AuthError('keyset_unavailable', {
      detail: `${name}: ${detail}`,
      ...(waitMs === undefined ? {} : { retryAfterSeconds: waitMs / 1000 }),
    });
  }

  function refetch(header: UnverifiedHeader, issuer?: string): KeySnapshot | Promise<KeySnapshot> {
    if (issuer === undefined) return NONE;
    const tenant = find(issuer);
    const now = monotonic();
    if (now - tenant.admittedAt < REREAD_MS) return tenant.keyset.keys(header);
    if (now - tenant.soughtAt >= REREAD_MS) {
      const waitMs = rereading.ask(issuer, undefined);
      if (waitMs !== undefined) throw refusal('too many unknown key ids', waitMs);
      tenant.soughtAt = now;
    }
    return tenant.keyset.refetch(header);
  }

  return Object.freeze<Keyset>({
    name,
    issuer: template.text,
    allowed: policy.allowed,
    selection,
    keys: (header, issuer) => (issuer === undefined ? NONE : find(issuer).keyset.keys(header)),
    refetch,
    confirm(_header, issuer) {
      const tenant = issuer === undefined ? undefined : candidates.peek(issuer);
      if (issuer === undefined || tenant === undefined) return;
      candidates.delete(issuer);
      inUse.set(issuer, tenant);
      admission.confirm(issuer, undefined);
    },
    ready: () => Promise.resolve(),
    isLoaded: () => true,
    rename(next) {
      name = next;
      for (const { keyset } of [...inUse.values(), ...candidates.values()]) keyset.rename?.(next);
    },
    report() {
      const failing = notice.failing();
      const found = [...inUse.values()].map(({ keyset }) => keyset.report());
      const failed = found.find(({ lastError }) => lastError !== undefined);
      const isFresh = found.some(({ state }) => state === 'fresh');
      return {
        keyset: name,
        issuer: template.text,
        source: description,
        state: isFresh ? 'fresh' : (found[0]?.state ?? 'idle'),
        kids: [],
        skipped: [],
        ageMs: undefined,
        failures: found.reduce((sum, { failures }) => sum + failures, 0),
        lastError: failed && `${failed.issuer}: ${failed.lastError}`,
        nextAttemptInMs: undefined,
        tenants: { inUse: inUse.size, candidates: candidates.size, failing },
      };
    },
    async close() {
      isClosed = true;
      const all = [...inUse.values(), ...candidates.values()];
      inUse.clear();
      candidates.clear();
      await Promise.all(all.map(({ keyset }) => keyset.close()));
      await settings.close();
    },
  });
}
