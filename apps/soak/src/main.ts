// `pnpm soak NAME`, or `pnpm soak --minutes N` before a release: runs of minutes or an hour, for
// the figures R1 to R24. No measurement is here.
import { runFigures } from '@latchkey/test-kit/run-figures';
import { adapters } from './adapters/run.ts';
import { descriptor } from './descriptor/run.ts';
import { hour } from './hour/run.ts';
import { keysets } from './keysets/run.ts';
import { outages } from './outages/run.ts';
import { patterns } from './patterns/run.ts';
import { redis } from './redis/run.ts';
import { tenants } from './tenants/run.ts';
import { whole } from './whole.ts';

await runFigures(
  'pnpm soak',
  new Map([
    ['adapters', adapters],
    ['descriptor', descriptor],
    ['hour', hour],
    ['keysets', keysets],
    ['outages', outages],
    ['patterns', patterns],
    ['redis', redis],
    ['tenants', tenants],
  ]),
  whole,
);
