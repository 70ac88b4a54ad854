// The part `rules`: the cost of the rules of a route for an existing principal. No token is
// verified.
import {
  allOf,
  anyOf,
  authorize,
  exactly,
  noneOf,
  optional,
  pattern,
  present,
  type Rules,
} from '@latchkey/core';
import { compileRules } from '@latchkey/core/adapter';
import type { Progress } from '@latchkey/test-kit/progress';
import type { Deck } from './deck.ts';
import type { SpeedOptions } from './options.ts';
import type { Outcome } from './outcome.ts';
import { race } from './rounds.ts';
import { type Algorithm, SCOPE } from './terms.ts';
import { authenticatorOf } from './verifiers.ts';

const GOAL_US = 1;

const CLAIMS = {
  roles: ['admin', 'dev', 'ops'],
  groups: ['finance', 'staff'],
  bldg: 4,
  tier: 'gold',
  email: 'alice@example.com',
  email_verified: true,
  tenant: 'acme',
  department: 'billing',
  client_id: 'web-frontend',
};
const TEN = {
  scope: SCOPE,
  roles: allOf('admin', 'dev'),
  groups: exactly('finance', 'staff'),
  bldg: optional(4),
  tier: anyOf('gold', 'silver'),
  email: 'alice@example.com',
  email_verified: true,
  tenant: 'acme',
  department: present(),
  client_id: noneOf('legacy-frontend'),
};
const RULES: Readonly<Record<string, Rules>> = {
  'ten claims': TEN,
  'ten claims, one of them a pattern': { ...TEN, email: pattern('[^@]+@example\\.com') },
};
/** One operation is shorter than the clock can measure. */
const AT_A_TIME = 100;

/** Measures `authorize`. */
export async function judging(
  options: SpeedOptions,
  progress: Progress,
  deckOf: (algorithm: Algorithm) => Deck,
): Promise<Outcome> {
  progress.phase('rules');
  const deck = deckOf('ES256');
  const authenticator = await authenticatorOf(deck);
  const [token = ''] = await deck.mint(1, CLAIMS);
  const principal = await authenticator.verify(token);
  const paces = await race(
    Object.entries(RULES).map(([name, rules]) => {
      const compiled = compileRules(rules);
      return {
        name,
        prepare: (times) => () => {
          for (let done = 0; done < times * AT_A_TIME; done++) authorize(principal, compiled);
        },
      };
    }),
    options,
  );
  await authenticator.close();
  return {
    findings: Object.keys(RULES).map((name) => {
      const us = paces.of(name).us / AT_A_TIME;
      return {
        goal: `route rules on a cached principal: ${name}`,
        figure: `<= ${GOAL_US} us`,
        measured: `${us.toFixed(3)} us: ${Object.keys(TEN).join(', ')}; median of ${options.rounds} rounds of ${options.sliceMs} ms`,
        met: us <= GOAL_US,
      };
    }),
    measurements: [],
  };
}
