// Changes that must not change a decision: members that core does not know, the order of keys,
// fewer keys, the cache, a trace, and where the options are written.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { loadText } from '../../src/descriptor/load.ts';
import type { Authenticator, AuthenticatorOptions, JsonObject } from '../../src/index.ts';
import { outcome } from '../support/outcome.ts';
import { NOW_S } from './configs.ts';
import { ISSUERS } from './keys.ts';
import type { Member, Mutation } from './mutations.ts';
import type { TokenPlan } from './plans.ts';
import { check, IS_LONG, timeFor } from './runs.ts';
import { tokenOf } from './tokens.ts';
import {
  KEYS_OF_A,
  KEYSET_OF_B,
  type Ruled,
  ruledPlans,
  rules,
  withAuthenticator,
  worldOptions,
  written,
} from './worlds.ts';

/** The outcomes of a property, so that it cannot pass without both. */
function seen() {
  const counts = { accepted: 0, refused: 0 };
  return {
    note: (code: string) => void counts[code === 'accepted' ? 'accepted' : 'refused']++,
    expectBoth: () => {
      if (IS_LONG) console.log(`${counts.accepted} accepted, ${counts.refused} refused`);
      expect(counts.accepted).toBeGreaterThan(3);
      expect(counts.refused).toBeGreaterThan(3);
    },
  };
}

/** Mutations that are at the same place, whatever other members the token has. */
const FIXED: readonly Mutation['kind'][] = [
  'none',
  'header',
  'claim',
  'signature',
  'key',
  'algorithm',
  'time',
];

const UNKNOWN = ['x', 'Exp', 'exp ', 'alg', 'kid', 'jwk', 'toString', 'constructor', 'hasOwnProperty'];

it('an unknown claim or header parameter changes no decision', { timeout: timeFor(120) }, async () => {
  const both = seen();
  const value = fc.jsonValue({ maxDepth: 2 }).map((one) => JSON.stringify(one));
  const more = (names: readonly string[]): fc.Arbitrary<Member> =>
    fc.tuple(fc.constantFrom(...names), value).map(([name, json]) => [name, json] as const);
  const unknown = fc.record({
    plan: ruledPlans(FIXED),
    asked: rules,
    claim: more(UNKNOWN),
    parameter: more(['x', 'ALG', 'x5u', 'x5c', 'jwk', 'p2c', 'exp', 'toString', 'hasOwnProperty']),
  });
  const options = {
    audience: 'api',
    keySets: [{ issuer: ISSUERS.a, jwks: { keys: KEYS_OF_A } }, KEYSET_OF_B],
  };
  await withAuthenticator(options, (authenticator) =>
    check('unknown member', 120, unknown, async ({ plan, asked, claim, parameter }) => {
      const ask = (one: TokenPlan) => outcome(authenticator.verify(tokenOf(one), asked));
      const add = (list: readonly Member[], member: Member) => [
        ...list.filter(([name]) => name !== member[0]),
        member,
      ];
      // A member that the plan has already is not a new one.
      const isNew = (list: readonly Member[], [name]: Member, { mutation }: TokenPlan) =>
        list.every(([other]) => other !== name) && !('name' in mutation && mutation.name === name);
      const first = await ask(plan);
      both.note(first);
      if (isNew(plan.claims, claim, plan))
        expect(await ask({ ...plan, claims: add(plan.claims, claim) }), 'a claim').toBe(first);
      if (isNew(plan.header, parameter, plan))
        expect(await ask({ ...plan, header: add(plan.header, parameter) }), 'a parameter').toBe(first);
    }),
  );
  both.expectBoth();
});

const keySetsOf = (keys: readonly JsonObject[], kidless: 'first' | 'try-all' | 'refuse') => ({
  audience: 'api',
  keySets: [{ issuer: ISSUERS.a, jwks: { keys }, kidless }, KEYSET_OF_B],
});

/** True if the order of the keys decides nothing: the documented meaning of `kidless: first`. */
function isNamed(token: string, kidless: string): boolean {
  if (kidless !== 'first') return true;
  try {
    return Object.hasOwn(JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()), 'kid');
  } catch {
    return true;
  }
}

const keyCases = (keys: fc.Arbitrary<readonly JsonObject[]>) =>
  fc.record({
    keys: keys.map((list) => list.map((key) => KEYS_OF_A.indexOf(key))),
    kidless: fc.constantFrom('first', 'try-all', 'refuse'),
    plans: fc.array(ruledPlans(), { minLength: 3, maxLength: 6 }),
  });
const keysAt = (indexes: readonly number[]) => indexes.map((index) => KEYS_OF_A[index] as JsonObject);

