// The part `rejected`: the cost of refusing a token, compared with accepting a new one. There are
// as many tokens of each invalid kind as valid ones.
import { isAuthError } from '@latchkey/core';
import type { Progress } from '@latchkey/test-kit/progress';
import { type Deck, withWrongSignature } from './deck.ts';
import type { SpeedOptions } from './options.ts';
import type { Finding, Outcome } from './outcome.ts';
import { freshCopies, inTurn, type Paces, race } from './rounds.ts';
import type { Algorithm } from './terms.ts';
import { authenticatorOf, LATCHKEY, latchkey } from './verifiers.ts';

const WRONG_SIGNATURE = 'wrong signature';
const EXPIRED = 'expired';
/** Kinds of malformed tokens. Each is made from a valid token. */
const MALFORMED: readonly (readonly [what: string, make: (token: string) => string])[] = [
  ['one part', (token) => token.replaceAll('.', '')],
  ['two parts', (token) => token.slice(0, token.lastIndexOf('.'))],
  ['not base64url', (token) => token.replace(/.\./g, '*.')],
  ['a header that is not JSON', (token) => token.slice(4)],
  ['a payload that is not JSON', (token) => token.replace(/\..{4}/, '.')],
  ['too long', (token) => token.padEnd(9_000, 'A')],
];
const MALFORMED_US = 5;
/** Two measurements of the same work differ by this factor. */
const NOISE = 1.03;

/** Measures RS256 and ES256. */
export async function rejecting(
  options: SpeedOptions,
  progress: Progress,
  deckOf: (algorithm: Algorithm) => Deck,
): Promise<Outcome> {
  const findings: Finding[] = [];
  const rows: string[][] = [];
  const rounds = `medians of ${options.rounds} rounds of ${options.sliceMs} ms in turn`;
  for (const algorithm of ['RS256', 'ES256'] as const) {
    progress.phase(`rejected: ${algorithm}`);
    const paces = await measure(deckOf(algorithm), options);
    findings.push(
      ...[WRONG_SIGNATURE, EXPIRED].map((kind) => findingOf(algorithm, kind, paces, rounds)),
      malformedFinding(algorithm, paces, rounds),
    );
    for (const name of [LATCHKEY, WRONG_SIGNATURE, EXPIRED, ...MALFORMED.map(([what]) => what)])
      rows.push([algorithm, name === LATCHKEY ? 'valid and new' : name, paces.of(name).us.toFixed(2)]);
  }
  return {
    findings,
    measurements: [
      { title: 'A refused token: microseconds', about: `Latchkey; ${rounds}.`, head: ['', '', 'us'], rows },
    ],
  };
}

async function measure(deck: Deck, options: SpeedOptions): Promise<Paces> {
  const authenticator = await authenticatorOf(deck);
  const tokens = await deck.tokens(options.newTokens);
  const refused = (name: string, texts: readonly string[]) =>
    inTurn(name, freshCopies(texts), async (token) => {
      try {
        await authenticator.verify(token);
      } catch (error) {
        if (isAuthError(error)) return;
        throw error;
      }
      throw new Error(`accepted: ${name}`);
    });
  // `exp` is an hour ago, which is beyond every leeway.
  const expired = await deck.mint(Math.min(2_000, tokens.length), {
    exp: Math.floor(Date.now() / 1000) - 3_600,
  });
  const paces = await race(
    [
      latchkey(authenticator, freshCopies(tokens)),
      refused(WRONG_SIGNATURE, tokens.map(withWrongSignature)),
      refused(EXPIRED, expired),
      ...MALFORMED.map(([what, make]) => refused(what, tokens.slice(0, 1_000).map(make))),
    ],
    options,
  );
  await authenticator.close();
  return paces;
}

function findingOf(algorithm: Algorithm, kind: string, paces: Paces, rounds: string): Finding {
  const cost = 1 / paces.ratio(kind, LATCHKEY);
  return {
    goal: `a rejected token, ${algorithm}: ${kind}`,
    figure: `costs no more than accepting a new token (<= ${NOISE} x, for the noise)`,
    measured: `${cost.toFixed(2)} x: ${paces.of(kind).us.toFixed(1)} us, accepted ${paces.of(LATCHKEY).us.toFixed(1)} us; ${rounds}`,
    met: cost <= NOISE,
  };
}

function malformedFinding(algorithm: Algorithm, paces: Paces, rounds: string): Finding {
  const costs = MALFORMED.map(([what]) => ({ what, us: paces.of(what).us }));
  const most = Math.max(...costs.map(({ us }) => us));
  return {
    goal: `a rejected token, ${algorithm}: malformed`,
    figure: `<= ${MALFORMED_US} us, and no more than accepting a new token`,
    measured: `${costs.map(({ what, us }) => `${what} ${us.toFixed(2)} us`).join(', ')}; accepted ${paces.of(LATCHKEY).us.toFixed(1)} us; ${rounds}`,
    met: most <= Math.min(MALFORMED_US, paces.of(LATCHKEY).us),
  };
}
