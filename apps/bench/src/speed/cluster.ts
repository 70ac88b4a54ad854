// The part `cluster`: compares one worker with two under the same load: the key fetches of each
// worker, and the throughput that the second one adds.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { median } from '@latchkey/test-kit/load';
import type { Progress } from '@latchkey/test-kit/progress';
import { createIssuer } from '@latchkey/testing';
import type { ClusterTerms } from './cluster-process.ts';
import { createDeck } from './deck.ts';
import { createClient } from './http/client.ts';
import type { SpeedOptions } from './options.ts';
import type { Outcome } from './outcome.ts';
import { AUDIENCE, ROUTE } from './terms.ts';

const ISSUERS = ['https://a.example.com/', 'https://b.example.com/', 'https://c.example.com/'];
const WORKERS = [1, 2] as const;
/** The least gain. It is below 2 because the load client uses the same cores. */
const LEAST = 1.3;

/** Measures one worker and two in turn. */
export async function scalingOut(options: SpeedOptions, progress: Progress): Promise<Outcome> {
  progress.phase('cluster: tokens');
  const decks = ISSUERS.map((issuer) => createDeck('ES256', { issuer }));
  // The same number of tokens for each issuer. Every worker has its own cache and sees only its
  // part of the tokens.
  const lists = await Promise.all(decks.map((deck) => deck.tokens(options.newTokens)));
  const client = createClient((command) => command);
  // New tokens, so that a worker has more work than the client.
  const rotation = client.rotation(
    lists[0]?.flatMap((_, index) => lists.map((list) => list[index] ?? '')) ?? [],
  );
  const clusters: Cluster[] = [];
  try {
    for (const workers of WORKERS) clusters.push(await startCluster(workers, decks));
    progress.phase('cluster: in turn');
    for (let round = -1; round < options.httpRounds; round++) {
      for (const one of clusters) {
        const { requests, perSecond } = await client.run(
          one.origin + ROUTE,
          rotation,
          one.at,
          options.httpSeconds,
        );
        one.at += requests + 64;
        // The first round only warms up.
        if (round >= 0) one.paces.push(perSecond);
      }
    }
    const [one, two] = clusters;
    if (one === undefined || two === undefined) throw new Error('no clusters');
    const ratio = median(two.paces.map((perSecond, round) => perSecond / (one.paces[round] ?? Number.NaN)));
    const fetches = clusters.map(({ workers, fetched }) => `${workers} worker(s): ${fetched().join(', ')}`);
    return {
      findings: [
        {
          goal: 'scaling out: key fetches',
          figure: 'each worker fetches each JWK Set exactly once',
          measured: `${fetches.join('; ')} fetches of the JWK Sets of ${ISSUERS.length} issuers, under load over all workers`,
          met: clusters.every(({ workers, fetched }) => fetched().every((count) => count === workers)),
        },
        {
          goal: 'scaling out: throughput',
          figure: `grows with the workers: two workers do >= ${LEAST} x of one`,
          measured: `${ratio.toFixed(2)} x: ${clusters.map(({ workers, paces }) => `${workers} worker(s) ${Math.round(median(paces))}/s`).join(', ')}; ES256, new tokens, plain node:http, ${client.name} on the same ${availableParallelism()} cores; medians of ${options.httpRounds} rounds of ${options.httpSeconds} s in turn`,
          met: ratio >= LEAST,
        },
      ],
      measurements: [],
    };
  } finally {
    for (const { stop } of clusters) await stop();
    client.close();
  }
}

interface Cluster {
  readonly workers: number;
  readonly origin: string;
  readonly paces: number[];
  /** The index of the next token. */
  at: number;
  /** The number of requests for each JWK Set. */
  fetched(): readonly number[];
  stop(): Promise<void>;
}

async function startCluster(workers: number, decks: readonly { readonly jwk: object }[]): Promise<Cluster> {
  const issuers = await Promise.all(decks.map(() => createIssuer()));
  for (const [index, issuer] of issuers.entries()) issuer.publish([{ ...decks[index]?.jwk }]);
  const terms: ClusterTerms = {
    audience: AUDIENCE,
    keySets: issuers.map(({ jwksUrl }, index) => ({ issuer: ISSUERS[index] ?? '', jwksUrl })),
  };
  const main = fileURLToPath(import.meta.resolve('./cluster-process.ts'));
  const child = fork(main, [String(workers), JSON.stringify(terms)], {
    execArgv: ['--conditions=source'],
    env: { ...process.env, NODE_ENV: 'production', LATCHKEY_ALLOW_HTTP_KEYS: 'true' },
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(Number(message)));
    child.once('exit', (code) => reject(new Error(`the cluster ended, exit code ${code}`)));
  });
  return {
    workers,
    origin: `http://127.0.0.1:${port}`,
    paces: [],
    at: 0,
    fetched: () => issuers.map(({ requests }) => requests.jwks),
    async stop() {
      if (child.connected) {
        child.disconnect();
        await once(child, 'exit');
      }
      await Promise.all(issuers.map((issuer) => issuer.close()));
    },
  };
}
