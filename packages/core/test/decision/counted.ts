// Counts how often tokens are parsed and signatures are verified, and lets the token cache admit a
// token the first time (seen-twice.test.ts tests when it does otherwise). A test imports this file
// before src, so that src gets the mocks.
import { vi } from 'vitest';

const work = vi.hoisted(() => ({ parsed: 0, verified: 0 }));

export { work };

vi.mock('node:crypto', async (original) => {
  const real = await original<typeof import('node:crypto')>();
  const verify: typeof real.verify = Object.assign((...given: Parameters<typeof real.verify>) => {
    work.verified++;
    return real.verify(...given);
  }, real.verify) as never;
  // This ends the check of a MAC, and is used for nothing else.
  const timingSafeEqual: typeof real.timingSafeEqual = (one, two) => {
    work.verified++;
    return real.timingSafeEqual(one, two);
  };
  return { ...real, verify, timingSafeEqual };
});

vi.mock('../../src/token/parse.ts', async (original) => {
  const real = await original<typeof import('../../src/token/parse.ts')>();
  const parseToken: typeof real.parseToken = (...given) => {
    work.parsed++;
    return real.parseToken(...given);
  };
  return { ...real, parseToken };
});

vi.mock('../../src/decision/token-frequency.ts', () => {
  let uses = 2;
  return { createTokenFrequency: () => ({ generation: 0, note: () => uses++ }) };
});
