// The part `selection`: checks that many keys, keysets or issuers do not make a verification
// slower. It uses HMAC, the cheapest signature, and no cache.
import { createHmac, randomBytes } from 'node:crypto';
import { createAuthenticator, createMemoryStore, type JsonObject, type KeysetOptions } from '@latchkey/core';
import type { Progress } from '@latchkey/test-kit/progress';
import type { SpeedOptions } from './options.ts';
import type { Outcome } from './outcome.ts';
import { type Contestant, freshCopies, inTurn, race } from './rounds.ts';
import { AUDIENCE, ISSUER } from './terms.ts';

/** A number of issuers, keysets and keys. */
interface Shape {
  readonly name: string;
  readonly issuers: number;
  readonly keysetsOfEach: number;
  readonly keysOfEach: number;
}

interface Key {
  readonly issuer: string;
  readonly kid: string;
  readonly secret: Buffer;
}

const ONE: Shape = { name: '1 key', issuers: 1, keysetsOfEach: 1, keysOfEach: 1 };
const SHAPES: readonly Shape[] = [
  { name: 'a keyset of 200 keys', issuers: 1, keysetsOfEach: 1, keysOfEach: 200 },
  { name: '100 keysets of one issuer', issuers: 1, keysetsOfEach: 100, keysOfEach: 1 },
  { name: '100 keysets of 100 issuers', issuers: 100, keysetsOfEach: 1, keysOfEach: 1 },
  { name: '10 000 keysets of 10 000 issuers', issuers: 10_000, keysetsOfEach: 1, keysOfEach: 1 },
];
/** The number of tokens in rotation. They use keys spread over all of them. */
const TOKENS = 1_000;
/**
 * The most time that a token may take, as a multiple of the time with one key in one keyset. The
 * processor's caches cause a difference.
 */
const MOST = 1.25;
const UNCACHED = { cache: false } as const;

/** Measures all shapes. */
export async function selecting(options: SpeedOptions, progress: Progress): Promise<Outcome> {
  progress.phase('selection');
  const stages = await Promise.all([ONE, ...SHAPES].map(stageOf));
  progress.phase('selection: in turn');
  const paces = await race(
    stages.map(({ contestant }) => contestant),
    options,
  );
  await Promise.all(stages.map(({ close }) => close()));
  const rounds = `HS256, ${TOKENS} tokens by keys spread over all, no cache; medians of ${options.rounds} rounds of ${options.sliceMs} ms in turn`;
  return {
    findings: SHAPES.map(({ name }) => {
      const cost = 1 / paces.ratio(name, ONE.name);
      return {
        goal: `selection of key and keyset: ${name}`,
        figure: `stays constant: <= ${MOST} x of the time with one key`,
        measured: `${cost.toFixed(2)} x: ${paces.of(name).us.toFixed(2)} us a token, with one key ${paces.of(ONE.name).us.toFixed(2)} us; ${rounds}`,
        met: cost <= MOST,
      };
    }),
    measurements: [],
  };
}

async function stageOf(shape: Shape): Promise<{ readonly contestant: Contestant; close(): Promise<void> }> {
  const { name, issuers, keysetsOfEach, keysOfEach } = shape;
  const keys: Key[] = [];
  const keySets: KeysetOptions[] = [];
  const secrets: Record<string, Record<string, string>> = {};
  for (let number = 0; number < issuers * keysetsOfEach; number++) {
    const issuer = `${ISSUER}${number % issuers}`;
    const own = Array.from({ length: keysOfEach }, (_, index) => ({
      issuer,
      kid: `${number}-${index}-${randomBytes(8).toString('hex')}`,
      secret: randomBytes(32),
    }));
    keys.push(...own);
    secrets[`keys-${number}`] = { 'jwks.json': JSON.stringify({ keys: own.map(jwkOf) }) };
    keySets.push({ issuer, secret: { name: `keys-${number}` } });
  }
  const store = createMemoryStore(secrets);
  const authenticator = createAuthenticator({ keySets, secrets: store, audience: AUDIENCE, ...UNCACHED });
  // The last key is always among those used.
  const tokens = Array.from({ length: TOKENS }, (_, index) =>
    tokenOf(keys[keys.length - 1 - Math.floor((index * keys.length) / TOKENS)], index),
  );
  for (const token of tokens) await authenticator.verify(token);
  return {
    contestant: inTurn(name, freshCopies(tokens), (token) => authenticator.verify(token)),
    close: () => authenticator.close(),
  };
}

function jwkOf({ kid, secret }: Key): JsonObject {
  return { kty: 'oct', kid, alg: 'HS256', use: 'sig', k: secret.toString('base64url') };
}

function tokenOf(key: Key | undefined, number: number): string {
  if (key === undefined) throw new Error('no key');
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: key.issuer, aud: AUDIENCE, sub: 'alice', iat: now, exp: now + 86_400 };
  // Each token has its own header, also with one key, so that caching of headers does not change
  // the measurement.
  const header = { alg: 'HS256', typ: 'JWT', kid: key.kid, number };
  const input = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${input}.${createHmac('sha256', key.secret).update(input).digest('base64url')}`;
}
