// What a decision asks besides keys: groups, used proofs, revocations, a remote endpoint, and the
// application about tenants and keysets.
import { createDpopKey } from '@latchkey/testing';
import type { RequestView } from '../../../src/adapter/index.ts';
import type { RevocationFeed, StoredRevocation } from '../../../src/index.ts';
import type { Boundary } from '../steps.ts';
import { serve } from '../transport.ts';
import { type Scenario, START, type World } from '../world.ts';
import {
  AUDIENCE,
  askBad,
  asking,
  authenticatorOf,
  explaining,
  GOOD,
  INLINE,
  ISSUER,
  keys,
  READING,
  setOf,
  token,
} from './fixtures.ts';
import { issuerOf } from './keysets.ts';

export const MALLORY = await token(keys.a, { sub: 'mallory' });

export const LOOK_UP: Boundary = {
  name: 'resolve of the directory',
  deadlineMs: 2_000,
  // Undefined is an answer: the directory does not know the subject.
  wrong: [null, 'readers', {}, ['readers', 7], [undefined], true, new Set(['readers'])],
};

export const USE: Boundary = {
  name: 'use of the replay store',
  deadlineMs: 250,
  wrong: [undefined, null, 1, 'true', {}, [], 'OK'],
};

const client = await createDpopKey();
const BOUND = await token(keys.a, { cnf: client.cnf });
let proofs = 0;

/** A request with the bound token and a proof. */
async function provenRequest(): Promise<() => RequestView> {
  const url = `${AUDIENCE}/orders`;
  const proof = await client.proof({ url, token: BOUND, atMs: START, claims: { jti: `${proofs++}` } });
  const authorization = `DPoP ${BOUND}`;
  return () => ({
    method: 'GET',
    url: '/orders',
    headers: { authorization, dpop: proof },
    rawHeaders: ['Authorization', authorization, 'DPoP', proof],
  });
}

const FIRST_PROOF = await provenRequest();
const SECOND_PROOF = await provenRequest();

/** A list of revocations outside of this process, and the feed of it that docs show. */
export function feedOf(world: World, store: StoredRevocation[]): RevocationFeed {
  const reading: Boundary = {
    name: 'read of the feed',
    deadlineMs: 5_000,
    wrong: [undefined, null, 7, {}, { entries: [] }, [{}], ['x']],
  };
  return {
    description: 'a feed',
    follow: (sink) =>
      world.take({ name: 'follow of the feed', deadlineMs: 0, isSync: true, wrong: [] }, () => {
        const look = async () => {
          const at = sink.now();
          sink.replace(await world.take(reading, () => Promise.resolve([...store])));
          sink.current(at);
        };
        const lookAgain = () => void look().catch(sink.failed);
        lookAgain();
        const timer = setInterval(lookAgain, sink.maxStaleMs / 3);
        return { close: async () => clearInterval(timer) };
      }),
    publish: (revocation) =>
      world.take(
        { name: 'publish of the feed', deadlineMs: 10_000, wrong: [] },
        async () => void store.push(revocation),
      ),
  };
}

const REMOTE = 'https://remote.example';
const REMOTE_DEADLINE = 2_000;
const OPAQUE = 'an-opaque-token';
export const REVOKED = await token(keys.a, { jti: 'revoked' });

const TEMPLATE = 'https://id.example/realms/{realm}';
const realm = (name: string) => token(keys.a, { iss: `https://id.example/realms/${name}` });
const [ACME, EVIL] = await Promise.all([realm('acme'), realm('evil')]);
const FOUND = await token(keys.a, { iss: 'https://found.example' });
const UNKNOWN = await token(keys.a, { iss: 'https://unknown.example' });

/** A function of the application about an issuer. A boolean, or undefined, is an answer. */
const ASKED: Boundary = {
  name: 'the function of the application',
  deadlineMs: 5_000,
  wrong: [null, 'yes', 7, {}, []],
};

