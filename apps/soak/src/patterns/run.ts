// `pnpm soak patterns [--minutes=1]`: R16. Random patterns as rules, on claims of 1,024 characters
// that are made to take long: a pattern is refused when it is read, or decides within 10 ms of CPU.
import { authorize, ConfigError, createAuthenticator, type Principal, pattern } from '@latchkey/core';
import { compileRules } from '@latchkey/core/adapter';
import { duration, type Figure } from '@latchkey/test-kit/figures';
import { startProgress } from '@latchkey/test-kit/progress';
import { picker } from '@latchkey/test-kit/random';
import { generateSigningKey, mint } from '@latchkey/testing';
import { minutesOf } from '../minutes.ts';
import { writtenPattern, writtenTexts } from './written.ts';

const MOST_MS = 10;

/** Runs R16. */
export async function patterns(given: readonly string[]): Promise<readonly Figure[]> {
  const minutes = minutesOf(given, 1);
  const progress = startProgress();
  const pick = picker(16);
  const principals = await Promise.all(writtenTexts(pick).map(principalWith));
  progress.phase('R16');
  const endsAt = performance.now() + minutes * 60_000;
  let refused = 0;
  let accepted = 0;
  let slow = 0;
  let worst = { ms: 0, written: '' };
  while (performance.now() < endsAt) {
    const written = writtenPattern(pick);
    const compiled = compiledFrom(written);
    if (compiled === undefined) {
      refused++;
      continue;
    }
    accepted++;
    const ms = Math.max(...principals.map((principal) => cpuOf(() => judge(principal, compiled))));
    if (ms > MOST_MS) slow++;
    if (ms > worst.ms) worst = { ms, written };
    // Lines of progress are printed between two patterns.
    if (accepted % 100 === 0) await new Promise(setImmediate);
  }
  progress.stop();
  return [
    {
      id: 'R16',
      goal: 'patterns',
      figure: `any accepted pattern on 1,024 characters <= ${MOST_MS} ms of CPU, or refused when it is read`,
      measured: `${accepted} patterns on ${principals.length} texts each, ${slow} over ${MOST_MS} ms, the slowest ${duration(worst.ms)} (${worst.written}); ${refused} were refused when they were read`,
      met: accepted > 0 && refused > 0 && slow === 0,
    },
  ];
}

function compiledFrom(written: string) {
  try {
    return compileRules({ text: pattern(written) });
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

function judge(principal: Principal, compiled: ReturnType<typeof compileRules>): void {
  try {
    authorize(principal, compiled);
  } catch {
    // The text does not match.
  }
}

/** The CPU time of this thread for a call, in ms. */
function cpuOf(call: () => void): number {
  const before = process.threadCpuUsage();
  call();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

/** A principal with this text as a claim. */
async function principalWith(text: string): Promise<Principal> {
  const key = await generateSigningKey();
  const authenticator = createAuthenticator({
    keySets: [{ issuer: 'https://issuer.example', jwks: { keys: [key.publicJwk] } }],
    audience: null,
  });
  const exp = Math.floor(Date.now() / 1000) + 300;
  const principal = await authenticator.verify(await mint(key, { iss: 'https://issuer.example', exp, text }));
  await authenticator.close();
  return principal;
}
