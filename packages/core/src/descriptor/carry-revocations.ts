// Lists of revocations across the changes of a descriptor. A list continues while a text that uses
// it does, so that no change of other options forgets a revocation.
import type { RevocationTaker } from '../revocation/create.ts';
import type { RevocationList } from '../revocation/list.ts';
import type { RevocationSettings } from '../revocation/options.ts';

/** The list of one text. */
export interface RevocationLease {
  readonly take: RevocationTaker;
  /** The list, if no other text has it. Undefined also before it is taken. */
  fresh(): RevocationList | undefined;
}

/** Makes the function that leases the lists of one descriptor to its texts. */
export function createRevocationCarrier(): () => RevocationLease {
  const shared = new Map<string, { readonly list: RevocationList; users: number }>();
  return () => {
    let fresh: RevocationList | undefined;
    return {
      fresh: () => fresh,
      take(settings, isShared, make) {
        const identity = identityOf(settings, isShared);
        const known = shared.get(identity);
        const entry = known ?? { list: make(), users: 0 };
        shared.set(identity, entry);
        entry.users++;
        entry.list.resize(settings.entries);
        if (known === undefined) fresh = entry.list;
        let isOpen = true;
        return Object.freeze<RevocationList>({
          ...entry.list,
          async close() {
            if (!isOpen) return;
            isOpen = false;
            if (--entry.users > 0) return;
            shared.delete(identity);
            await entry.list.close();
          },
        });
      },
    };
  };
}

/**
 * What makes two lists the same. `maxStale` says how often a file or a feed has to confirm its
 * list, so another value makes another list, which is read before it is used. A list in memory
 * stays, whatever else changes.
 */
function identityOf({ file, maxStaleMs }: RevocationSettings, isShared: boolean): string {
  return isShared ? JSON.stringify([file ?? 'feed', maxStaleMs]) : 'memory';
}