export const decisionScenarios: readonly Scenario[] = [
  {
    name: 'groups of a directory',
    open(world) {
      const groups = new Map([['alice', ['readers']]]);
      const authenticator = authenticatorOf(world, {
        keySets: [INLINE],
        groups: {
          directory: {
            description: 'a directory',
            resolve: ({ subject }) => world.take(LOOK_UP, async () => groups.get(subject) ?? []),
            close: () =>
              world.take({ name: 'close of the directory', deadlineMs: 1_000, wrong: [] }, async () => {}),
          },
        },
      });
      const asReader = (presented: string) => () => authenticator.verify(presented, { groups: ['readers'] });
      return {
        async run() {
          world.arm();
          for (const which of [1, 2]) world.ask(`a reader ${which}`, 'good', asReader(GOOD), 2_000);
          world.ask('a stranger', ['claims_insufficient'], asReader(MALLORY), 2_000);
          world.ask('a reader, explained', 'good', explaining(authenticator, GOOD), 2_000);
          askBad(world, authenticator);
          await world.settle();
          groups.set('alice', []);
          groups.set('mallory', ['readers']);
          await world.pass(61_000);
          world.ask('one who was a reader', ['claims_insufficient'], asReader(GOOD), 2_000);
        },
        after() {
          world.ask('one who is a reader', 'sure', asReader(MALLORY));
          world.ask('one who was a reader 2', { exactly: 'claims_insufficient' }, asReader(GOOD));
        },
      };
    },
  },
  {
    name: 'proofs of possession, each used once',
    open(world) {
      const used = new Set<string>();
      const authenticator = authenticatorOf(world, {
        keySets: [INLINE],
        dpop: { mode: 'allowed', publicUrl: AUDIENCE },
        replayStore: {
          use: (id) =>
            world.take(USE, async () => {
              const isNew = !used.has(id);
              used.add(id);
              return isNew;
            }),
        },
      });
      const proven = (request: () => RequestView) => () => authenticator.authenticate(request());
      return {
        async run() {
          world.arm();
          world.ask('a proof', 'good', proven(FIRST_PROOF), 250);
          await world.settle();
          // If the store was not asked, nothing is known of the proof.
          const isUsed = world.outcomeOf('a proof') === 'accepted';
          world.ask('the proof again', isUsed ? ['proof_invalid'] : 'ends', proven(FIRST_PROOF), 250);
        },
        after() {
          world.ask('another proof', 'sure', proven(SECOND_PROOF));
        },
      };
    },
  },
  {
    name: 'revocations of a feed',
    open(world) {
      const store: StoredRevocation[] = [];
      const feed = feedOf(world, store);
      const authenticator = authenticatorOf(world, {
        keySets: [INLINE],
        revocation: {},
        revocationFeed: feed,
      });
      const bySubject = { issuer: ISSUER, sub: 'mallory', issuedBefore: START };
      return {
        async run() {
          world.arm();
          world.ask('ready', 'ends', () => authenticator.ready(), 30_000);
          for (const which of [1, 2]) world.ask(`good ${which}`, 'good', () => authenticator.verify(GOOD));
          world.ask('good, explained', 'good', explaining(authenticator, GOOD));
          await world.pass(100);
          world.ask('revoke', 'ends', () => authenticator.revoke(bySubject), 10_000);
          // At once, whatever becomes of the feed.
          world.ask('a revoked token', ['token_revoked'], asking(authenticator, MALLORY));
          await world.settle();
          store.push({ issuer: ISSUER, jti: 'revoked', until: START + 3_600_000 });
          await world.pass(31_000);
          world.ask(
            'a token that another process has revoked',
            ['token_revoked'],
            asking(authenticator, REVOKED),
          );
          world.ask('good 3', 'good', asking(authenticator, GOOD));
        },
        after() {
          world.ask('good 4', 'sure', asking(authenticator, GOOD));
          world.ask('a revoked token 2', { exactly: 'token_revoked' }, asking(authenticator, MALLORY));
          world.ask('a revoked token 3', { exactly: 'token_revoked' }, asking(authenticator, REVOKED));
        },
      };
    },
  },
  {
    name: 'a remote endpoint that decides alone',
    open(world) {
      serve(world, 'remote', REMOTE, (_, { headers }) =>
        headers.authorization === `Bearer ${OPAQUE}`
          ? { body: { sub: 'alice', aud: AUDIENCE } }
          : { status: 401, type: 'text/plain' },
      );
      const authenticator = authenticatorOf(world, {
        keySets: [],
        remote: { url: `${REMOTE}/validate`, cacheFor: '60s' },
      });
      return {
        async run() {
          world.arm();
          for (const which of [1, 2])
            world.ask(`good ${which}`, 'good', asking(authenticator, OPAQUE), REMOTE_DEADLINE);
          world.ask('good, explained', 'good', explaining(authenticator, OPAQUE), REMOTE_DEADLINE);
          world.ask('refused', ['token_rejected'], asking(authenticator, 'other'), REMOTE_DEADLINE);
          await world.settle();
          world.ask('good 3', 'good', asking(authenticator, OPAQUE), REMOTE_DEADLINE);
        },
        after() {
          world.ask('good 4', 'sure', asking(authenticator, OPAQUE));
          world.ask('refused 2', { exactly: 'token_rejected' }, asking(authenticator, 'other'));
        },
      };
    },
  },
  {
    name: 'introspection by a client with a secret',
    open(world) {
      serve(world, 'introspection', REMOTE, (_, { body = '' }) => ({
        body: { active: new URLSearchParams(body).get('token') === OPAQUE, sub: 'alice', aud: AUDIENCE },
      }));
      const authenticator = authenticatorOf(world, {
        keySets: [],
        remote: {
          url: `${REMOTE}/introspect`,
          contract: 'introspection',
          client: { id: 'app', secret: { name: 'idp', key: 'secret' } },
        },
        secrets: {
          description: 'a store',
          // Any bytes could be a secret, and the endpoint refuses a client with a wrong one.
          read: () =>
            world.take({ ...READING, wrong: [null, undefined, new Uint8Array(), 'text', 7] }, () =>
              Promise.resolve(Buffer.from('secret')),
            ),
        },
      });
      return {
        async run() {
          world.arm();
          world.ask('good', 'good', asking(authenticator, OPAQUE), REMOTE_DEADLINE);
          world.ask('refused', ['token_rejected'], asking(authenticator, 'other'), REMOTE_DEADLINE);
        },
        after() {
          world.ask('good 2', 'sure', asking(authenticator, OPAQUE));
          world.ask('refused 2', { exactly: 'token_rejected' }, asking(authenticator, 'other'));
        },
      };
    },
  },
  {
    name: 'a remote endpoint that refuses a token, and is down afterwards: keys decide instead',
    open(world) {
      issuerOf(world, 'issuer', ISSUER, () => setOf(keys.a));
      let isDown = false;
      serve({ ...world, take: (_, answer) => answer() }, 'remote', REMOTE, () =>
        isDown ? { status: 500 } : { status: 401, type: 'text/plain' },
      );
      const authenticator = authenticatorOf(world, {
        keySets: [{ issuer: ISSUER, jwksUrl: `${ISSUER}/jwks` }],
        remote: { url: `${REMOTE}/validate`, onReject: 'deny', onError: 'next' },
      });
      return {
        async run() {
          world.arm();
          world.ask('refused', ['token_rejected'], asking(authenticator, REVOKED));
          // The endpoint has answered. The keys may not be there yet.
          await world.pass(10);
          isDown = true;
          world.ask('refused before', ['token_rejected'], asking(authenticator, REVOKED));
          world.ask('good', 'good', asking(authenticator, GOOD));
          askBad(world, authenticator);
        },
        after() {
          world.ask('good 2', 'sure', asking(authenticator, GOOD));
          world.ask('refused before 2', { exactly: 'token_rejected' }, asking(authenticator, REVOKED));
        },
      };
    },
  },
  {
    name: 'tenants that the application is asked about',
    open(world) {
      const welcome = new Set(['acme']);
      const authenticator = authenticatorOf(world, {
        keySets: [
          {
            issuer: TEMPLATE,
            jwks: setOf(keys.a),
            tenants: (name: string) => world.take(ASKED, async () => welcome.has(name)),
          },
        ],
      });
      return {
        async run() {
          world.arm();
          for (const which of [1, 2]) world.ask(`welcome ${which}`, 'good', asking(authenticator, ACME));
          world.ask('welcome, explained', 'good', explaining(authenticator, ACME));
          world.ask('not welcome', ['token_issuer_untrusted'], asking(authenticator, EVIL));
          await world.settle();
          // The answer is asked for again while it is still used.
          await world.pass(46_000);
          world.ask('welcome 3', 'good', asking(authenticator, ACME));
          welcome.delete('acme');
          await world.pass(75_000);
        },
        after() {
          welcome.add('beta');
          world.ask('no longer welcome', { exactly: 'token_issuer_untrusted' }, asking(authenticator, ACME));
          world.ask('not welcome 2', { exactly: 'token_issuer_untrusted' }, asking(authenticator, EVIL));
        },
      };
    },
  },
  {
    name: 'keysets that the application finds',
    open(world) {
      issuerOf(world, 'found', 'https://found.example', () => setOf(keys.a));
      const authenticator = authenticatorOf(world, {
        keySets: [INLINE],
        keysetFor: (issuer: string) =>
          world.take(
            { ...ASKED, wrong: [null, 'x', 7, {}, [], { issuer: ISSUER, jwks: setOf(keys.b) }] },
            async () =>
              issuer === 'https://found.example' ? { issuer, jwksUrl: `${issuer}/jwks` } : undefined,
          ),
      });
      return {
        async run() {
          world.arm();
          for (const which of [1, 2])
            world.ask(`found ${which}`, 'good', asking(authenticator, FOUND), 10_000);
          world.ask('not found', ['token_issuer_untrusted'], asking(authenticator, UNKNOWN));
          world.ask('of the options', 'sure', asking(authenticator, GOOD), 100);
          askBad(world, authenticator);
          await world.settle();
          await world.pass(46_000);
          world.ask('found 3', 'good', asking(authenticator, FOUND), 10_000);
        },
        after() {
          world.ask('found 4', 'sure', asking(authenticator, FOUND));
          world.ask('not found 2', { exactly: 'token_issuer_untrusted' }, asking(authenticator, UNKNOWN));
        },
      };
    },
  },
  {
    name: 'two keysets of one form of issuer, with a function each',
    open(world) {
      const keyset = (name: string) => ({
        issuer: TEMPLATE,
        jwks: setOf(keys.a),
        tenants: (tenant: string) =>
          world.take({ ...ASKED, name: `the function ${name}` }, () => Promise.resolve(tenant === name)),
      });
      const authenticator = authenticatorOf(world, { keySets: [keyset('acme'), keyset('beta')] });
      return {
        async run() {
          world.arm();
          world.ask('welcome', 'good', asking(authenticator, ACME));
          world.ask('not welcome', ['token_issuer_untrusted'], asking(authenticator, EVIL));
        },
        after() {
          world.ask('welcome 2', 'sure', asking(authenticator, ACME));
          world.ask('not welcome 2', { exactly: 'token_issuer_untrusted' }, asking(authenticator, EVIL));
        },
      };
    },
  },
];
