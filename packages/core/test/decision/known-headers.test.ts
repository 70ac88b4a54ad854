// JOSE headers that are kept because a trusted key signed them: which are read again, and how many
// are kept.
import { createHmac, randomBytes } from 'node:crypto';
import { forge } from '@latchkey/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Authenticator, createAuthenticator, createMemoryStore } from '../../src/index.ts';
import { outcome } from '../support/outcome.ts';

const work = vi.hoisted(() => ({ read: 0 }));

vi.mock('../../src/values/json.ts', async (original) => {
  const real = await original<typeof import('../../src/values/json.ts')>();
  const parseJsonObject: typeof real.parseJsonObject = (...given) => {
    work.read++;
    return real.parseJsonObject(...given);
  };
  return { ...real, parseJsonObject };
});

const ISSUER = 'https://issuer.example';
const SECRET = randomBytes(64);

function sign(header: object, secret = SECRET): string {
  return forge({
    header: { kid: 'one', alg: 'HS256', ...header },
    payload: { iss: ISSUER, exp: Math.floor(Date.now() / 1000) + 300 },
    signature: (input) => createHmac('sha256', secret).update(input).digest(),
  });
}

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** Keeps no tokens, so that each is read again. */
function build(): Authenticator {
  const jwk = { kty: 'oct', kid: 'one', alg: 'HS256', k: SECRET.toString('base64url') };
  const authenticator = createAuthenticator({
    keySets: [{ issuer: ISSUER, secret: { name: 'keys' } }],
    secrets: createMemoryStore({ keys: { 'jwks.json': JSON.stringify({ keys: [jwk] }) } }),
    audience: null,
    cache: false,
  });
  closers.push(authenticator.close);
  return authenticator;
}

/** For each token, whether its header was read. The payload always is. */
async function headersRead(authenticator: Authenticator, tokens: readonly string[]): Promise<boolean[]> {
  const read: boolean[] = [];
  for (const token of tokens) {
    work.read = 0;
    await authenticator.verify(token).catch(() => {});
    read.push(work.read === 2);
  }
  return read;
}

describe('a JOSE header', () => {
  it('is read once, if a trusted key signed it', async () => {
    const authenticator = build();
    await authenticator.ready();
    const token = sign({});
    expect(await headersRead(authenticator, Array(3).fill(token))).toEqual([true, false, false]);
    // A header that is known decides as it did before.
    expect(await outcome(authenticator.verify(token))).toBe('accepted');
  });

  it('is read each time, if its token was only explained', async () => {
    const authenticator = build();
    await authenticator.ready();
    const forged = sign({}, randomBytes(64));
    expect((await authenticator.explain(forged)).allowed).toBe(false);
    expect(await headersRead(authenticator, [forged, forged])).toEqual([true, true]);
  });

  it('is read each time, if no trusted key signed it', async () => {
    const authenticator = build();
    await authenticator.ready();
    const forged = sign({}, randomBytes(64));
    expect(await headersRead(authenticator, Array(3).fill(forged))).toEqual([true, true, true]);
  });

  it.each([
    [512, false],
    [513, true],
  ])('of %i characters is read again: %s', async (length, isReadAgain) => {
    const authenticator = build();
    await authenticator.ready();
    const lengthOf = (token: string) => token.indexOf('.');
    // Three bytes are four characters; 513 is one that a header can have if the bytes before it are
    // 384.
    const most = Math.floor((length * 3) / 4);
    const empty = Buffer.byteLength(JSON.stringify({ kid: 'one', alg: 'HS256', x: '' }));
    const token = sign({ x: 'x'.repeat(most - empty + (length === 513 ? 1 : 0)) });
    expect(lengthOf(token)).toBeGreaterThanOrEqual(length);
    expect(await headersRead(authenticator, [token, token])).toEqual([true, isReadAgain]);
  });

  it('T-148: no more than 256 are kept, whatever is signed', async () => {
    const authenticator = build();
    await authenticator.ready();
    const tokens = Array.from({ length: 300 }, (_, index) => sign({ index }));
    await headersRead(authenticator, tokens);
    const read = await headersRead(authenticator, tokens);
    expect(read.filter((isRead) => !isRead)).toHaveLength(256);
    expect(read.slice(0, 256)).not.toContain(true);
  });
});
