// `pnpm bench pairs`: what Latchkey adds to a request of each framework whose token it has seen
// before, next to a hook that does nothing; and the hook next to itself, which is the error.
import type { Figure } from '@latchkey/test-kit/figures';
import { type Progress, startProgress } from '@latchkey/test-kit/progress';
import { createIssuer } from '@latchkey/testing';
import { createDeck, type Deck } from '../speed/deck.ts';
import { type Client, createClient } from '../speed/http/client.ts';
import { FRAMEWORKS, type Framework } from '../speed/http/contestants.ts';
import { createPinning, type Pinning } from '../speed/http/pinning.ts';
import { type Server, startServer } from '../speed/http/server.ts';
import { AUDIENCE, ISSUER, ROUTE, type Terms } from '../speed/terms.ts';
import { readPairsOptions } from './options.ts';
import { type Comparison, compare, type Length, type Side } from './pair.ts';
import { formatSpread } from './spread.ts';

/** The numbers of tokens in rotation, and the bytes that are added to each. */
const SETS = [
  { tokens: 20, padding: 0 },
  { tokens: 1_000, padding: 0 },
  { tokens: 8_000, padding: 0 },
  { tokens: 1_000, padding: 750 },
] as const;
const GOAL = 1.05;
/** Of revocation, which is in memory: 3 % of a request. */
const REVOCATION_GOAL = 1.03;

interface Stage {
  readonly client: Client;
  readonly pinning: Pinning;
  readonly length: Length;
  readonly progress: Progress;
}

/** Runs the comparisons that the arguments name. */
export async function pairs(given: readonly string[]): Promise<readonly Figure[]> {
  const { frameworks, length } = readPairsOptions(given);
  const progress = startProgress();
  const pinning = createPinning();
  const client = createClient(pinning.client);
  const stage = { client, pinning, length, progress };
  const deck = createDeck('RS256');
  const issuer = await createIssuer();
  issuer.publish([deck.jwk]);
  const terms: Terms = {
    algorithm: 'RS256',
    issuer: ISSUER,
    audience: AUDIENCE,
    jwksUrl: issuer.jwksUrl,
    publicKey: deck.text,
  };
  const figures: Figure[] = [];
  try {
    for (const framework of FRAMEWORKS.filter(({ name }) => frameworks.includes(name)))
      figures.push(...(await ofFramework(framework, terms, deck, stage)));
  } finally {
    client.close();
    await issuer.close();
    progress.stop();
  }
  return figures;
}

async function ofFramework(
  { name, label }: Framework,
  terms: Terms,
  deck: Deck,
  { client, pinning, length, progress }: Stage,
): Promise<readonly Figure[]> {
  const servers: Server[] = [];
  const start = async (contestant: string) => {
    const server = await startServer(name, contestant, terms, pinning);
    servers.push(server);
    return server;
  };
  const how = `${client.name}, ${pinning.description}; ${length.slices} slices of ${length.seconds} s each, in turn`;
  const figures: Figure[] = [];
  try {
    const [bare, again, own] = [await start('bare'), await start('bare'), await start('latchkey')];
    const sideOf = (server: Server, tokens: readonly string[]): Side => ({
      server,
      url: server.origin + ROUTE,
      rotation: client.rotation(tokens),
    });
    const revoking = name === 'express' ? await start('latchkey-revocation') : undefined;
    progress.phase(`${label}: the hook next to itself`);
    const few = await deck.tokens(20);
    const noise = await compare(client, sideOf(again, few), sideOf(bare, few), length);
    for (const [index, { tokens: count, padding }] of SETS.entries()) {
      progress.phase(`${label}: ${count} tokens, ${padding} bytes more`);
      const tokens = padding === 0 ? await deck.tokens(count) : await padded(deck, count, padding);
      const found = await compare(client, sideOf(own, tokens), sideOf(bare, tokens), length);
      progress.note(formatSpread(found.cost));
      figures.push({
        id: `${name} ${index + 1}`,
        goal: `${label}: CPU per request, ${count} tokens of ${tokens[0]?.length} bytes seen before, next to a hook that does nothing`,
        figure: `<= ${GOAL} x`,
        measured: `${measuredText(found)}; the hook next to itself ${formatSpread(noise.cost)}; ${how}`,
        met: found.cost.median <= GOAL,
      });
    }
    if (revoking !== undefined) {
      progress.phase(`${label}: a million revocations`);
      const found = await compare(client, sideOf(revoking, few), sideOf(own, few), length);
      figures.push({
        id: `${name} revocation`,
        goal: `${label}: CPU per request with a list of 1,000,000 revocations, next to Latchkey without, 20 tokens seen before`,
        figure: `<= ${REVOCATION_GOAL} x`,
        measured: `${measuredText(found)}; the hook next to itself ${formatSpread(noise.cost)}; ${how}`,
        met: found.cost.median <= REVOCATION_GOAL,
      });
    }
  } finally {
    for (const server of servers) await server.stop();
  }
  return figures;
}

function padded(deck: Deck, count: number, bytes: number): Promise<readonly string[]> {
  return deck.mint(count, {
    permissions: Array.from({ length: bytes / 15 }, (_, at) => `read:item${at + 100}`),
  });
}

function measuredText({ cost, pace, us: [one, other], idle }: Comparison): string {
  return `${formatSpread(cost)} x: ${one.toFixed(1)} us next to ${other.toFixed(1)} us; requests per second ${formatSpread(pace)} x, with the server ${(idle * 100).toFixed(0)} % idle`;
}
