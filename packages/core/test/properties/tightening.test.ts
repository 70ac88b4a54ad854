// Options or rules that ask for more turn no refusal into an acceptance.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Rule } from '../../src/index.ts';
import { outcome } from '../support/outcome.ts';
import { check, IS_LONG, timeFor } from './runs.ts';
import { tokenOf } from './tokens.ts';
import {
  type Ruled,
  rule,
  ruledPlans,
  type WorldOptions,
  withAuthenticator,
  worldOptions,
  written,
} from './worlds.ts';

/** A way to ask for more. Undefined: the options cannot ask for more in this way. */
type Tightening = (options: WorldOptions, more: Rule) => WorldOptions | undefined;

const without = <T>(list: readonly T[]): readonly T[] | undefined =>
  list.length > 1 ? list.slice(1) : undefined;

/** Changes the list of the first rule of a form. */
function withList(
  options: WorldOptions,
  form: 'anyOf' | 'allOf' | 'noneOf',
  change: (items: readonly unknown[]) => readonly unknown[] | undefined,
): WorldOptions | undefined {
  for (const [claim, written] of Object.entries(options.claims)) {
    const items: unknown = Object(written)[form];
    const changed = Array.isArray(items) ? change(items) : undefined;
    if (changed !== undefined)
      return { ...options, claims: { ...options.claims, [claim]: { [form]: changed } } as Ruled };
  }
  return undefined;
}

const TIGHTENINGS: Readonly<Record<string, Tightening>> = {
  'a rule more': (options, more) =>
    options.claims.dept === undefined ? { ...options, claims: { ...options.claims, dept: more } } : undefined,
  'a rule of a keyset more': (options, more) =>
    options.keysetClaims.roles === undefined
      ? { ...options, keysetClaims: { ...options.keysetClaims, roles: more } }
      : undefined,
  'a scope more': (options) =>
    options.claims.scope === undefined
      ? { ...options, claims: { ...options.claims, scope: 'read' } }
      : withList(options, 'allOf', (items) => [...items, 'write']),
  'a value less in anyOf': (options) => withList(options, 'anyOf', without),
  'a value more in allOf': (options) => withList(options, 'allOf', (items) => [...items, 'admin']),
  'a value more in noneOf, of a type that is there': (options) =>
    withList(options, 'noneOf', (items) =>
      items.some((item) => typeof item === 'string') ? [...items, 'admin', 'write'] : undefined,
    ),
  'a rule that is no longer optional': (options) => {
    const found = Object.entries(options.claims).find(([, one]) => Object.hasOwn(Object(one), 'optional'));
    if (found === undefined) return undefined;
    const [claim, { optional }] = found as [string, { readonly optional: Rule }];
    return { ...options, claims: { ...options.claims, [claim]: optional } };
  },
  'a rule that is enforced': (options) => {
    const found = Object.entries(options.claims).find(([, one]) => Object.hasOwn(Object(one), 'enforce'));
    if (found === undefined) return undefined;
    const [claim, { rule: enforced }] = found as [string, { readonly rule: Rule }];
    return { ...options, claims: { ...options.claims, [claim]: enforced } };
  },
  'fewer issuers': (options) => {
    const issuers = without(options.issuers);
    return issuers && { ...options, issuers };
  },
  'an audience less': (options) => {
    const audience = options.audMatch === 'all' ? undefined : without(options.audience);
    return audience && { ...options, audience };
  },
  'an audience more, where all are needed': (options) =>
    options.audMatch === 'all' ? { ...options, audience: [...options.audience, 'third'] } : undefined,
  'all audiences': (options) => (options.audMatch === 'any' ? { ...options, audMatch: 'all' } : undefined),
  'only these audiences': (options) =>
    options.audMatch === 'any' ? { ...options, audMatch: 'only' } : undefined,
  'less skew': (options) =>
    options.clockSkew > 0 ? { ...options, clockSkew: options.clockSkew - 5 } : undefined,
  'a shorter maxTokenAge': ({ allowFutureIat, maxTokenAge, ...options }) =>
    allowFutureIat ? undefined : { ...options, allowFutureIat, maxTokenAge: (maxTokenAge ?? 80) / 2 },
  'a shorter maxLifetime': ({ allowFutureIat, requireExp, maxLifetime, ...options }) =>
    allowFutureIat || !requireExp
      ? undefined
      : { ...options, allowFutureIat, requireExp, maxLifetime: (maxLifetime ?? 1_000) / 2 },
  'exp is required': (options) => (options.requireExp ? undefined : { ...options, requireExp: true }),
  'iat counts as nbf': (options) =>
    options.allowFutureIat ? undefined : { ...options, treatIatAsNbf: true },
  'no iat in the future': (options) =>
    options.allowFutureIat ? { ...options, allowFutureIat: false } : undefined,
  'no numeric sub': (options) => (options.numericSub ? { ...options, numericSub: false } : undefined),
  'no bound tokens': (options) =>
    options.unsafeAcceptSenderConstrained ? { ...options, unsafeAcceptSenderConstrained: false } : undefined,
  'fewer types': (options) => {
    const typ = options.typ === null ? ['jwt'] : without(options.typ);
    return typ && { ...options, typ };
  },
  'tokens without a kid are tried less': (options) =>
    options.kidless === 'refuse'
      ? undefined
      : { ...options, kidless: options.kidless === 'try-all' ? 'first' : 'refuse' },
};

it('what asks for more turns no refusal into an acceptance', { timeout: timeFor(150, 200) }, async () => {
  const closed = new Map<string, number>();
  let accepted = 0;
  const cases = fc.record({
    options: worldOptions,
    how: fc.constantFrom(...Object.keys(TIGHTENINGS)),
    more: rule,
    plans: fc.array(ruledPlans(['none', 'claim', 'time', 'header']), { minLength: 4, maxLength: 6 }),
  });
  await check('tightening', 150, cases, async ({ options, how, more, plans }) => {
    const tightened = TIGHTENINGS[how]?.(options, more);
    if (tightened === undefined) return;
    await withAuthenticator(written(options), async (loose) => {
      await withAuthenticator(written(tightened), async (tight) => {
        for (const token of plans.map(tokenOf)) {
          const [was, is] = [await outcome(loose.verify(token)), await outcome(tight.verify(token))];
          if (is === 'accepted') {
            accepted++;
            expect(was, how).toBe('accepted');
          } else if (was === 'accepted') closed.set(how, (closed.get(how) ?? 0) + 1);
        }
      });
    });
  });
  if (IS_LONG) console.table(Object.fromEntries(closed));
  expect(accepted).toBeGreaterThan(20);
  expect(closed.size).toBeGreaterThan(3);
});
