// The part `http`: all contestants on each framework in turn, round by round, so that the machine's
// noise affects all of them. The setups are in the frameworks' files.

import { median } from '@latchkey/test-kit/load';
import type { Progress } from '@latchkey/test-kit/progress';
import { createIssuer } from '@latchkey/testing';
import { createDeck, type Deck, withWrongSignature } from '../deck.ts';
import type { SpeedOptions } from '../options.ts';
import type { BarGroup, Finding, Measurements, Outcome } from '../outcome.ts';
import { AUDIENCE, ISSUER, ROUTE, SEEN_TOKENS, type Terms } from '../terms.ts';
import { checkAnswers, type Trial } from './check.ts';
import { type Client, createClient, type Rotation } from './client.ts';
import { COUNTED, type Contestant, FRAMEWORKS, type Framework } from './contestants.ts';
import { createPinning, type Pinning } from './pinning.ts';
import { type Server, startServer } from './server.ts';

/**
 * A running contestant and the results of its turns: requests per second, by the kind of tokens.
 */
interface Lane {
  readonly contestant: Contestant;
  readonly server: Server;
  readonly paces: { readonly [Kind in Tokens]: number[] };
  /** The index of the next token. */
  at: number;
}

/** Tokens that the service has seen before, or new tokens. */
type Tokens = 'seen' | 'unseen';

/** The tools for measuring a group of contestants. */
interface Stage {
  readonly options: SpeedOptions;
  readonly progress: Progress;
  readonly pinning: Pinning;
  readonly client: Client;
}

/** The results for one framework and one algorithm. */
interface Result {
  readonly framework: Framework;
  readonly algorithm: Terms['algorithm'];
  readonly lanes: readonly Lane[];
}

/** On a busy machine a turn may get no answers and is repeated. */
const ATTEMPTS = 3;

/** Measures all frameworks. */
export async function overHttp(
  options: SpeedOptions,
  progress: Progress,
  deckOf: (algorithm: Terms['algorithm']) => Deck,
): Promise<Outcome> {
  const pinning = createPinning();
  const client = createClient(pinning.client);
  const stage = { options, progress, pinning, client };
  const algorithms: readonly Terms['algorithm'][] = options.pace === 'quick' ? ['RS256'] : ['RS256', 'ES256'];
  const results: Result[] = [];
  try {
    for (const algorithm of algorithms) {
      const deck = deckOf(algorithm);
      const unseen = options.pace === 'quick' ? 1 : options.newTokens;
      progress.phase(`http: ${SEEN_TOKENS + unseen} tokens, ${algorithm}`);
      const tokens = await deck.tokens(SEEN_TOKENS + unseen);
      const rotations = {
        seen: client.rotation(tokens.slice(0, SEEN_TOKENS)),
        unseen: client.rotation(tokens.slice(SEEN_TOKENS)),
      };
      for (const framework of FRAMEWORKS) {
        progress.phase(`http: ${framework.label}, ${algorithm}`);
        results.push({
          framework,
          algorithm,
          lanes: await race(framework, algorithm, deck, rotations, stage),
        });
      }
    }
  } finally {
    client.close();
  }
  const how = `${client.name}, 32 connections, ${pinning.description}; medians of ${options.httpRounds} rounds of ${options.httpSeconds} s in turn`;
  return {
    findings: results.flatMap((result) => findingsOf(result, how)),
    measurements: FRAMEWORKS.map((framework) => measurementsOf(framework, results, how, options)),
    bars: FRAMEWORKS.map((framework) => barsOf(framework, results)),
  };
}

