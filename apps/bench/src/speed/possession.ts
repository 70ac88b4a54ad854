// The part `possession`: the cost of a request with a DPoP proof (RFC 9449) in this process, and of
// the same checks by hand with jose. Each proof is new. HTTP is not measured.
import { createHash } from 'node:crypto';
import { createAuthenticator } from '@latchkey/core';
import type { Progress } from '@latchkey/test-kit/progress';
import { createDpopKey, type DpopKey } from '@latchkey/testing';
import { calculateJwkThumbprint, EmbeddedJWK, importJWK, jwtVerify } from 'jose';
import type { Deck } from './deck.ts';
import type { SpeedOptions } from './options.ts';
import type { Outcome } from './outcome.ts';
import { type Contestant, race } from './rounds.ts';
import { type Algorithm, AUDIENCE, ISSUER, ROUTE, SEEN_TOKENS } from './terms.ts';

/** A request, as core gets it. */
interface BoundRequest {
  readonly method: 'GET';
  readonly url: string;
  readonly headers: { readonly [name: string]: string };
}

const LATCHKEY = 'Latchkey, DPoP';
const BEARER = 'Latchkey, Bearer';
const JOSE = 'jose by hand, DPoP';
const ORIGIN = 'https://api.example.com';
const URL_OF_ROUTE = `${ORIGIN}${ROUTE}`;
const GOAL = 1;

/** Measures requests with tokens that were seen before. */
export async function proving(
  options: SpeedOptions,
  progress: Progress,
  deckOf: (algorithm: Algorithm) => Deck,
): Promise<Outcome> {
  progress.phase('possession');
  const deck = deckOf('ES256');
  const key = await createDpopKey('ES256');
  const bound = await deck.mint(SEEN_TOKENS, { cnf: key.cnf });
  const bearers = await deck.tokens(SEEN_TOKENS);
  const authenticator = createAuthenticator({
    keySets: [{ issuer: ISSUER, jwks: { keys: [deck.jwk] }, allowedAlgorithms: ['ES256'] }],
    audience: AUDIENCE,
    dpop: { mode: 'allowed', publicUrl: ORIGIN, replayEntries: 10_000_000 },
  });
  await authenticator.ready();
  const contestants = [
    accepting(LATCHKEY, bound, key, (request) => authenticator.authenticate(request)),
    accepting(JOSE, bound, key, await joseByHand(deck)),
    accepting(BEARER, bearers, undefined, (request) => authenticator.authenticate(request)),
  ];
  const paces = await race(contestants, options);
  await authenticator.close();
  const ratio = paces.ratio(LATCHKEY, JOSE);
  const rounds = `medians of ${options.rounds} rounds of ${options.sliceMs} ms in turn`;
  const listed = contestants.map(({ name }) => `${name} ${paces.of(name).us.toFixed(1)} us`).join(', ');
  return {
    findings: [
      {
        goal: 'a request with a DPoP proof, compared with jose by hand',
        figure: `>= ${GOAL} x`,
        measured: `${ratio.toFixed(2)} x: ${listed}; ${SEEN_TOKENS} tokens in rotation; ${rounds}`,
        met: ratio >= GOAL,
      },
    ],
    measurements: [
      {
        title: 'A request with a DPoP proof: microseconds',
        about: `ES256 for tokens and proofs; ${SEEN_TOKENS} tokens in rotation, and a new proof for each request; ${rounds}. Both check the signature of the proof, typ, its key, htm, htu, ath, iat, and that jti is new. jose verifies the token each time, because it has no cache.`,
        head: ['', 'us'],
        rows: contestants.map(({ name }) => [name, paces.of(name).us.toFixed(1)]),
      },
    ],
  };
}

/**
 * A contestant that accepts requests. Their proofs are made before the clock runs.
 * @param key of the proofs. Undefined: the tokens are bearer tokens
 */
function accepting(
  name: string,
  tokens: readonly string[],
  key: DpopKey | undefined,
  accept: (request: BoundRequest) => Promise<unknown>,
): Contestant {
  let next = 0;
  async function request(): Promise<BoundRequest> {
    const token = tokens[next++ % tokens.length] ?? '';
    const headers =
      key === undefined
        ? { authorization: `Bearer ${token}` }
        : { authorization: `DPoP ${token}`, dpop: await key.proof({ url: URL_OF_ROUTE, token }) };
    return { method: 'GET', url: ROUTE, headers };
  }
  return {
    name,
    async prepare(times) {
      const requests = await Promise.all(Array.from({ length: times }, request));
      return async () => {
        for (const one of requests) await accept(one);
      };
    },
  };
}

/** What a service writes that has jose, and no package for DPoP. */
async function joseByHand({ jwk }: Deck): Promise<(request: BoundRequest) => Promise<void>> {
  const issuerKey = await importJWK(jwk, 'ES256');
  const used = new Map<string, number>();
  return async ({ method, url, headers }) => {
    const token = headers.authorization?.slice('DPoP '.length) ?? '';
    const { payload } = await jwtVerify<{ cnf: { jkt: string } }>(token, issuerKey, {
      issuer: ISSUER,
      audience: AUDIENCE,
      algorithms: ['ES256'],
    });
    const proof = await jwtVerify(headers.dpop ?? '', EmbeddedJWK, {
      typ: 'dpop+jwt',
      algorithms: ['ES256'],
      maxTokenAge: '60s',
      requiredClaims: ['jti', 'htm', 'htu', 'ath'],
    });
    const { jti = '', htm, htu, ath, iat = 0 } = proof.payload;
    const isGood =
      proof.protectedHeader.jwk !== undefined &&
      (await calculateJwkThumbprint(proof.protectedHeader.jwk)) === payload.cnf.jkt &&
      htm === method &&
      htu === `${ORIGIN}${url}` &&
      ath === createHash('sha256').update(token).digest('base64url') &&
      !used.has(jti);
    if (!isGood) throw new Error('jose by hand refused');
    used.set(jti, iat + 60);
  };
}
