// A descriptor that changes while a key server hangs: what closes, what opens, and what stays.
import {
  createAuthenticator,
  type DescribedAuthenticator,
  type StoredRevocation,
} from '../../../src/index.ts';
import { show } from '../descriptor-file.ts';
import type { Boundary } from '../steps.ts';
import { type Scenario, START, type World } from '../world.ts';
import { feedOf, REVOKED } from './decisions.ts';
import { AUDIENCE, askBad, asking, explaining, GOOD, HOUR, ISSUER, keys, setOf, token } from './fixtures.ts';
import { issuerOf } from './keysets.ts';

const CLOSED_ISSUER = 'https://closed.example';
const NEW_ISSUER = 'https://new.example';
const [OF_CLOSED, OF_NEW] = await Promise.all(
  [CLOSED_ISSUER, NEW_ISSUER].map((iss) => token(keys.b, { iss })),
);

const textOf = (...issuers: readonly string[]) =>
  [
    'service:',
    '  jwt:',
    `    audience: ${AUDIENCE}`,
    '    keySets:',
    ...issuers.flatMap((issuer) => [`      - issuer: ${issuer}`, `        jwksUrl: ${issuer}/jwks`]),
    '',
  ].join('\n');

const BEFORE = textOf(ISSUER, CLOSED_ISSUER);
/** One issuer goes, and one comes whose keys have to be read. */
const AFTER = textOf(ISSUER, NEW_ISSUER);

/** What a reader may see of a file that is being replaced. None of it may open anything. */
const FILE: Boundary = {
  name: 'read of the descriptor',
  deadlineMs: 0,
  isSync: true,
  isNode: true,
  wrong: ['', 'service:', AFTER.slice(0, 60), AFTER.slice(0, -20), '{{{', `${AFTER}    nonsense: true\n`],
};

/** A reload waits until the file is still, and for the keys of its text. It may do so twice. */
const RELOAD_MS = 2 * (2_000 + 5_000) + 2_000;

export const descriptorScenarios: readonly Scenario[] = [
  {
    name: 'a descriptor that closes one issuer and opens another one',
    async open(world) {
      const quiet: World = { ...world, take: (_, answer) => answer() };
      issuerOf(quiet, 'issuer', ISSUER, () => setOf(keys.a));
      issuerOf(quiet, 'closed issuer', CLOSED_ISSUER, () => setOf(keys.b));
      issuerOf(world, 'new issuer', NEW_ISSUER, () => setOf(keys.b));
      const file = { world, text: BEFORE };
      show(file, FILE);
      const authenticator: DescribedAuthenticator = world.closes(
        createAuthenticator({ descriptor: 'service.yaml' }),
      );
      await authenticator.ready();
      await authenticator.verify(OF_CLOSED as string);
      return {
        async run() {
          world.arm();
          file.text = AFTER;
          world.ask(
            'of the new issuer, before',
            ['token_issuer_untrusted'],
            asking(authenticator, OF_NEW as string),
          );
          world.ask('reload', 'ends', () => authenticator.reload(), RELOAD_MS);
          for (const seconds of [0, 1, 2, 4]) {
            await world.pass(seconds * 1_000);
            world.ask(`at hand, after ${seconds} s`, 'good', asking(authenticator, GOOD));
            world.ask(
              `of the new issuer, after ${seconds} s`,
              ['accepted', 'token_issuer_untrusted'],
              asking(authenticator, OF_NEW as string),
            );
          }
          world.ask('reload again', 'ends', () => authenticator.reload(), 2 * RELOAD_MS);
          askBad(world, authenticator);
          await world.settle();
          world.ask('at hand, explained', 'good', explaining(authenticator, GOOD));
          if (world.outcomeOf('reload') === 'accepted' || world.outcomeOf('reload again') === 'accepted')
            world.ask(
              'of the closed issuer',
              ['token_issuer_untrusted'],
              asking(authenticator, OF_CLOSED as string),
            );
        },
        async after() {
          // It is looked at again by itself.
          await world.pass(HOUR / 20);
          world.ask('at hand 2', 'sure', asking(authenticator, GOOD));
          world.ask('of the new issuer', 'sure', asking(authenticator, OF_NEW as string));
          world.ask(
            'of the closed issuer 2',
            { exactly: 'token_issuer_untrusted' },
            asking(authenticator, OF_CLOSED as string),
          );
          askBad(world, authenticator, undefined, true);
        },
      };
    },
  },
  {
    name: 'a descriptor that changes how old the list of revocations may be',
    async open(world) {
      issuerOf({ ...world, take: (_, answer) => answer() }, 'issuer', ISSUER, () => setOf(keys.a));
      const withList = (maxStale: string) =>
        `${textOf(ISSUER)}    revocation:\n      maxStale: ${maxStale}\n`;
      const file = { world, text: withList('30s') };
      show(file, FILE);
      const store: StoredRevocation[] = [{ issuer: ISSUER, jti: 'revoked', until: START + HOUR }];
      const revocationFeed = feedOf(world, store);
      const authenticator: DescribedAuthenticator = world.closes(
        createAuthenticator({ descriptor: 'service.yaml', revocationFeed }),
      );
      await authenticator.ready();
      const askRevoked = (what: string) => world.ask(what, ['token_revoked'], asking(authenticator, REVOKED));
      return {
        async run() {
          world.arm();
          file.text = withList('20s');
          // Until it is still, and for as long as the new list may be waited for.
          world.ask('reload', 'ends', () => authenticator.reload(), 2_000 + 20_000);
          for (const seconds of [0, 1, 2]) {
            await world.pass(seconds * 1_000);
            askRevoked(`revoked, after ${seconds} s`);
            world.ask(`good, after ${seconds} s`, 'good', asking(authenticator, GOOD));
          }
          await world.settle();
          // The list of the last text may not have been read.
          file.text = withList('10s');
          world.ask('reload again', 'ends', () => authenticator.reload(), 2 * 22_000);
        },
        async after() {
          await world.pass(60_000);
          world.ask('good 2', 'sure', asking(authenticator, GOOD));
          world.ask('revoked 2', { exactly: 'token_revoked' }, asking(authenticator, REVOKED));
        },
      };
    },
  },
];
