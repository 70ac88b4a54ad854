// What `plan` says of a change of options is what the change does to tokens. It says "opens"
// exactly when a token is refused before and accepted after, and "closes" the other way round.
// Patterns are the exception: it does not know which texts they match. Of several changes at once,
// it judges each alone, so one may hide another; nothing opens or closes unsaid.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDescriptor } from '../../src/descriptor/document.ts';
import { planChange } from '../../src/tools/plan.ts';
import { type Asked, BASE, type Block, DEPENDENT, VALUES, withOption } from './plan-options.ts';
import { acceptedBy, TOKENS } from './plan-tokens.ts';
import { check, IS_LONG, timeFor } from './runs.ts';

const documentOf = (block: Block) => parseDescriptor(JSON.stringify({ service: { jwt: block } }), 'a.yaml');

/** What the plan says: `opens`, `closes`, both as `closes opens`, or nothing. */
function said(before: Block, after: Block): string {
  const effects = planChange(documentOf(before), documentOf(after)).map(({ effect }) => effect);
  return ['closes', 'opens'].filter((effect) => effects.includes(effect as 'opens')).join(' ');
}

/** What the change does, in the same words. Undefined: core refuses one of the blocks. */
async function done(before: Block, after: Block, routes?: readonly Asked[]): Promise<string | undefined> {
  const [was, is] = [await acceptedBy(before, routes), await acceptedBy(after, routes)];
  if (was === undefined || is === undefined) return undefined;
  const opens = is.some((accepted, index) => accepted && was[index] === false);
  const closes = was.some((accepted, index) => accepted && is[index] === false);
  return [...(closes ? ['closes'] : []), ...(opens ? ['opens'] : [])].join(' ');
}

const ALONE = [
  ...Object.entries(VALUES).map(([name, values]) => ({ name, base: BASE, values, routes: undefined })),
  ...DEPENDENT,
];

describe.each(ALONE.map((one) => [one.name, one] as const))('%s', (_, { name, base, values, routes }) => {
  it('changed alone, does what the plan says', { timeout: 60_000 }, async () => {
    const differences: string[] = [];
    const undecided: string[] = [];
    const effects = new Set<string>();
    for (const [before, after] of values.flatMap((one) => values.map((other) => [one, other] as const))) {
      const [old, current] = [withOption(base, name, before), withOption(base, name, after)];
      const [told, real] = [said(old, current), await done(old, current, routes)];
      effects.add(String(real));
      if (told === real) continue;
      const text = `${JSON.stringify(before)} → ${JSON.stringify(after)}`;
      if (text.includes('"pattern"')) undecided.push(told);
      else differences.push(`${text}: says ${told || 'nothing'}, does ${real || 'nothing'}`);
    }
    expect(differences).toEqual([]);
    // Of a pattern it says both, whatever the change does.
    expect(undecided.filter((told) => told !== 'closes opens')).toEqual([]);
    expect(undecided.length > 0).toBe(name === 'issuers' || name === 'claims');
    // The tokens tell the values apart.
    expect(effects.size).toBeGreaterThan(1);
  });
});

const NAMES = Object.keys(VALUES);

it('several changes open and close nothing that the plan does not say', {
  timeout: timeFor(30, 500),
}, async () => {
  const counts = { told: 0, quiet: 0, refused: 0 };
  const choice = fc
    .constantFrom(...NAMES)
    .chain((name) => fc.record({ name: fc.constant(name), value: fc.nat((VALUES[name] ?? []).length - 1) }));
  const cases = fc.record({
    base: fc.array(choice, { maxLength: 2 }),
    before: fc.array(choice, { minLength: 1, maxLength: 2 }),
    after: fc.array(choice, { minLength: 1, maxLength: 2 }),
  });
  const apply = (block: Block, changes: readonly { readonly name: string; readonly value: number }[]) =>
    changes.reduce((made, { name, value }) => withOption(made, name, VALUES[name]?.[value]), block);
  await check('plan of several changes', 30, cases, async ({ base, before, after }) => {
    const common = apply(BASE, base);
    const [old, current] = [apply(common, before), apply(common, after)];
    const real = await done(old, current);
    if (real === undefined) return void counts.refused++;
    const told = said(old, current);
    counts[real === '' ? 'quiet' : 'told']++;
    for (const effect of ['opens', 'closes'])
      if (real.includes(effect))
        expect(told, `what the plan says, where the change ${real}`).toContain(effect);
  });
  if (IS_LONG) console.log(`${TOKENS} tokens`, counts);
  expect(counts.told).toBeGreaterThan(10);
});
