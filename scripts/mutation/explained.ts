// The changes that no test can notice, with the reason: the changed program does the same.
import type { Mutant } from './mutants.ts';

interface Explanation {
  /** Path in packages/core/src. */
  readonly file: string;
  readonly before: string;
  readonly after: string;
  readonly because: string;
}

const EXPLAINED: readonly Explanation[] = [];

/** Why a change is none. @returns undefined where a test has to notice it */
export function explanationOf(file: string, { before, after }: Mutant): string | undefined {
  const found = EXPLAINED.find(
    (one) => file === `packages/core/src/${one.file}` && one.before === before && one.after === after,
  );
  return found?.because;
}
