// Security events that a provider sends until they are acknowledged: none that is acknowledged may
// be lost.

import type { StoredRevocation } from '../../../src/index.ts';
import { createEventReceiver } from '../../../src/notices/receiver.ts';
import type { Boundary } from '../steps.ts';
import { type Scenario, START } from '../world.ts';
import { feedOf, MALLORY, USE } from './decisions.ts';
import { asking, authenticatorOf, GOOD, INLINE, ISSUER, keys, token } from './fixtures.ts';

const EVENTS = 'https://api.example.com/events';
const REVOKED_EVENT = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked';
const EVENT = await token(
  keys.a,
  {
    aud: EVENTS,
    exp: undefined,
    sub: undefined,
    iat: START / 1000,
    jti: 'event',
    sub_id: { format: 'iss_sub', iss: ISSUER, sub: 'mallory' },
    events: { [REVOKED_EVENT]: {} },
  },
  { typ: 'secevent+jwt' },
);

const ON_EVENT: Boundary = { name: 'onEvent', deadlineMs: 1_000, isUnbounded: true, wrong: [] };

export const eventScenarios: readonly Scenario[] = [
  {
    name: 'security events',
    open(world) {
      const used = new Set<string>();
      const store: StoredRevocation[] = [];
      let handled = 0;
      const authenticator = authenticatorOf(world, {
        keySets: [INLINE],
        revocation: {},
        revocationFeed: feedOf(world, store),
        replayStore: {
          use: (id) =>
            world.take(USE, async () => {
              const isNew = !used.has(id);
              used.add(id);
              return isNew;
            }),
        },
      });
      const receiver = world.closes(
        createEventReceiver(authenticator, {
          securityEvents: { audience: EVENTS },
          onEvent: () => world.take(ON_EVENT, async () => void handled++),
        }),
      );
      let isAcknowledged = false;
      const send = async () => {
        const answer = await receiver.receive({ contentType: 'application/secevent+jwt', body: EVENT });
        if (answer.status !== 202) return;
        isAcknowledged = true;
        if (handled === 0) world.fails('an event was acknowledged and not handled');
        if (store.length === 0) world.fails('an event was acknowledged and its tokens live on');
      };
      return {
        async run() {
          world.arm();
          await authenticator.start();
          // The keys are at hand: the feed, the store, and the application.
          for (const which of [1, 2]) world.ask(`event ${which}`, 'ends', send, 5_000 + 250 + 1_500);
          await world.pass(1_000);
          world.ask('event again', 'ends', send, 7_000);
          world.ask('good', 'good', asking(authenticator, GOOD));
        },
        async after() {
          world.ask('event at last', 'ends', send, 7_000);
          await world.settle();
          if (!isAcknowledged) world.fails('the event is never acknowledged');
          world.ask('an ended token', { exactly: 'token_revoked' }, asking(authenticator, MALLORY));
          world.ask('good 2', 'sure', asking(authenticator, GOOD));
        },
      };
    },
  },
];
