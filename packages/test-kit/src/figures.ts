// What a bench finds out, and how it is printed: a Markdown table. Decides nothing.

/** One figure of the specification, and what came of measuring it. */
export interface Figure {
  /** As in the specification: `R1`. */
  readonly id: string;
  readonly goal: string;
  /** What is to be reached. */
  readonly figure: string;
  /** What was measured, under which load, for how long. */
  readonly measured: string;
  readonly met: boolean;
}

/** Lays figures out as a Markdown table. What was missed is in capitals. */
export function formatTable(figures: readonly Figure[]): string {
  const rows = [
    ['id', 'goal', 'figure', 'measured', 'result'],
    ...figures.map(({ id, goal, figure, measured, met }) => [
      id,
      goal,
      figure,
      measured,
      met ? 'met' : 'MISSED',
    ]),
  ].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  // Only the short columns are aligned: what was measured is a sentence.
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map(
    (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`,
  );
  return [...lines.slice(0, 1), '|---|---|---|---|---|', ...lines.slice(1)].join('\n');
}

/** `1.23 ms`, `5.02 s`, `52.1 s`: as many digits as mean something. */
export function duration(ms: number): string {
  if (ms >= 100_000) return `${(ms / 1000).toFixed(0)} s`;
  if (ms >= 1_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${ms.toFixed(ms < 10 ? 2 : 0)} ms`;
}
