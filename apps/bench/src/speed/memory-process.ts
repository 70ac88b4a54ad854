// The process whose heap is measured: it verifies many new tokens, valid and invalid, and reports
// the growth of its heap. The goal is in memory.ts.
import { createHmac, randomBytes } from 'node:crypto';
import { createAuthenticator, createMemoryStore, isAuthError } from '@latchkey/core';
import { AUDIENCE, ISSUER } from './terms.ts';

/** The report of the process. MiB, after garbage collection. */
export interface Grown {
  readonly baseline: number;
  readonly afterValid: number;
  readonly afterInvalid: number;
  readonly rss: number;
}

const count = Number(process.argv[2]);
const secret = randomBytes(32);
const jwk = { kty: 'oct', kid: 'key', alg: 'HS256', use: 'sig', k: secret.toString('base64url') };
const authenticator = createAuthenticator({
  keySets: [{ issuer: ISSUER, secret: { name: 'login' } }],
  secrets: createMemoryStore({ login: { 'jwks.json': JSON.stringify({ keys: [jwk] }) } }),
  audience: AUDIENCE,
});
const now = Math.floor(Date.now() / 1000);
const good = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', iat: now, exp: now + 86_400, roles: ['role_a'] };
const header = { alg: 'HS256', typ: 'JWT', kid: 'key' };

/**
 * Kinds of invalid tokens. Each differs in a part that the service might keep; no two tokens are
 * equal.
 */
const BAD: readonly ((id: string) => string)[] = [
  (id) => token(header, { ...good, jti: id }, randomBytes(32)),
  (id) => token(header, { ...good, jti: id, exp: now - 3_600 }),
  (id) => token({ ...header, kid: id }, good),
  (id) => token(header, { ...good, iss: `https://${id}.example.com/` }),
  (id) => token(header, { ...good, aud: id }),
  (id) => token({ ...header, alg: id }, good),
  (id) =>
    token({ ...header, jku: `https://${id}.example.com/jwks.json` }, { ...good, sub: id }, randomBytes(32)),
  (id) => `${token(header, { ...good, jti: id })}.${id}`,
  (id) => id.repeat(20),
];

await meet(100, 0);
await meetBad(100, 0);
const baseline = await heap();
await meet(count, 1_000);
const afterValid = await heap();
await meetBad(count, 1_000);
const afterInvalid = await heap();
const rss = process.memoryUsage.rss() / 1024 / 1024;
await authenticator.close();
process.send?.({ baseline, afterValid, afterInvalid, rss } satisfies Grown);
process.disconnect?.();

async function meet(times: number, from: number): Promise<void> {
  for (let number = from; number < from + times; number++) {
    const one = token(header, { ...good, jti: `valid-${number}` });
    // The cache keeps a token from its second verification on.
    await authenticator.verify(one);
    await authenticator.verify(one);
  }
}

async function meetBad(times: number, from: number): Promise<void> {
  for (let number = from; number < from + times; number++) {
    const bad = BAD[number % BAD.length]?.(`invalid-${number}`) ?? '';
    const accepted = await authenticator.verify(bad).then(
      () => true,
      (error: unknown) => {
        if (!isAuthError(error)) throw error;
        return false;
      },
    );
    if (accepted) throw new Error(`accepted: ${bad}`);
  }
}

function token(head: object, claims: object, key: Buffer = secret): string {
  const input = `${encode(head)}.${encode(claims)}`;
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

/** Collects garbage twice, with a pause for objects that are released late. */
async function heap(): Promise<number> {
  for (let round = 0; round < 2; round++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 1024 / 1024;
}