it('another order of the keys of a set changes no decision', { timeout: timeFor(40, 200) }, async () => {
  const both = seen();
  const shuffled = fc.shuffledSubarray([...KEYS_OF_A], { minLength: KEYS_OF_A.length });
  await check('order of keys', 40, keyCases(shuffled), ({ keys, kidless, plans }) =>
    withAuthenticator(keySetsOf(KEYS_OF_A, kidless), (before) =>
      withAuthenticator(keySetsOf(keysAt(keys), kidless), async (after) => {
        for (const token of plans.map(tokenOf)) {
          const [was, is] = [await outcome(before.verify(token)), await outcome(after.verify(token))];
          both.note(was);
          if (isNamed(token, kidless)) expect(is).toBe(was);
        }
      }),
    ),
  );
  both.expectBoth();
});

it('fewer keys turn no refusal into an acceptance', { timeout: timeFor(40, 200) }, async () => {
  const both = seen();
  let closed = 0;
  const fewer = fc.subarray([...KEYS_OF_A], { minLength: 1, maxLength: KEYS_OF_A.length - 1 });
  await check('fewer keys', 40, keyCases(fewer), ({ keys, kidless, plans }) =>
    withAuthenticator(keySetsOf(KEYS_OF_A, kidless), (before) =>
      withAuthenticator(keySetsOf(keysAt(keys), kidless), async (after) => {
        for (const token of plans.map(tokenOf)) {
          const [was, is] = [await outcome(before.verify(token)), await outcome(after.verify(token))];
          both.note(was);
          if (was === 'accepted' && is !== 'accepted') closed++;
          if (isNamed(token, kidless) && is === 'accepted') expect(was).toBe('accepted');
        }
      }),
    ),
  );
  both.expectBoth();
  expect(closed).toBeGreaterThan(3);
});

it('without a kid, kidless: first means the first key that fits, in the order of the set', async () => {
  // Why the two properties above leave such tokens out.
  const plan: TokenPlan = {
    ...{ config: 0, signer: 'twin', typ: 0, hasKid: false, header: [], mutation: { kind: 'none' } },
    claims: [
      ['aud', '"api"'],
      ['exp', `${NOW_S + 60}`],
    ],
  };
  const [es256, , twin] = KEYS_OF_A as readonly [JsonObject, JsonObject, JsonObject];
  const ask = (...keys: readonly JsonObject[]) =>
    withAuthenticator(keySetsOf(keys, 'first'), (one) => outcome(one.verify(tokenOf(plan))));
  expect([await ask(es256, twin), await ask(twin, es256), await ask(twin)]).toEqual([
    'token_signature_invalid',
    'accepted',
    'accepted',
  ]);
});

/** What a caller learns: the code, or the principal. */
async function judged(authenticator: Authenticator, token: string, asked: Ruled): Promise<unknown> {
  try {
    return await authenticator.verify(token, asked);
  } catch (error) {
    return (error as { readonly code: string }).code;
  }
}

it('cache, trace and descriptor change no decision', { timeout: timeFor(30, 500) }, async () => {
  const both = seen();
  const cases = fc.record({
    options: worldOptions,
    asked: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: rules }),
    plans: fc.array(ruledPlans(['none', 'claim', 'time', 'spelling']), { minLength: 3, maxLength: 5 }),
  });
  await check('cache, trace, descriptor', 30, cases, ({ options, asked, plans }) => {
    const inCode = written(options);
    const clock = { now: () => NOW_S * 1000 };
    const text = JSON.stringify({ name: 'test', service: { jwt: inCode } });
    const { clock: _clock, ...inFile } = loadText(text, { descriptor: 'service.yaml', clock }).loaded.options;
    return withAuthenticator(inCode, (cached) =>
      withAuthenticator({ ...inCode, cache: false }, (uncached) =>
        withAuthenticator(inFile as Omit<AuthenticatorOptions, 'clock'>, async (described) => {
          for (const token of plans.map(tokenOf)) {
            const first = await judged(cached, token, asked);
            const isRefused = typeof first === 'string';
            both.note(isRefused ? first : 'accepted');
            // A token that has verified twice is in the cache.
            for (let round = 0; round < 3; round++)
              expect(await judged(cached, token, asked), 'cached').toEqual(first);
            for (const other of [uncached, described])
              expect(await judged(other, token, asked), 'uncached, or described').toEqual(first);
            for (const one of [cached, described]) {
              const { allowed, code } = await one.explain(token, asked);
              expect({ allowed, code }, 'traced').toEqual({
                allowed: !isRefused,
                code: isRefused ? first : undefined,
              });
            }
          }
        }),
      ),
    );
  });
  both.expectBoth();
});
