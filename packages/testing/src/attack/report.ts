// What came of the attacks, and the error that a test ends with. It has no token in it.
import { AssertionError } from 'node:assert';
import type { AttackTakes } from './attack.ts';

/**
 * `refused`: as it must be. `let-in`: the request was accepted. `broke`: it caused an error of the
 * service (a status of 500 and more, other than 501, 503 and 505), or no answer in time. `skipped`:
 * it does not apply to the configuration, as the reason says.
 */
export type AttackOutcome = 'refused' | 'let-in' | 'broke' | 'skipped';

/** What came of one attack on one route. */
export interface AttackResult {
  /** For `only`: `T-016/none`. */
  readonly id: string;
  /** What was sent. */
  readonly title: string;
  /** The row of the threat model: `T-016`. */
  readonly threat: string;
  /** What a caller needs for it. */
  readonly takes: AttackTakes;
  /** The route: `GET /orders`. */
  readonly route: string;
  readonly outcome: AttackOutcome;
  /** The status of the answer; undefined if there was none. */
  readonly status: number | undefined;
  /** Why the attack was skipped, or what to do. Undefined for a refused one. */
  readonly reason: string | undefined;
}

/** What came of all attacks. */
export interface AttackReport {
  readonly attacks: readonly AttackResult[];
  readonly letIn: readonly AttackResult[];
  readonly broke: readonly AttackResult[];
  readonly skipped: readonly AttackResult[];
  /** All of it in a few lines, for people. */
  readonly summary: string;
  /**
   * Does nothing if all attacks that apply were refused.
   * @throws AssertionError that lists those that were let in, and those that broke the service
   */
  assertSafe(): void;
}

/** Makes the report of results. */
export function reportOf(attacks: readonly AttackResult[]): AttackReport {
  const having = (outcome: AttackOutcome) =>
    Object.freeze(attacks.filter((attack) => attack.outcome === outcome));
  const [letIn, broke, skipped] = [having('let-in'), having('broke'), having('skipped')];
  const summary = summaryOf(attacks, [...letIn, ...broke], skipped.length);
  return Object.freeze<AttackReport>({
    attacks: Object.freeze(attacks),
    letIn,
    broke,
    skipped,
    summary,
    assertSafe() {
      const found = [...letIn, ...broke];
      if (found.length === 0) return;
      throw new AssertionError({
        message: summary,
        actual: found.map(({ route, id }) => `${route} ${id}`),
        expected: [],
        operator: 'assertSafe',
        stackStartFn: this.assertSafe,
      });
    },
  });
}

/** The worst first. */
const HEADINGS: Readonly<Record<AttackTakes, string>> = {
  nothing: 'what every caller can do',
  'a-token': 'what a caller with some token of the issuer can do',
  'the-issuer': 'what takes a token that an issuer writes wrongly',
};

/** Advice that several in a row have in common is there once. */
function linesOf(
  { id, title, outcome, status, reason }: AttackResult,
  index: number,
  all: readonly AttackResult[],
): readonly string[] {
  const line = `  ${outcome} ${id}: ${title} (${status ?? 'no answer'})`;
  return all[index + 1]?.reason === reason ? [line] : [line, `    ${reason}`];
}

function summaryOf(
  attacks: readonly AttackResult[],
  found: readonly AttackResult[],
  skipped: number,
): string {
  const sent = attacks.length - skipped;
  const letIn = found.filter(({ outcome }) => outcome === 'let-in').length;
  const broke = found.length - letIn;
  const counts = [
    `${letIn} of ${sent} attacks ${letIn === 1 ? 'was' : 'were'} let in`,
    ...(broke === 0 ? [] : [`${broke} broke the service`]),
    ...(skipped === 0 ? [] : [`${skipped} do not apply`]),
  ];
  const byRoute = Map.groupBy(found, ({ route }) => route);
  const lists = [...byRoute].flatMap(([route, results]) =>
    Object.entries(HEADINGS).flatMap(([takes, heading]) => {
      const these = results.filter((result) => result.takes === takes);
      return these.length === 0 ? [] : ['', `${route}: ${heading}`, ...these.flatMap(linesOf)];
    }),
  );
  const ids = [...new Set(found.map(({ id }) => id))].filter((id) => id.startsWith('T-'));
  const only = ids.length === 0 ? [] : ['', `To repeat them, add only: ${JSON.stringify(ids)}`];
  return [`${counts.join(', ')}.`, ...lists, ...only].join('\n');
}
