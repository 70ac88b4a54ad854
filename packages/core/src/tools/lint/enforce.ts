// Lint rule about `enforce`: rules and routes that report, and refuse nothing.
import { entriesOf } from '../../claims/normalize.ts';
import { ConfigError } from '../../errors.ts';
import { type LintRule, membersOf, ruleSetsOf, type Spot } from './rule.ts';

/** The rule, with the paths of what is not enforced. */
export const enforceRules: readonly LintRule[] = [
  {
    id: 'report-only',
    severity: 'warning',
    message: 'what it would refuse passes',
    fix: 'remove enforce when nothing is reported any more; or write `enforce: { from: … }` with the date from which on it refuses',
    find: (jwt) => [
      ...ruleSetsOf(jwt).flatMap(({ path, rules }) => spotsIn(rules, path)),
      ...Object.entries(membersOf(jwt.routes)).flatMap(([name, asked]) =>
        spotOf(membersOf(asked).enforce, `routes.${name}.enforce`),
      ),
    ],
  },
];

function spotsIn(rules: unknown, path: string): readonly Spot[] {
  try {
    return entriesOf(rules ?? {}, path).flatMap((entry) =>
      spotOf(membersOf(entry.written).enforce, entry.path),
    );
  } catch (error) {
    // Core refuses it, and another rule says so.
    if (error instanceof ConfigError) return [];
    throw error;
  }
}

function spotOf(enforce: unknown, path: string): readonly Spot[] {
  if (enforce === undefined) return [];
  const { from } = membersOf(enforce);
  return [{ path, about: typeof from === 'string' ? `report only until ${from}` : 'report only' }];
}
