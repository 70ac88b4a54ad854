// The other process: a real slapd, its child, killed and started as it is told. It reads what slapd
// logs, so that nobody else has to.
import { createAuthority } from '@latchkey/test-kit/certificate';
import { ENTRIES } from '@latchkey/test-kit/directory';
import { type Slapd, startSlapd } from '@latchkey/test-kit/slapd';
import { serve, sharedNow } from './companion.ts';
import { PERSON_ENTRIES } from './people.ts';

let slapd: Slapd | undefined;

const moves = {
  /** Starts it for the first time, with the entries of the tests and those of this application. */
  async create(): Promise<{ readonly url: string; readonly ca: string }> {
    const authority = createAuthority('Latchkey bench authority');
    const tls = { ...authority.issue('localhost'), ca: authority.cert };
    slapd = await startSlapd({ entries: [...ENTRIES, ...PERSON_ENTRIES], tls });
    return { url: slapd.secureUrl, ca: authority.cert };
  },
  /** Resolves when the process is gone. */
  async kill(): Promise<void> {
    await slapd?.kill('SIGKILL');
  },
  /** @returns when it took connections, by `sharedNow()` */
  async start(): Promise<number> {
    await slapd?.start();
    return sharedNow();
  },
};

/** What this process can be told to do. */
export type DirectoryMoves = typeof moves;

serve(moves, () => slapd?.close());
