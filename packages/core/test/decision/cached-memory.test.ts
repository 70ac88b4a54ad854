// R13: how much memory the token cache takes, measured on the heap.
import './counted.ts';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { collectGarbage } from '../support/garbage.ts';
import { ask, build } from './kept.ts';
import { AUDIENCE, ISSUER, SOON, sign } from './mac-tokens.ts';

describe('R13: how much memory that is', () => {
  const BYTES = 4 * 1024 * 1024;
  /** What else grows on the heap meanwhile: compiled code, and data of the runtime. */
  const OTHER_BYTES = 128 * 1024;

  async function heapUsed(): Promise<number> {
    for (let turn = 0; turn < 3; turn++) {
      await nextTurn();
      collectGarbage();
    }
    return process.memoryUsage().heapUsed;
  }

  /** How much the heap grows when a cache of 4 MiB gets more tokens than it has room for. */
  async function growthOf(claims: string): Promise<number> {
    const authenticator = build({ cache: { bytes: BYTES } });
    const make = (index: number) =>
      sign(`{"iss":"${ISSUER}","aud":"${AUDIENCE}","exp":${SOON},"sub":"${index}",${claims}}`);
    const { length } = make(1_000);
    expect(length).toBeLessThan(4_096);
    const count = Math.ceil((1.1 * BYTES) / (600 + 4 * length));
    const tokens = Array.from({ length: count }, (_, index) => make(1_000 + index));
    await authenticator.ready();
    const before = await heapUsed();
    // New strings, as tokens from a socket are.
    for (const token of tokens) await authenticator.verify(Buffer.from(token).toString('latin1'));
    const grown = (await heapUsed()) - before;
    expect(await ask(authenticator, tokens.at(-1) ?? '')).toBe('kept');
    return grown;
  }

  it.each([
    ['of an access token', 1, '"scope":"openid profile email","roles":["a","b"],"azp":"web"'],
    ['of one long text', 1, `"text":"${'x'.repeat(2_500)}"`],
    ['of many groups', 1, `"groups":[${Array.from({ length: 100 }, (_, index) => `"group-${index}"`)}]`],
    ['of many whole numbers', 1, `"list":[${'11,'.repeat(800)}1]`],
    // The size is an estimate.
    ['of many other numbers', 1.6, `"list":[${'1.5,'.repeat(600)}1]`],
    // An empty object or list takes 40 to 70 bytes and is 3 characters of a token. Issuers do not
    // write many of them, but users may fill a claim with them.
    ['of many empty objects', 2, `"list":[${'{},'.repeat(900)}{}]`],
    ['of many empty lists', 2, `"list":[${'[],'.repeat(900)}[]]`],
  ])('R13: claims %s: no more than %d times what the option says', async (_, times, claims) => {
    expect(await growthOf(claims)).toBeLessThan(times * BYTES + OTHER_BYTES);
  });
});
