// What an operator is told of the sources of many tenants: a few process warnings for each outage,
// however many tenants it concerns. Whether a source fails is decided elsewhere.
import { warn } from '../events.ts';
import type { KeysState } from './refreshed-keyset.ts';

/** The tenants that fail at the moment. */
export interface TenantNotice {
  /** Warns if the state of a tenant is another one than at the last call, and few fail. */
  tell(issuer: string, state: KeysState | 'well', text: () => string): void;
  /** Says that a tenant is not in use any more. */
  forget(issuer: string): void;
  /** How many tenants fail. */
  failing(): number;
}

/** Tenants that are named in warnings at the same time. */
const MAX_NAMED = 5;

/** @param name returns the name of the keyset */
export function createTenantNotice(name: () => string): TenantNotice {
  const failing = new Set<string>();
  const named = new Map<string, KeysState>();
  let isCounted = false;

  function ended(): void {
    if (failing.size > 0 || !isCounted) return;
    isCounted = false;
    warn('LATCHKEY_RECOVERED', `${name()}: the keys of all tenants in use can be read again`);
  }

  return {
    tell(issuer, state, text) {
      if (state === 'well') {
        if (!failing.delete(issuer)) return;
        if (named.delete(issuer)) warn('LATCHKEY_RECOVERED', text());
        ended();
        return;
      }
      failing.add(issuer);
      if (named.get(issuer) === state) return;
      if (named.size < MAX_NAMED || named.has(issuer)) {
        named.set(issuer, state);
        warn('LATCHKEY_UNAVAILABLE', text());
      } else if (!isCounted) {
        isCounted = true;
        warn(
          'LATCHKEY_UNAVAILABLE',
          `${name()}: the keys of more than ${MAX_NAMED} tenants cannot be read; report() says how many`,
        );
      }
    },
    forget(issuer) {
      failing.delete(issuer);
      named.delete(issuer);
      ended();
    },
    failing: () => failing.size,
  };
}
