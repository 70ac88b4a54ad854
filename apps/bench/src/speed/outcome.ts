// The types of a part's result: figures for the goals, all measurements, and bars for the chart. No
// code is here.
import type { Figure } from '@latchkey/test-kit/figures';

/** All measurements of one kind, for the report. */
export interface Measurements {
  readonly title: string;
  /** The method, in a sentence. */
  readonly about: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** One framework's part of the chart. */
export interface BarGroup {
  readonly title: string;
  readonly bars: readonly Bar[];
}

/** The bar of one service: requests per second. */
export interface Bar {
  readonly label: string;
  readonly kind: 'bare' | 'latchkey' | 'existing';
  readonly seen: number;
  /** Undefined if it was not measured or makes no difference. */
  readonly unseen: number | undefined;
}

/** A figure that has no id yet. */
export type Finding = Omit<Figure, 'id'>;

/** The result of a part. */
export interface Outcome {
  readonly findings: readonly Finding[];
  readonly measurements: readonly Measurements[];
  readonly bars?: readonly BarGroup[];
}
