// `pnpm soak NAME`: runs of minutes or an hour, for the figures R1 to R24. No measurement is here.
import { runFigures } from '@latchkey/test-kit/run-figures';
import { descriptor } from './descriptor/run.ts';
import { hour } from './hour/run.ts';
import { keysets } from './keysets/run.ts';
import { outages } from './outages/run.ts';
import { redis } from './redis/run.ts';
import { tenants } from './tenants/run.ts';

await runFigures(
  'pnpm soak',
  new Map([
    ['descriptor', descriptor],
    ['hour', hour],
    ['keysets', keysets],
    ['outages', outages],
    ['redis', redis],
    ['tenants', tenants],
  ]),
);
