// Draws the chart of a run as SVG: requests per second, one bar for each service, all on one scale.
// Nothing is measured here.
import type { Machine } from './machine.ts';
import type { SpeedOptions } from './options.ts';
import type { Bar, BarGroup } from './outcome.ts';

/** That of a page, so that the text keeps its size there. */
const WIDTH = 688;
const LABELS = 306;
const VALUES = 66;
const ROW = 22;
const BAR = 14;
const MARGIN = 16;
/** The characters of a line of notes. */
const NOTE = 92;

const ABOUT = [
  'One server process each; bare: a middleware that does nothing. Strong: tokens seen before;',
  'pale: new tokens, if that makes a difference. More is better.',
];
const STYLE = `text { font: 13.25px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.group { font-size: 14px; font-weight: 600 }
.note { font-size: 13.25px; fill: #57606a }
.value { font-variant-numeric: tabular-nums }
.page { fill: #ffffff; stroke: #d0d7de }
.bare { fill: #9aa0a6 }
.latchkey { fill: #1a7f5a }
.existing { fill: #5b7fb9 }
.new { opacity: 0.55 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .note { fill: #9da7b1 }
  .page { fill: #0d1117; stroke: #3d444d }
  .bare { fill: #6e7681 }
  .latchkey { fill: #2f9e6e }
  .existing { fill: #4f79bd }
}`;

/** Draws the chart, for light and for dark. The titles say what the bars do not show. */
export function drawChart(
  groups: readonly BarGroup[],
  { cpu, cores, node, packages }: Machine,
  { pace }: SpeedOptions,
): string {
  const drawn = groups.map(({ title, bars }) => ({ title, rows: bars.flatMap(rowsOf) }));
  const most = Math.max(...drawn.flatMap(({ rows }) => rows.map(({ perSecond }) => perSecond)));
  const scale = (WIDTH - 2 * MARGIN - LABELS - VALUES) / most;
  const lines: string[] = [];
  let y = MARGIN;
  const text = (x: number, style: string, value: string) =>
    lines.push(`<text x="${x}" y="${y}" ${style}>${escaped(value)}</text>`);

  y += 12;
  text(MARGIN, 'class="title"', `Requests per second, RS256${pace === 'full' ? '' : ` (a ${pace} run)`}`);
  y += ROW;
  for (const line of ABOUT) {
    text(MARGIN, 'class="note"', line);
    y += 17;
  }
  for (const { title, rows } of drawn) {
    y += ROW;
    text(MARGIN, 'class="group"', title);
    y += 8;
    for (const { label, style, perSecond } of rows) {
      const width = Math.max(1, perSecond * scale).toFixed(1);
      const left = MARGIN + LABELS;
      lines.push(
        `<rect x="${left}" y="${y + (ROW - BAR) / 2}" width="${width}" height="${BAR}" rx="2" class="${style}"/>`,
      );
      y += ROW / 2 + 4;
      text(left - 8, 'text-anchor="end"', label);
      text(Math.round(left + Number(width) + 8), 'class="value"', Math.round(perSecond).toLocaleString('en'));
      y += ROW / 2 - 4;
    }
  }
  y += ROW;
  for (const line of [`${cpu}, ${cores} cores; Node.js ${node}`, ...wrapped(packages)]) {
    text(MARGIN, 'class="note"', line);
    y += 17;
  }
  const height = y + MARGIN - 17;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Requests per second by framework and package, as one bar for each. The table in the text has the same numbers.">
<style>
${STYLE}
</style>
<rect x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8" class="page"/>
${lines.join('\n')}
</svg>
`;
}

function rowsOf({
  label,
  kind,
  seen,
  unseen,
}: Bar): readonly { label: string; style: string; perSecond: number }[] {
  const first = { label, style: kind, perSecond: seen };
  if (unseen === undefined) return [first];
  return [first, { label: 'new tokens', style: `${kind} new`, perSecond: unseen }];
}

function wrapped(words: readonly string[]): readonly string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length > NOTE) lines.push(word);
    else lines[lines.length - 1] = `${last}, ${word}`;
  }
  return lines;
}

function escaped(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
