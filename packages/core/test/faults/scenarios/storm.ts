// A service that uses everything at once, while keys, groups and revocations change and it may be
// closed: what happens, and in which order, is decided by a seed.

import { seeded } from '@latchkey/test-kit/random';
import type { Principal, StoredRevocation } from '../../../src/index.ts';
import { type Scenario, START, type World } from '../world.ts';
import { feedOf, LOOK_UP, MALLORY, REVOKED } from './decisions.ts';
import {
  askBad,
  asking,
  authenticatorOf,
  bytesOf,
  DAY,
  explaining,
  GOOD,
  GOOD_B,
  HOUR,
  ISSUER,
  keys,
  OTHER_ISSUER,
  setOf,
  token,
} from './fixtures.ts';
import { issuerOf, SECRET_KEYSET, secretOf } from './keysets.ts';

const ACTIONS = 14;
const OTHER = await token(keys.b, { iss: OTHER_ISSUER });

/** What happens to the service in a run with this seed. */
export function storm(seed: number): Scenario {
  return {
    name: `a storm, seed ${seed}`,
    open(world) {
      const random = seeded(seed);
      const secret = secretOf(world, bytesOf(keys.a, keys.b), true);
      const groups = new Map([['alice', ['readers']]]);
      const store: StoredRevocation[] = [];
      issuerOf(world, 'other issuer', OTHER_ISSUER, () => setOf(keys.b));
      const authenticator = authenticatorOf(world, {
        keySets: [SECRET_KEYSET, { issuer: OTHER_ISSUER, useOidcDiscovery: true }],
        secrets: secret.store,
        groups: {
          cacheFor: '1s',
          directory: {
            description: 'a directory',
            resolve: ({ subject }) => world.take(LOOK_UP, async () => groups.get(subject) ?? []),
          },
        },
        revocation: {},
        revocationFeed: feedOf(world, store),
      });
      const asReader = (presented: string) => () => authenticator.verify(presented, { groups: ['readers'] });
      let hasB = true;
      let isRevoked = false;
      let asked = 0;
      const ask = (
        expected: Parameters<World['ask']>[1],
        call: () => Promise<Principal | undefined | boolean>,
      ) =>
        // The list, the keys of the issuer and the groups.
        world.ask(`request ${asked++}`, expected, call, 5_000 + 10_000 + 2_000);

      const actions: readonly (() => unknown)[] = [
        () => ask('good', asReader(GOOD)),
        () => ask('good', asking(authenticator, OTHER)),
        () => ask('good', explaining(authenticator, GOOD)),
        () => ask(['claims_insufficient'], asReader(MALLORY)),
        // One that is decided on while the token is revoked may be refused.
        () =>
          ask(isRevoked ? ['token_revoked'] : ['accepted', 'token_revoked'], asking(authenticator, REVOKED)),
        // The change may not have been read yet.
        () => ask(['accepted', 'token_key_unknown'], asking(authenticator, GOOD_B)),
        () => askBad(world, authenticator, 17_000),
        () => {
          hasB = !hasB;
          secret.value = hasB ? bytesOf(keys.a, keys.b) : bytesOf(keys.a);
          secret.changed();
        },
        () => {
          isRevoked = true;
          world.ask(
            'revoke',
            'ends',
            () => authenticator.revoke({ issuer: ISSUER, jti: 'revoked', until: START + DAY }),
            10_000,
          );
        },
        () => world.pass(Math.floor(random() * 3_000)),
        () => world.pass(60_000),
        () => world.settle(),
        () => world.ask('ready', 'ends', () => authenticator.ready(), 30_000),
        () => world.ask('start', 'ends', () => authenticator.start(500), 1_000),
      ];
      return {
        async run() {
          world.arm();
          const closesAt = random() < 0.2 ? Math.floor(random() * ACTIONS) : ACTIONS;
          for (let count = 0; count < ACTIONS; count++) {
            if (count === closesAt) world.close();
            await actions[Math.floor(random() * actions.length)]?.();
          }
          await world.settle();
        },
        async after() {
          await world.pass(HOUR);
          // The first one finds out that the directory is well again, and the others wait for it.
          ask('sure', asReader(GOOD));
          await world.settle();
          ask('sure', asReader(GOOD));
          ask('sure', asking(authenticator, OTHER));
          ask({ exactly: 'claims_insufficient' }, asReader(MALLORY));
          ask(hasB ? 'sure' : { exactly: 'token_key_unknown' }, asking(authenticator, GOOD_B));
          ask(isRevoked ? { exactly: 'token_revoked' } : 'sure', asking(authenticator, REVOKED));
          askBad(world, authenticator, 17_000, true);
        },
      };
    },
  };
}
