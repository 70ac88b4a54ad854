// Runs a real slapd as a child and kills and starts it on command. It is a process of its own,
// because reading slapd's log would disturb the measured process.
import { createAuthority } from '@latchkey/test-kit/certificate';
import { ENTRIES } from '@latchkey/test-kit/directory';
import { type Slapd, startSlapd } from '@latchkey/test-kit/slapd';
import { serve, sharedNow } from './companion.ts';
import { PERSON_ENTRIES } from './people.ts';

let slapd: Slapd | undefined;

const moves = {
  /** Starts slapd for the first time, with the entries of the tests and of this soak. */
  async create(): Promise<{ readonly url: string; readonly ca: string }> {
    const authority = createAuthority('Latchkey bench authority');
    const tls = { ...authority.issue('localhost'), ca: authority.cert };
    slapd = await startSlapd({ entries: [...ENTRIES, ...PERSON_ENTRIES], tls });
    return { url: slapd.secureUrl, ca: authority.cert };
  },
  /** Kills slapd. Resolves when it has ended. */
  async kill(): Promise<void> {
    await slapd?.kill('SIGKILL');
  },
  /** Starts slapd again. @returns the time at which it accepted connections, by `sharedNow()` */
  async start(): Promise<number> {
    await slapd?.start();
    return sharedNow();
  },
};

/** The functions of this process. */
export type DirectoryMoves = typeof moves;

serve(moves, () => slapd?.close());
