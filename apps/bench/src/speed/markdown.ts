// Formats the report of a run as Markdown. It does not write files.
import { type Figure, formatTable } from '@latchkey/test-kit/figures';
import type { Machine } from './machine.ts';
import type { SpeedOptions } from './options.ts';
import type { Measurements } from './outcome.ts';

/** Formats the whole report: the machine, the goals, and all numbers. */
export function formatReport(
  figures: readonly Figure[],
  measurements: readonly Measurements[],
  machine: Machine,
  { pace, parts }: SpeedOptions,
): string {
  const { cpu, cores, memoryGiB, node, openssl, packages } = machine;
  const kind =
    pace === 'full'
      ? ''
      : `\n\n**A ${pace} run: its measurements are ${pace === 'quick' ? 'short' : 'meaningless'}.**`;
  const command = `pnpm bench speed ${[...parts, ...(pace === 'full' ? [] : [`--${pace}`])].join(' ')} --write`;
  const missed = figures.filter(({ met }) => !met).length;
  return `# Speed

Written by \`${command}\`, ${new Date().toISOString().slice(0, 10)}.${kind}

- ${cpu}, ${cores} cores, ${memoryGiB} GiB
- Node.js ${node}, OpenSSL ${openssl}
- ${packages.join(', ')}

## Goals

${figures.length - missed} met, ${missed} missed. Both values of a ratio are from the same run, in which the contestants take turns.

${formatTable(figures)}
${measurements.map(section).join('')}`;
}

/** Formats the measurements for a terminal. */
export function formatMeasurements(measurements: readonly Measurements[]): string {
  return measurements.map(section).join('');
}

function section({ title, about, head, rows }: Measurements): string {
  const table = [head, head.map((_, column) => (column === 0 ? '---' : '--:')), ...rows];
  return `\n## ${title}\n\n${about}\n\n${table.map((row) => `| ${row.join(' | ')} |`).join('\n')}\n`;
}
