// `pnpm bench NAME`: finds the bench, runs it, prints its table. Measures nothing itself.
import { keysets } from './keysets/run.ts';
import { signing } from './signing/run.ts';
import { type Figure, formatTable } from './table.ts';

const benches: ReadonlyMap<string, () => Promise<readonly Figure[]>> = new Map([
  ['keysets', keysets],
  ['signing', signing],
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
