// `pnpm soak tenants`: R23. A service for many tenants, of which some are in use, gets a flood of
// tokens of made-up ones. `pnpm soak tenants quick` is a small run of the same. The provider is in
// provider-process.ts.
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { type Authenticator, createAuthenticator } from '@latchkey/core';
import { duration, type Figure } from '@latchkey/test-kit/figures';
import { codeOf, createSamples, failedText, startLoad } from '@latchkey/test-kit/load';
import { type Progress, startProgress } from '@latchkey/test-kit/progress';
import { type Provider, startProvider } from './provider.ts';

interface Size {
  readonly tenants: number;
  readonly inUse: number;
  readonly madeUp: number;
}

const WHOLE: Size = { tenants: 10_000, inUse: 1_000, madeUp: 1_000_000 };
const QUICK: Size = { tenants: 1_000, inUse: 100, madeUp: 50_000 };

/** Valid requests in a second, next to the flood. */
const RATE = 100;
/** Made-up tokens that are sent at the same time. */
const BATCH = 500;
/** New tenants that are read in a minute, with those that were asked for before: docs/limits.md. */
const MOST_PER_MINUTE = 300;
const MINUTE_MS = 60_000;
/** What the heap may grow by, from the first fifth of the flood to its end. */
const MAX_GROWTH = 8 * 1024 * 1024;

/** Runs R23, in a few minutes. Rejects only if the scenario cannot run. */
export async function tenants([size]: readonly string[] = []): Promise<readonly Figure[]> {
  const progress = startProgress();
  const chosen = size === 'quick' ? QUICK : WHOLE;
  const provider = await startProvider(chosen.tenants);
  // Every tenant is welcome, so nothing but the limits of the keyset holds the flood off. Without
  // the cache of tokens, each request looks for the keys of its tenant.
  const authenticator = createAuthenticator({
    keySets: [
      {
        issuer: `${provider.origin}/realms/{realm}`,
        unsafeAnyTenant: true,
        maxTenants: chosen.inUse,
        useDiscovery: 'oidc',
        allowHttp: true,
      },
    ],
    audience: 'api',
    cache: false,
  });
  try {
    progress.phase(`R23 a cold start with ${chosen.inUse} tenants`);
    const tokens = await provider.mint(chosen.inUse);
    const start = await coldStart(authenticator, tokens);
    progress.phase(`R23 a flood of ${chosen.madeUp} made-up tenants`);
    return [await flooded({ authenticator, provider, tokens, progress, start }, chosen)];
  } finally {
    progress.stop();
    await authenticator.close();
    await provider.close();
  }
}

/** The first token of each tenant, some at the same time; returns how many were refused. */
async function coldStart(authenticator: Authenticator, tokens: readonly string[]) {
  const began = performance.now();
  let refused = 0;
  for (let at = 0; at < tokens.length; at += 50) {
    const some = tokens
      .slice(at, at + 50)
      .map((token) => authenticator.verify(token).then(() => 'ok', codeOf));
    refused += (await Promise.all(some)).filter((code) => code !== 'ok').length;
  }
  return { refused, ms: performance.now() - began };
}

interface Stage {
  readonly authenticator: Authenticator;
  readonly provider: Provider;
  readonly tokens: readonly string[];
  readonly progress: Progress;
  readonly start: Awaited<ReturnType<typeof coldStart>>;
}

async function flooded(
  { authenticator, provider, tokens, progress, start }: Stage,
  { tenants: existing, inUse, madeUp }: Size,
): Promise<Figure> {
  const token = makeUp(provider.origin, { existing, inUse });
  const times = createSamples(1_000_000);
  let next = 0;
  const valid = () => tokens[next++ % tokens.length] ?? '';
  const load = startLoad([{ call: () => authenticator.verify(valid()), times }], RATE);
  await sleep(2_000);
  const before = await provider.counts();
  const codes = new Map<string, number>();
  const heaps: number[] = [];
  const began = performance.now();
  for (let sent = 0; sent < madeUp; sent += BATCH) {
    const some = Array.from({ length: BATCH }, () => authenticator.verify(token()).then(() => 'ok', codeOf));
    for (const code of await Promise.all(some)) codes.set(code, (codes.get(code) ?? 0) + 1);
    await nextTurn();
    if (sent % (madeUp / 10) === 0) {
      heaps.push(heapNow());
      progress.note(`${sent} sent, heap ${megabytes(heaps.at(-1) ?? 0)}`);
    }
  }
  heaps.push(heapNow());
  const tookMs = performance.now() - began;
  const after = await provider.counts();
  const { tally, perSecond } = await load.stop();
  const report = authenticator.report().keysets[0];

  // A minute of the limit may have begun before the flood, and another one may end after it.
  const minutes = Math.floor(tookMs / MINUTE_MS) + 2;
  const read = after.metadata - before.metadata;
  const grown = (heaps.at(-1) ?? 0) - (heaps[2] ?? 0);
  const kept = report?.tenants?.inUse;
  const refusals = [...codes].map(([code, count]) => `${count} ${code}`).join(', ');
  return {
    id: 'R23',
    goal: 'many tenants',
    figure: `${existing} tenants, ${inUse} in use, a flood of ${madeUp} made-up ones: 0 failed valid requests, at most ${MOST_PER_MINUTE} new tenants read per minute, heap flat within ${megabytes(MAX_GROWTH)}`,
    measured: `${failedText(tally)} at ${perSecond.toFixed(0)} verifies/s next to the flood, p99 ${duration(times.take(0.99))}; flood: ${refusals} in ${duration(tookMs)}, ${read} tenants read (${after.keys - before.keys} JWK Sets), at most ${minutes * MOST_PER_MINUTE} in these minutes; heap ${grown >= 0 ? '+' : ''}${megabytes(grown)} after the first fifth, ${megabytes(heaps.at(-1) ?? 0)} at the end; ${kept} of ${inUse} tenants still in use, ${report?.tenants?.candidates} candidates; cold start: ${start.refused} of ${tokens.length} refused, in ${duration(start.ms)}`,
    met:
      tally.failed === 0 &&
      tally.total > 0 &&
      start.refused === 0 &&
      read <= minutes * MOST_PER_MINUTE &&
      grown <= MAX_GROWTH &&
      kept === inUse &&
      codes.get('ok') === undefined,
  };
}

/**
 * Makes tokens of other tenants, with a signature of no key: most of tenants that do not exist, and
 * every tenth of one that does and is not in use.
 */
function makeUp(
  origin: string,
  { existing, inUse }: { readonly existing: number; readonly inUse: number },
): () => string {
  const header = encode({ alg: 'ES256', kid: 'k', typ: 'JWT' });
  const signature = Buffer.alloc(64, 1).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 7_200;
  let made = 0;
  return () => {
    const number = made++;
    const name = number % 10 === 0 ? `tenant-${inUse + (number % (existing - inUse))}` : `made-up-${number}`;
    return `${header}.${encode({ iss: `${origin}/realms/${name}`, aud: 'api', sub: 'mallory', exp })}.${signature}`;
  };
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** The heap after a collection, which `--expose-gc` makes possible. */
function heapNow(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
