// S1 to S4: the number of tokens that a signer signs per second, compared with node:crypto alone
// with the same key, and with jose. Verification is not measured.

import { createHmac, createPrivateKey, createSecretKey, randomUUID, sign, webcrypto } from 'node:crypto';
import type { JsonObject } from '@latchkey/core';
import { createSigner, generateJwk, type SigningAlgorithm } from '@latchkey/core/signing';
import type { Figure } from '@latchkey/test-kit/figures';
import type { Progress } from '@latchkey/test-kit/progress';
import { importJWK, SignJWT } from 'jose';
import { type Contestant, type Pace, ROUNDS, race } from './rounds.ts';

const ALGORITHMS = ['RS256', 'ES256', 'EdDSA', 'HS256'] as const satisfies SigningAlgorithm[];
type Algorithm = (typeof ALGORITHMS)[number];

const ISSUER = 'https://login.example.com';
const AUDIENCE = 'https://api.example.com';
const CLAIMS = {
  sub: '1234567890qwertyuio',
  roles: ['role_a', 'role_b'],
  scope: 'friends:read messages:write',
};
/**
 * The least share of jose's throughput. If the signature takes nearly all the time, both differ
 * only by the machine's noise.
 */
const LEAST = 0.95;
/** The number of concurrent signatures where other threads do the work. */
const AT_A_TIME = 16;

/** Measures the algorithms one after the other. */
export async function throughput(progress: Progress): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const [index, algorithm] of ALGORITHMS.entries()) {
    progress.phase(`S${index + 1} throughput of ${algorithm}`);
    figures.push({ id: `S${index + 1}`, ...(await measure(algorithm)) });
  }
  return figures;
}

async function measure(algorithm: Algorithm): Promise<Omit<Figure, 'id'>> {
  const jwk = await generateJwk(algorithm);
  const signer = createSigner({
    jwks: { keys: [jwk] },
    issuer: ISSUER,
    audience: AUDIENCE,
    expiresIn: '10m',
  });
  const token = await signer.sign(CLAIMS);
  const bytes = Buffer.from(token.slice(0, token.lastIndexOf('.')));
  const node = nodeSigner(algorithm, jwk, bytes);
  const jose = await joseSigner(algorithm, jwk);
  const paceOf = await race([
    alone('node:crypto', node),
    alone('node:crypto again', node),
    inTurn('Latchkey', () => signer.sign(CLAIMS)),
    inTurn('jose', jose),
    together('jose together', jose),
  ]);
  const [own, baseline, one, many] = ['Latchkey', 'node:crypto', 'jose', 'jose together'].map(paceOf);
  const ofJose = ratioOf(own, one);
  return {
    goal: `throughput, ${algorithm}`,
    figure: `>= ${LEAST} x of jose's, one token at a time`,
    measured: `${shown(own)} of the ${perSecond(baseline)} of node:crypto alone over the same ${bytes.length} bytes, ${overheadUs(own, baseline).toFixed(1)} us more per token (noise: node:crypto again is ${paceOf('node:crypto again').ratio.toFixed(2)} x); jose SignJWT ${shown(one)}, and ${AT_A_TIME} at a time, on all cores, ${shown(many)}; so ${ofJose.toFixed(2)} x of jose's; medians of ${ROUNDS} rounds in turn`,
    met: ofJose >= LEAST,
  };
}

function ratioOf(one: Pace | undefined, other: Pace | undefined): number {
  return (one?.ratio ?? Number.NaN) / (other?.ratio ?? Number.NaN);
}

function overheadUs(one: Pace | undefined, other: Pace | undefined): number {
  return 1e6 / (one?.perSecond ?? Number.NaN) - 1e6 / (other?.perSecond ?? Number.NaN);
}

function shown(pace: Pace | undefined): string {
  return `${pace?.ratio.toFixed(2)} x (${perSecond(pace)})`;
}

function perSecond(pace: Pace | undefined): string {
  return `${Math.round(pace?.perSecond ?? Number.NaN)}/s`;
}

/** The fastest form: a KeyObject, and ECDSA in DER, which is OpenSSL's own format. */
function nodeSigner(algorithm: Algorithm, jwk: JsonObject, bytes: Buffer): () => unknown {
  if (algorithm === 'HS256') {
    const key = createSecretKey(String(jwk.k), 'base64url');
    return () => createHmac('sha256', key).update(bytes).digest();
  }
  const key = createPrivateKey({ key: jwk, format: 'jwk' });
  const hash = algorithm === 'EdDSA' ? null : 'sha256';
  return () => sign(hash, bytes, key);
}

/** jose gets a CryptoKey, so that it need not convert another form. */
async function joseSigner(algorithm: Algorithm, jwk: JsonObject): Promise<() => Promise<string>> {
  const key =
    algorithm === 'HS256'
      ? await webcrypto.subtle.importKey(
          'raw',
          Buffer.from(String(jwk.k), 'base64url'),
          { name: 'HMAC', hash: 'SHA-256' },
          false,
          ['sign'],
        )
      : await importJWK(jwk, algorithm);
  const header = { alg: algorithm, kid: String(jwk.kid), typ: 'JWT' };
  return () =>
    new SignJWT(CLAIMS)
      .setProtectedHeader(header)
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setIssuedAt()
      .setExpirationTime('10m')
      .setJti(randomUUID())
      .sign(key);
}

function alone(name: string, work: () => unknown): Contestant {
  return {
    name,
    run(times) {
      for (let done = 0; done < times; done++) work();
    },
  };
}

function inTurn(name: string, work: () => Promise<unknown>): Contestant {
  return {
    name,
    async run(times) {
      for (let done = 0; done < times; done++) await work();
    },
  };
}

function together(name: string, work: () => Promise<unknown>): Contestant {
  return {
    name,
    async run(times) {
      let left = times;
      const worker = async () => {
        while (left-- > 0) await work();
      };
      await Promise.all(Array.from({ length: AT_A_TIME }, worker));
    },
  };
}