async function race(
  { name, contestants }: Framework,
  algorithm: Terms['algorithm'],
  deck: Deck,
  rotations: Readonly<Record<Tokens, Rotation>>,
  { options, progress, pinning, client }: Stage,
): Promise<readonly Lane[]> {
  const issuer = await createIssuer();
  issuer.publish([deck.jwk]);
  const terms: Terms = {
    algorithm,
    issuer: ISSUER,
    audience: AUDIENCE,
    jwksUrl: issuer.jwksUrl,
    publicKey: deck.text,
  };
  const lanes: Lane[] = [];
  const turn = async (lane: Lane, tokens: Tokens, seconds: number) => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const url = lane.server.origin + ROUTE;
      const { requests, perSecond } = await client.run(url, rotations[tokens], lane.at, seconds);
      // Skips the requests in progress at the end too, because the service may have seen their
      // tokens.
      lane.at += requests + 64;
      if (requests > 0) return perSecond;
      progress.note(`${lane.contestant.label} got no answers in this turn; the turn is repeated`);
    }
    throw new Error(`${lane.contestant.label} on ${name} does not answer`);
  };
  try {
    const trial = await trialOf(deck);
    for (const contestant of contestants) {
      if (options.pace === 'quick' && contestant.thorough) continue;
      const server = await startServer(name, contestant.name, terms, pinning);
      lanes.push({ contestant, server, paces: { seen: [], unseen: [] }, at: 0 });
      const who = `${contestant.label} on ${name}`;
      await checkAnswers(who, server.origin, contestant.kind !== 'bare', trial);
    }
    for (const lane of lanes) await turn(lane, 'seen', Math.min(2, options.httpSeconds));
    const kinds: readonly Tokens[] = options.pace === 'quick' ? ['seen'] : ['seen', 'unseen'];
    for (const tokens of kinds) {
      // A bare service ignores tokens, so one kind of tokens is enough.
      const taking = lanes.filter(({ contestant }) => tokens === 'seen' || contestant.kind !== 'bare');
      for (let round = 0; round < options.httpRounds; round++) {
        // The order changes, so that no contestant always runs after the slowest one.
        for (let index = 0; index < taking.length; index++) {
          const lane = taking[(round + index) % taking.length];
          lane?.paces[tokens].push(await turn(lane, tokens, options.httpSeconds));
        }
      }
      progress.note(
        taking
          .map(({ contestant, paces }) => `${contestant.label} ${Math.round(median(paces[tokens]))}/s`)
          .join(', '),
      );
    }
  } finally {
    for (const { server } of lanes) await server.stop();
    await issuer.close();
  }
  return lanes;
}

async function trialOf(deck: Deck): Promise<Trial> {
  const one = async (claims: Readonly<Record<string, string | number>>) => {
    const [token = ''] = await deck.mint(1, claims);
    return token;
  };
  const [forged = ''] = await createDeck(deck.algorithm, { kid: deck.kid }).mint(1, {});
  return {
    good: await one({}),
    bad: {
      'a token with a wrong signature': withWrongSignature(await one({})),
      'a forged token': forged,
      'an expired token': await one({ exp: 1_000_000_000 }),
      'a token of another issuer': await one({ iss: 'https://elsewhere.example.com/' }),
      'a token of another audience': await one({ aud: 'https://elsewhere.example.com' }),
    },
  };
}

