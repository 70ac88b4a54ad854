// `pnpm bench NAME`: finds the bench, runs it, prints its table. Measures nothing itself.
import { descriptor } from './descriptor/run.ts';
import { guard } from './guard/run.ts';
import { keysets } from './keysets/run.ts';
import { outages } from './outages/run.ts';
import { signing } from './signing/run.ts';
import { speed } from './speed/run.ts';
import { type Figure, formatTable } from './table.ts';

const benches: ReadonlyMap<string, () => Promise<readonly Figure[]>> = new Map([
  ['descriptor', descriptor],
  ['guard', guard],
  ['keysets', keysets],
  ['outages', outages],
  ['signing', signing],
  ['speed', () => speed(process.argv.slice(3))],
  ['--quick', () => speed(process.argv.slice(2))],
]);

const bench = benches.get(process.argv[2] ?? '');
if (bench === undefined) {
  console.log(`pnpm bench NAME, where NAME is one of: ${[...benches.keys()].join(', ')}`);
  process.exitCode = 2;
} else {
  try {
    const began = performance.now();
    const figures = await bench();
    const missed = figures.filter(({ met }) => !met).length;
    // A goal that is missed is a result; this one is a check.
    if (missed > 0 && bench === guard) process.exitCode = 1;
    console.log(`\n${formatTable(figures)}\n`);
    console.log(
      `${figures.length - missed} met, ${missed === 0 ? 'none missed' : `${missed} MISSED`}, in ${((performance.now() - began) / 1000).toFixed(0)} s`,
    );
  } catch (error) {
    // A goal that is missed is a result. This is not one.
    console.error('The run itself broke:', error);
    // Other scenarios may still be under way.
    process.exit(1);
  }
}
