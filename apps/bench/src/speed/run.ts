// `pnpm bench speed`: runs the parts one after the other, because each needs the whole machine. No
// measurement is here.
import { mkdirSync, writeFileSync } from 'node:fs';
import type { Figure } from '@latchkey/test-kit/figures';
import { startProgress } from '@latchkey/test-kit/progress';
import { drawChart } from './chart.ts';
import { scalingOut } from './cluster.ts';
import { createDeck, type Deck } from './deck.ts';
import { overHttp } from './http/run.ts';
import { describeMachine } from './machine.ts';
import { formatMeasurements, formatReport } from './markdown.ts';
import { remembering } from './memory.ts';
import { type Part, readSpeedOptions } from './options.ts';
import type { BarGroup, Measurements, Outcome } from './outcome.ts';
import { proving } from './possession.ts';
import { rejecting } from './rejected.ts';
import { judging } from './rules.ts';
import { scanning } from './scan.ts';
import { selecting } from './selection.ts';
import { starting } from './start.ts';
import type { Algorithm } from './terms.ts';
import { verifying } from './verify.ts';

/** The first letter of the ids of each part's figures. */
const LETTERS: Readonly<Record<Part, string>> = {
  http: 'H',
  verify: 'V',
  scan: 'W',
  rejected: 'B',
  rules: 'R',
  possession: 'P',
  selection: 'S',
  memory: 'M',
  start: 'I',
  cluster: 'C',
};

/**
 * Runs the parts that the arguments name. Rejects only if a part cannot run or an argument is
 * unknown.
 */
export async function speed(given: readonly string[]): Promise<readonly Figure[]> {
  const options = readSpeedOptions(given);
  const progress = startProgress();
  // The parts share tokens, because signing thousands takes long.
  const decks = new Map<Algorithm, Deck>();
  const deckOf = (algorithm: Algorithm) => {
    const deck = decks.get(algorithm) ?? createDeck(algorithm);
    decks.set(algorithm, deck);
    return deck;
  };
  const parts: Readonly<Record<Part, () => Promise<Outcome>>> = {
    http: () => overHttp(options, progress, deckOf),
    verify: () => verifying(options, progress, deckOf),
    scan: () => scanning(options, progress, deckOf),
    rejected: () => rejecting(options, progress, deckOf),
    rules: () => judging(options, progress, deckOf),
    possession: () => proving(options, progress, deckOf),
    selection: () => selecting(options, progress),
    memory: () => remembering(options, progress),
    start: () => starting(options, progress),
    cluster: () => scalingOut(options, progress),
  };
  const figures: Figure[] = [];
  const measurements: Measurements[] = [];
  const bars: BarGroup[] = [];
  try {
    for (const part of options.parts) {
      const outcome = await parts[part]();
      for (const [index, finding] of outcome.findings.entries())
        figures.push({ id: `${LETTERS[part]}${index + 1}`, ...finding });
      measurements.push(...outcome.measurements);
      bars.push(...(outcome.bars ?? []));
    }
  } finally {
    progress.stop();
  }
  console.log(formatMeasurements(measurements));
  if (options.write) {
    const machine = describeMachine();
    const results = new URL('../../results/', import.meta.url);
    mkdirSync(results, { recursive: true });
    writeFileSync(new URL('speed.md', results), formatReport(figures, measurements, machine, options));
    const chart = new URL('../../../../docs/pictures/speed.svg', import.meta.url);
    if (bars.length > 0) writeFileSync(chart, drawChart(bars, machine, options));
  }
  return figures;
}
