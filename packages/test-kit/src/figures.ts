// The results of a bench or a soak, and their Markdown table. Nothing is measured or judged here.

/** One figure of the specification and its measurement. */
export interface Figure {
  /** The id in the specification: `R1`. */
  readonly id: string;
  readonly goal: string;
  /** The value to reach. */
  readonly figure: string;
  /** The measured value, with load and duration. */
  readonly measured: string;
  readonly met: boolean;
}

/** Formats figures as a Markdown table. A missed figure says MISSED. */
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
  // Only the short columns are aligned; the others hold sentences.
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map(
    (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`,
  );
  return [...lines.slice(0, 1), '|---|---|---|---|---|', ...lines.slice(1)].join('\n');
}

/** `1.23 ms`, `5.02 s`, `52.1 s`: only the significant digits. */
export function duration(ms: number): string {
  if (ms >= 100_000) return `${(ms / 1000).toFixed(0)} s`;
  if (ms >= 1_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${ms.toFixed(ms < 10 ? 2 : 0)} ms`;
}
