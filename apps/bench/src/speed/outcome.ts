// What a part of the run hands back: figures against the goals, everything that was measured, and
// bars for the chart.
import type { Figure } from '@latchkey/test-kit/figures';

/** Everything that was measured of one kind, for the report. */
export interface Measurements {
  readonly title: string;
  /** What was done, in a sentence. */
  readonly about: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** One framework's part of the chart. */
export interface BarGroup {
  readonly title: string;
  readonly bars: readonly Bar[];
}

/** One service's bar: requests a second. */
export interface Bar {
  readonly label: string;
  readonly kind: 'bare' | 'latchkey' | 'existing';
  readonly seen: number;
  /** Undefined where it was not measured, or makes no difference. */
  readonly unseen: number | undefined;
}

/** A figure that has no number yet. */
export type Finding = Omit<Figure, 'id'>;

/** What a part found out. */
export interface Outcome {
  readonly findings: readonly Finding[];
  readonly measurements: readonly Measurements[];
  readonly bars?: readonly BarGroup[];
}
