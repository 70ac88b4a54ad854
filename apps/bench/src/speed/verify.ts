// The part `verify`: the cost of a cached and of a new token in this process, compared with other
// packages. HTTP is not measured.
import type { Progress } from '@latchkey/test-kit/progress';
import type { Deck } from './deck.ts';
import type { SpeedOptions } from './options.ts';
import type { Finding, Measurements, Outcome } from './outcome.ts';
import { freshCopies, type Paces, race } from './rounds.ts';
import { ALGORITHMS, type Algorithm, SEEN_TOKENS } from './terms.ts';
import {
  authenticatorOf,
  cachedExisting,
  existing,
  FAST_JWT,
  FAST_JWT_CACHED,
  LATCHKEY,
  latchkey,
  NODE,
  nodeAlone,
} from './verifiers.ts';

interface Result {
  readonly algorithm: Algorithm;
  readonly paces: Paces;
  readonly names: readonly string[];
}

/** The least ratios to the speed of node:crypto's own verify and of fast-jwt without its cache. */
const GOALS: Readonly<Record<Algorithm, { readonly node: number; readonly fastJwt?: number }>> = {
  RS256: { node: 0.85, fastJwt: 1.6 },
  ES256: { node: 0.9, fastJwt: 1.3 },
  EdDSA: { node: 0.93 },
  HS256: { node: 0.45, fastJwt: 1 },
};
/** The least ratio to the speed of fast-jwt's cache. */
const CACHED_GOAL = 2;

/** Measures all algorithms. */
export async function verifying(
  options: SpeedOptions,
  progress: Progress,
  deckOf: (algorithm: Algorithm) => Deck,
): Promise<Outcome> {
  const seen: Result[] = [];
  const fresh: Result[] = [];
  for (const algorithm of ALGORITHMS) {
    progress.phase(`verify: ${options.newTokens} tokens, ${algorithm}`);
    const deck = deckOf(algorithm);
    const tokens = await deck.tokens(options.newTokens);
    progress.phase(`verify: ${algorithm}`);
    seen.push(await ofSeen(deck, tokens.slice(0, SEEN_TOKENS), options));
    fresh.push(await ofNew(deck, tokens, options));
  }
  const rounds = `medians of ${options.rounds} rounds of ${options.sliceMs} ms in turn`;
  return {
    findings: [
      ...seen.map((result) => cachedFinding(result, rounds)),
      ...fresh.flatMap((result) => newFindings(result, rounds)),
    ],
    measurements: [
      table('A token seen before: microseconds', `${SEEN_TOKENS} tokens in rotation; ${rounds}.`, seen),
      table(
        'A new token: microseconds',
        `${options.newTokens} tokens in rotation; ${rounds}. Latchkey, jose and the others check issuer, audience, expiry and algorithm; node:crypto checks only the signature, over bytes that are ready.`,
        fresh,
      ),
    ],
  };
}

async function ofSeen(deck: Deck, tokens: readonly string[], options: SpeedOptions): Promise<Result> {
  const authenticator = await authenticatorOf(deck);
  const copies = freshCopies(tokens);
  const contestants = [latchkey(authenticator, copies), ...cachedExisting(deck, copies)];
  // Every contestant sees all tokens before the first timing.
  for (const { prepare } of contestants) await (await prepare(tokens.length))();
  const paces = await race(contestants, options);
  await authenticator.close();
  return { algorithm: deck.algorithm, paces, names: contestants.map(({ name }) => name) };
}

async function ofNew(deck: Deck, tokens: readonly string[], options: SpeedOptions): Promise<Result> {
  const authenticator = await authenticatorOf(deck);
  // Each contestant has its own rotation: a token comes again only after all other tokens, so
  // caches have dropped it.
  const contestants = [
    latchkey(authenticator, freshCopies(tokens)),
    ...nodeAlone(deck, tokens),
    ...(await existing(deck, freshCopies(tokens))),
  ];
  const paces = await race(contestants, options);
  await authenticator.close();
  return { algorithm: deck.algorithm, paces, names: contestants.map(({ name }) => name) };
}

function cachedFinding({ algorithm, paces, names }: Result, rounds: string): Finding {
  const ratio = paces.ratio(LATCHKEY, FAST_JWT_CACHED);
  return {
    goal: `verify of a cached token, ${algorithm}, compared with fast-jwt's cache`,
    figure: `>= ${CACHED_GOAL} x`,
    measured: `${ratio.toFixed(2)} x: ${listed(names, paces)}; ${SEEN_TOKENS} tokens in rotation, ${rounds}`,
    met: ratio >= CACHED_GOAL,
  };
}

function newFindings({ algorithm, paces, names }: Result, rounds: string): readonly Finding[] {
  const { node, fastJwt } = GOALS[algorithm];
  const noise = paces.ratio(`${NODE} again`, NODE);
  const measured = `${listed(names, paces)}; ${rounds} (noise: node:crypto again is ${noise.toFixed(2)} x)`;
  const find = (other: string, least: number): Finding => {
    const ratio = paces.ratio(LATCHKEY, other);
    return {
      goal: `verify of a new token, ${algorithm}, compared with ${other === NODE ? 'node:crypto alone' : `${other} without its cache`}`,
      figure: `>= ${least} x`,
      measured: `${ratio.toFixed(2)} x: ${measured}`,
      met: ratio >= least,
    };
  };
  return [find(NODE, node), ...(fastJwt === undefined ? [] : [find(FAST_JWT, fastJwt)])];
}

function listed(names: readonly string[], paces: Paces): string {
  return names.map((name) => `${name} ${paces.of(name).us.toFixed(2)} us`).join(', ');
}

function table(title: string, about: string, results: readonly Result[]): Measurements {
  const names = new Set(results.flatMap((result) => result.names));
  return {
    title,
    about,
    head: ['', ...results.map(({ algorithm }) => algorithm)],
    rows: [...names].map((name) => [
      name,
      ...results.map((result) => (result.names.includes(name) ? result.paces.of(name).us.toFixed(2) : '')),
    ]),
  };
}
