// Garbage collection on demand, for tests of what is let go of.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');

/** Collects garbage now. An object that was used in this turn may stay until the next one. */
export const collectGarbage = runInNewContext('gc') as () => void;