function findingsOf({ framework, algorithm, lanes }: Result, how: string): readonly Finding[] {
  const bare = lanes.find(({ contestant }) => contestant.kind === 'bare');
  const own = lanes.find(({ contestant }) => contestant.kind === 'latchkey');
  if (bare === undefined || own === undefined) return [];
  const where = `${framework.label}, ${algorithm}`;
  const findings: Finding[] = [];
  const find = (goal: string, figure: number, tokens: Tokens, other: Lane | undefined) => {
    if (other === undefined || own.paces[tokens].length === 0) return;
    const ratio = ratioOf(own, other, tokens);
    findings.push({
      goal: `${where}: ${goal}`,
      figure: `>= ${figure} x`,
      measured: `${ratio.toFixed(2)} x: ${pace(own, tokens)}, compared with ${other.contestant.label} ${pace(other, tokens)}${others(lanes, other, tokens)}; ${how}`,
      met: ratio >= figure,
    });
  };
  find('a token seen before, compared with the bare service', 0.93, 'seen', bare);
  if (algorithm === 'RS256')
    find(
      'a token seen before, compared with the fastest existing package',
      framework.goal,
      'seen',
      fastest(lanes, 'seen'),
    );
  find('a new token, compared with the fastest existing package', 1.25, 'unseen', fastest(lanes, 'unseen'));
  const counted = lanes.find(({ contestant }) => contestant === COUNTED);
  if (counted !== undefined) {
    const ratio = ratioOf(own, counted, 'seen');
    findings.push({
      goal: `${where}: a listener that counts decisions, compared with none`,
      figure: '<= 1.03 x',
      measured: `${ratio.toFixed(3)} x: ${pace(counted, 'seen')} with it, ${pace(own, 'seen')} without; ${how}`,
      met: ratio <= 1.03,
    });
  }
  return findings;
}

function fastest(lanes: readonly Lane[], tokens: Tokens): Lane | undefined {
  return lanes
    .filter(({ contestant }) => contestant.kind === 'existing')
    .sort((a, b) => median(b.paces[tokens]) - median(a.paces[tokens]))[0];
}

function others(lanes: readonly Lane[], named: Lane, tokens: Tokens): string {
  if (named.contestant.kind === 'bare') return '';
  const rest = lanes.filter((lane) => lane.contestant.kind === 'existing' && lane !== named);
  return rest.map((lane) => `, ${lane.contestant.label} ${pace(lane, tokens)}`).join('');
}

function ratioOf(one: Lane, other: Lane, tokens: Tokens): number {
  const below = other.paces[tokens];
  return median(one.paces[tokens].map((perSecond, round) => perSecond / (below[round] ?? Number.NaN)));
}

function pace({ paces }: Lane, tokens: Tokens): string {
  return `${Math.round(median(paces[tokens]))}/s`;
}

function measurementsOf(
  framework: Framework,
  results: readonly Result[],
  how: string,
  options: SpeedOptions,
): Measurements {
  const own = results.filter((result) => result.framework === framework);
  const columns = own.flatMap(({ algorithm, lanes }) =>
    (['seen', 'unseen'] as const)
      .filter((tokens) => lanes.some(({ paces }) => paces[tokens].length > 0))
      .map((tokens) => ({
        tokens,
        lanes,
        name: `${algorithm}, ${tokens === 'seen' ? 'seen before' : 'new'}`,
      })),
  );
  const inRotation = `${SEEN_TOKENS} tokens that were seen before${columns.some(({ tokens }) => tokens === 'unseen') ? `, or ${options.newTokens} new ones` : ''} are in rotation`;
  return {
    title: `${framework.label}: requests per second`,
    about: `One route; ${how}. ${inRotation}. Latchkey also checks a scope rule, which the others do not.`,
    head: ['', ...columns.map(({ name }) => name)],
    rows: (own[0]?.lanes ?? []).map(({ contestant }) => [
      contestant.label,
      ...columns.map(({ tokens, lanes }) => {
        const lane = lanes.find((other) => other.contestant.name === contestant.name);
        return lane === undefined || lane.paces[tokens].length === 0
          ? ''
          : String(Math.round(median(lane.paces[tokens])));
      }),
    ]),
  };
}

function barsOf(framework: Framework, results: readonly Result[]): BarGroup {
  const lanes = results.find(
    (result) => result.framework === framework && result.algorithm === 'RS256',
  )?.lanes;
  return {
    title: framework.label,
    bars: (lanes ?? []).map(({ contestant, paces }) => ({
      label: contestant.label,
      kind: contestant.kind,
      seen: median(paces.seen),
      unseen: paces.unseen.length === 0 || contestant.cached !== true ? undefined : median(paces.unseen),
    })),
  };
}
