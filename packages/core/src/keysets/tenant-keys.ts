// A keyset for many tenants, as a decision sees it: which issuers it accepts, and which of its keys
// are those of an issuer. Where the keys come from is in the other files of this folder.
import { isPromise } from '../values/promise.ts';
import type { IssuerTemplate } from './issuer-template.ts';
import { createSnapshot, type KeySnapshot, type Keyset } from './keyset.ts';
import { createWelcome } from './tenant-checks.ts';
import type { TenancySettings } from './tenants.ts';

/** Adds to a keyset which tenants are welcome, and that each gets its own keys only. */
export function withTenants(keyset: Keyset, tenancy: TenancySettings, monotonic: () => number): Keyset {
  const { template } = tenancy;
  const welcome = createWelcome(tenancy, keyset.name, monotonic);
  const keysOf = createKeysOf(template);
  const through = (found: KeySnapshot | Promise<KeySnapshot>, issuer: string | undefined) =>
    isPromise(found) ? found.then((keys) => keysOf(keys, issuer)) : keysOf(found, issuer);
  return Object.freeze<Keyset>({
    ...keyset,
    template,
    accepts: welcome.accepts,
    keys: (header, issuer) => through(keyset.keys(header, issuer), issuer),
    refetch: (header, issuer) => through(keyset.refetch(header, issuer), issuer),
    async close() {
      welcome.close();
      await keyset.close();
    },
  });
}

/** The keys of one snapshot, by whose tokens they may verify. */
interface Divided {
  /** The keys for every tenant. */
  readonly shared: KeySnapshot;
  /** The keys for one tenant, with those for every tenant. */
  readonly byIssuer: ReadonlyMap<string, KeySnapshot>;
}

/**
 * Finds the keys that may verify tokens of an issuer. A key may say whose it is, in a member
 * `issuer` of its JWK, as Microsoft Entra writes it: one issuer, or those of all tenants, with
 * `{tenantid}` in the place of the tenant. Any other key that says so verifies nothing.
 */
function createKeysOf({
  text,
  placeholder,
}: IssuerTemplate): (keys: KeySnapshot, issuer: string | undefined) => KeySnapshot {
  const divided = new WeakMap<KeySnapshot, Divided>();
  const every = text.replace(`{${placeholder}}`, '{tenantid}');

  function divide(snapshot: KeySnapshot): Divided {
    const { keys, skipped } = snapshot;
    if (keys.every((key) => key.issuer === undefined)) return { shared: snapshot, byIssuer: new Map() };
    const shared = keys.filter(({ issuer }) => issuer === undefined || issuer === every);
    const named = new Set(keys.flatMap(({ issuer }) => (issuer === every ? [] : (issuer ?? []))));
    const ofIssuer = (one: string) =>
      createSnapshot(
        keys.filter((key) => shared.includes(key) || key.issuer === one),
        skipped,
      );
    return {
      shared: createSnapshot(shared, skipped),
      byIssuer: new Map([...named].map((one) => [one, ofIssuer(one)])),
    };
  }

  return (snapshot, issuer) => {
    let known = divided.get(snapshot);
    if (known === undefined) {
      known = divide(snapshot);
      divided.set(snapshot, known);
    }
    return (issuer === undefined ? undefined : known.byIssuer.get(issuer)) ?? known.shared;
  };
}
