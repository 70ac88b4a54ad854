// `pnpm guard`: checks that the hot path has not become slower. It uses ratios within one run,
// which other load on the machine does not change, and instructions if the processor can count
// them. It is a part of `pnpm check`; `pnpm bench speed` checks the goals.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Figure } from '@latchkey/test-kit/figures';
import { freshCopies, inTurn, race } from '../speed/rounds.ts';
import { countInstructions } from './instructions.ts';
import { createScene } from './scene.ts';

/**
 * The least ratios: half of the values measured when this was written, so that a regression fails
 * but other load on the machine does not.
 */
const LEAST = { cached: 2.5, fresh: 0.12, malformed: 0.4 } as const;

/** Runs the guard, which takes seconds. */
export async function guard(): Promise<readonly Figure[]> {
  const { key, tokens, cached, fresh } = await createScene();
  const bytes = tokens.map((token) => {
    const end = token.lastIndexOf('.');
    return {
      input: Buffer.from(token.slice(0, end)),
      signature: Buffer.from(token.slice(end + 1), 'base64url'),
    };
  });
  let next = 0;
  const paces = await race(
    [
      inTurn('node:crypto', freshCopies(tokens), async () => {
        const one = bytes[next++ % bytes.length];
        if (one === undefined) return;
        timingSafeEqual(createHmac('sha256', key).update(one.input).digest(), one.signature);
      }),
      inTurn('cached', freshCopies(tokens), (token) => cached.verify(token)),
      inTurn('fresh', freshCopies(tokens), (token) => fresh.verify(token)),
      inTurn('malformed', freshCopies(['abc.def']), (token) => fresh.verify(token).catch(() => {})),
    ],
    { rounds: 15, sliceMs: 25 },
  );
  const figure = (id: keyof typeof LEAST, what: string): Figure => {
    const ratio = paces.ratio(id, 'node:crypto');
    return {
      id: `guard ${id}`,
      goal: `${what}, compared with node:crypto's own HMAC-SHA256 of the same token`,
      figure: `>= ${LEAST[id]} x`,
      measured: `${ratio.toFixed(2)} x (${paces.of(id).us.toFixed(2)} us)`,
      met: ratio >= LEAST[id],
    };
  };
  return [
    figure('cached', 'a token seen before'),
    figure('fresh', 'a new HS256 token'),
    figure('malformed', 'a malformed token'),
    await countInstructions(),
  ];
}
