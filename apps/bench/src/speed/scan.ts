// The part `scan`: what the cache costs where it cannot help, because ten times as many tokens are
// in rotation as it can hold; and what it saves where some tokens come often and others once.
import { createAuthenticator } from '@latchkey/core';
import type { Progress } from '@latchkey/test-kit/progress';
import type { Deck } from './deck.ts';
import type { SpeedOptions } from './options.ts';
import type { Finding, Outcome } from './outcome.ts';
import { freshCopies, inTurn, type Paces, race } from './rounds.ts';
import { type Algorithm, AUDIENCE, ISSUER } from './terms.ts';

const ALGORITHM = 'RS256';
/** How many times larger the rotation is than the cache. */
const TIMES = 10;
/** The most time with the cache, as a multiple of the time without. */
const MOST = 1.03;
/** Of five requests, one has a token that does not come again soon. */
const OFTEN = 5;
const MOST_MIXED = 0.35;
const CACHED = 'with the cache';
const UNCACHED = 'without a cache';

/** Measures both workloads. */
export async function scanning(
  options: SpeedOptions,
  progress: Progress,
  deckOf: (algorithm: Algorithm) => Deck,
): Promise<Outcome> {
  progress.phase(`scan: ${options.newTokens} tokens`);
  const deck = deckOf(ALGORITHM);
  const tokens = await deck.tokens(options.newTokens);
  const size = Math.floor(tokens.length / TIMES);
  const rounds = `${ALGORITHM}, a cache of ${size} tokens; medians of ${options.rounds} rounds of ${options.sliceMs} ms in turn`;
  progress.phase('scan: in turn');
  const scan = await compare(deck, tokens, size, options);
  const mixed = await compare(deck, mix(tokens, size), size, options);
  return {
    findings: [
      finding(`${tokens.length} tokens in rotation, ${TIMES} times the cache`, scan, MOST, rounds),
      finding(`four of five tokens from ${size}, one from the others`, mixed, MOST_MIXED, rounds),
    ],
    measurements: [],
  };
}

async function compare(
  { jwk }: Deck,
  tokens: readonly string[],
  size: number,
  options: SpeedOptions,
): Promise<Paces> {
  const common = {
    keySets: [{ issuer: ISSUER, jwks: { keys: [jwk] }, allowedAlgorithms: [ALGORITHM] as const }],
    audience: AUDIENCE,
  };
  const cached = createAuthenticator({ ...common, cache: { tokens: size } });
  const uncached = createAuthenticator({ ...common, cache: false });
  // The cache has room, and what it holds was used.
  for (const token of [...tokens, ...tokens]) await cached.verify(token);
  const paces = await race(
    [
      inTurn(CACHED, freshCopies(tokens), (token) => cached.verify(token)),
      inTurn(UNCACHED, freshCopies(tokens), (token) => uncached.verify(token)),
    ],
    options,
  );
  await Promise.all([cached.close(), uncached.close()]);
  return paces;
}

/** Puts one of the other tokens after each four of the first ones. */
function mix(tokens: readonly string[], first: number): readonly string[] {
  const others = tokens.slice(first);
  return others.flatMap((other, index) => [
    ...Array.from({ length: OFTEN - 1 }, (_, at) => tokens[(index * (OFTEN - 1) + at) % first] ?? other),
    other,
  ]);
}

function finding(what: string, paces: Paces, most: number, rounds: string): Finding {
  const cost = 1 / paces.ratio(CACHED, UNCACHED);
  return {
    goal: `the cache: ${what}`,
    figure: `<= ${most} x of the time without a cache`,
    measured: `${cost.toFixed(3)} x: ${paces.of(CACHED).us.toFixed(2)} us a token, without ${paces.of(UNCACHED).us.toFixed(2)} us; ${rounds}`,
    met: cost <= most,
  };
}
