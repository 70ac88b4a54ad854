// Draws the chart of a run as SVG: requests per second, one bar for each service, all on one scale.
// Nothing is measured here.
import type { Machine } from './machine.ts';
import type { SpeedOptions } from './options.ts';
import type { Bar, BarGroup } from './outcome.ts';

const WIDTH = 880;
const LABELS = 300;
const VALUES = 80;
const ROW = 22;
const BAR = 14;
const MARGIN = 24;
const COLOURS = {
  bare: { seen: '#9aa0a6', unseen: '#9aa0a6' },
  latchkey: { seen: '#1a7f5a', unseen: '#86c5ab' },
  existing: { seen: '#5b7fb9', unseen: '#adc0de' },
} as const satisfies Record<Bar['kind'], Record<'seen' | 'unseen', string>>;

/** Draws the chart. The titles say what the bars do not show. */
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
  text(
    MARGIN,
    'class="note"',
    'One server process each; bare: a middleware that does nothing. Dark: tokens seen before; pale: new tokens, if that makes a difference.',
  );
  y += 12;
  for (const { title, rows } of drawn) {
    y += ROW;
    text(MARGIN, 'class="group"', title);
    y += 8;
    for (const { label, colour, perSecond } of rows) {
      const width = Math.max(1, perSecond * scale).toFixed(1);
      const left = MARGIN + LABELS;
      lines.push(
        `<rect x="${left}" y="${y + (ROW - BAR) / 2}" width="${width}" height="${BAR}" rx="2" fill="${colour}"/>`,
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
    y += 15;
  }
  const height = y + MARGIN - 15;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Requests per second, by framework">
<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 17px; font-weight: 600 }
.group { font-size: 14px; font-weight: 600 }
.note { font-size: 11px; fill: #57606a }
.value { font-variant-numeric: tabular-nums }
</style>
<rect width="${WIDTH}" height="${height}" rx="6" fill="#ffffff"/>
${lines.join('\n')}
</svg>
`;
}

function rowsOf({
  label,
  kind,
  seen,
  unseen,
}: Bar): readonly { label: string; colour: string; perSecond: number }[] {
  const first = { label, colour: COLOURS[kind].seen, perSecond: seen };
  if (unseen === undefined) return [first];
  return [first, { label: 'new tokens', colour: COLOURS[kind].unseen, perSecond: unseen }];
}

function wrapped(words: readonly string[]): readonly string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length > 130) lines.push(word);
    else lines[lines.length - 1] = `${last}, ${word}`;
  }
  return lines;
}

function escaped(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
