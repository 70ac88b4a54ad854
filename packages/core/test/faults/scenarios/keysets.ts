// Keys: the first reading, refreshing, unknown kids, rotations and removals, by URL and by secret.
import type { SecretStore } from '../../../src/index.ts';
import { serve } from '../transport.ts';
import type { Scenario, World } from '../world.ts';
import {
  askBad,
  asking,
  authenticatorOf,
  bytesOf,
  explaining,
  GOOD,
  GOOD_B,
  GOOD_NEW_A,
  HOUR,
  ISSUER,
  keys,
  OTHER_ISSUER,
  READING,
  setOf,
  token,
} from './fixtures.ts';

/** A secret that a scenario replaces. */
interface Secret {
  value: Uint8Array;
  readonly store: SecretStore;
  /** Tells the watchers. */
  changed(): void;
}

export function secretOf(world: World, value: Uint8Array, isWatched: boolean): Secret {
  const watchers = new Set<() => void>();
  const secret: Secret = {
    value,
    changed: () => {
      for (const one of watchers) one();
    },
    store: {
      description: 'a store',
      read: () => world.take(READING, () => Promise.resolve(secret.value)),
      ...(isWatched
        ? {
            watch: (_, changed) =>
              world.take(
                { name: 'watch of the secret store', deadlineMs: 0, isSync: true, wrong: WATCHES },
                () => {
                  watchers.add(changed);
                  return () => watchers.delete(changed);
                },
              ),
          }
        : {}),
    },
  };
  return secret;
}

const WATCHES: readonly unknown[] = [
  undefined,
  null,
  'stop',
  {},
  () => {
    throw new Error('it cannot stop');
  },
  () => Promise.reject(new Error('it cannot stop')),
];

export const SECRET_KEYSET = { issuer: ISSUER, secret: { name: 'keys', key: 'jwks.json' } };

/** An issuer whose documents are read over the network. */
export function issuerOf(world: World, name: string, issuer: string, jwks: () => object): void {
  serve(world, name, issuer, ({ pathname }) =>
    pathname === '/jwks'
      ? { body: jwks() }
      : { body: { issuer, jwks_uri: `${issuer}/jwks`, keys: 'of the metadata' } },
  );
}

const SECOND_TOKEN = await token(keys.b, { iss: OTHER_ISSUER });

export const keysetScenarios: readonly Scenario[] = [
  {
    name: 'a secret, read for the first time',
    open(world) {
      const { store } = secretOf(world, bytesOf(keys.a), false);
      const authenticator = authenticatorOf(world, { keySets: [SECRET_KEYSET], secrets: store });
      return {
        async run() {
          world.arm();
          world.ask('ready', 'ends', () => authenticator.ready());
          for (const which of [1, 2]) world.ask(`good ${which}`, 'good', asking(authenticator, GOOD));
          world.ask('verify', 'good', () => authenticator.verify(GOOD));
          world.ask('explain', 'good', explaining(authenticator, GOOD));
          askBad(world, authenticator);
        },
        after() {
          world.ask('good again', 'sure', asking(authenticator, GOOD));
          world.ask('explain again', 'sure', explaining(authenticator, GOOD));
          askBad(world, authenticator, undefined, true);
        },
      };
    },
  },
  {
    name: 'a secret that is watched, and replaced',
    async open(world) {
      const secret = secretOf(world, bytesOf(keys.a), true);
      const authenticator = authenticatorOf(world, { keySets: [SECRET_KEYSET], secrets: secret.store });
      await authenticator.ready();
      return {
        async run() {
          world.arm();
          secret.value = bytesOf(keys.a, keys.b);
          secret.changed();
          world.ask('a key that stays', 'sure', asking(authenticator, GOOD));
          world.ask('a key that came', 'good', asking(authenticator, GOOD_B));
          await world.settle();
          secret.value = bytesOf(keys.b);
          secret.changed();
          secret.changed();
          world.ask('a key that stays 2', 'good', asking(authenticator, GOOD_B));
        },
        async after() {
          // A store that cannot watch any more is read at the interval.
          await world.pass(HOUR);
          world.ask('a key that stays 3', 'sure', asking(authenticator, GOOD_B));
          world.ask('a key that went', { exactly: 'token_key_unknown' }, asking(authenticator, GOOD));
        },
      };
    },
  },
  {
    name: 'an issuer, found for the first time, next to another one',
    open(world) {
      issuerOf(world, 'issuer', ISSUER, () => setOf(keys.a));
      // The other issuer has no steps: nothing that happens to the first one may hold it up.
      issuerOf({ ...world, take: (_, answer) => answer() }, 'other issuer', OTHER_ISSUER, () =>
        setOf(keys.b),
      );
      const authenticator = authenticatorOf(world, {
        keySets: [
          { issuer: ISSUER, useOidcDiscovery: true },
          { issuer: OTHER_ISSUER, useOidcDiscovery: true },
        ],
      });
      return {
        async run() {
          world.arm();
          for (const which of [1, 2]) world.ask(`good ${which}`, 'good', asking(authenticator, GOOD), 10_000);
          world.ask('of the other issuer', 'sure', asking(authenticator, SECOND_TOKEN), 100);
          askBad(world, authenticator, 10_000);
          await authenticator.start();
        },
        after() {
          world.ask('good again', 'sure', asking(authenticator, GOOD));
          world.ask('of the other issuer again', 'sure', asking(authenticator, SECOND_TOKEN));
          askBad(world, authenticator, undefined, true);
        },
      };
    },
  },
  {
    name: 'keys at hand, read again in the background: one is new, one has gone',
    async open(world) {
      let jwks = setOf(keys.a);
      issuerOf(world, 'issuer', ISSUER, () => jwks);
      const keySets = [{ issuer: ISSUER, jwksUrl: `${ISSUER}/jwks` }];
      const authenticator = authenticatorOf(world, { keySets });
      await authenticator.ready();
      return {
        async run() {
          world.arm();
          jwks = setOf(keys.a, keys.b);
          await world.pass(0.81 * HOUR);
          world.ask('a key at hand', 'sure', asking(authenticator, GOOD));
          world.ask('a key at hand, explained', 'sure', explaining(authenticator, GOOD));
          world.ask('a new key', 'good', asking(authenticator, GOOD_B));
          askBad(world, authenticator);
          await world.settle();
          jwks = setOf(keys.b);
          await world.pass(0.81 * HOUR);
          world.ask('a key that stays', 'good', asking(authenticator, GOOD_B));
        },
        async after() {
          await world.pass(HOUR);
          world.ask('a key that stays 2', 'sure', asking(authenticator, GOOD_B));
          world.ask('a key that went', { exactly: 'token_key_unknown' }, asking(authenticator, GOOD));
        },
      };
    },
  },
  {
    name: 'a token of an unknown kid: the keys are read again',
    async open(world) {
      let jwks = setOf(keys.a);
      issuerOf(world, 'issuer', ISSUER, () => jwks);
      const authenticator = authenticatorOf(world, { keySets: [{ issuer: ISSUER, useOidcDiscovery: true }] });
      await authenticator.ready();
      const madeUp = await token({ ...keys.b, kid: 'made-up' });
      return {
        async run() {
          world.arm();
          jwks = setOf(keys.a, keys.b);
          await world.pass(11_000);
          world.ask('a made-up kid', ['token_key_unknown'], asking(authenticator, madeUp), 10_000);
          for (const which of [1, 2])
            world.ask(`a new key ${which}`, 'good', asking(authenticator, GOOD_B), 10_000);
          world.ask('a new key, explained', 'good', explaining(authenticator, GOOD_B), 10_000);
          world.ask('a key at hand', 'sure', asking(authenticator, GOOD));
          askBad(world, authenticator);
        },
        after() {
          world.ask('a new key 3', 'sure', asking(authenticator, GOOD_B));
          world.ask('a made-up kid 2', { exactly: 'token_key_unknown' }, asking(authenticator, madeUp));
        },
      };
    },
  },
  {
    name: 'a key that is replaced under its kid',
    async open(world) {
      let jwks = setOf(keys.a);
      issuerOf(world, 'issuer', ISSUER, () => jwks);
      const keySets = [{ issuer: ISSUER, jwksUrl: `${ISSUER}/jwks`, refreshInterval: '5m' as const }];
      const authenticator = authenticatorOf(world, { keySets });
      await authenticator.ready();
      for (let time = 0; time < 3; time++) await authenticator.verify(GOOD);
      return {
        async run() {
          world.arm();
          jwks = setOf(keys.newA);
          world.ask('the old key, before', 'sure', asking(authenticator, GOOD));
          await world.pass(250_000);
        },
        after() {
          world.ask('the new key', 'sure', asking(authenticator, GOOD_NEW_A));
          world.ask('the old key', { exactly: 'token_signature_invalid' }, asking(authenticator, GOOD));
        },
      };
    },
  },
  {
    name: 'keys of a URL that the token names',
    async open(world) {
      issuerOf(world, 'listed host', ISSUER, () => setOf(keys.a));
      const authenticator = authenticatorOf(world, {
        keySets: [{ issuer: ISSUER, jwksHosts: ['issuer.example'] }],
      });
      const named = await token(keys.a, {}, { jku: `${ISSUER}/jwks` });
      const elsewhere = await token(keys.a, {}, { jku: 'https://attacker.example/jwks' });
      return {
        async run() {
          world.arm();
          for (const which of [1, 2]) world.ask(`good ${which}`, 'good', asking(authenticator, named));
          world.ask('of another host', ['token_key_unknown'], asking(authenticator, elsewhere), 100);
          await world.settle();
          world.ask('good 3', 'good', asking(authenticator, named));
        },
        after() {
          world.ask('good 4', 'sure', asking(authenticator, named));
          world.ask('of another host 2', { exactly: 'token_key_unknown' }, asking(authenticator, elsewhere));
        },
      };
    },
  },
  {
    name: 'tenants with keys of their own',
    async open(world) {
      const [acme, beta] = ['https://acme.id.example', 'https://beta.id.example'];
      issuerOf(world, 'tenant', acme, () => setOf(keys.a));
      issuerOf({ ...world, take: (_, answer) => answer() }, 'other tenant', beta, () => setOf(keys.b));
      const authenticator = authenticatorOf(world, {
        keySets: [
          { issuer: 'https://{tenant}.id.example', useOidcDiscovery: true, tenants: ['acme', 'beta'] },
        ],
      });
      const good = await token(keys.a, { iss: acme });
      const other = await token(keys.b, { iss: beta });
      return {
        async run() {
          world.arm();
          for (const which of [1, 2]) world.ask(`good ${which}`, 'good', asking(authenticator, good), 10_000);
          world.ask('of the other tenant', 'sure', asking(authenticator, other), 100);
          world.ask('of no tenant', ['token_issuer_untrusted'], asking(authenticator, GOOD), 100);
          await world.settle();
          world.ask('good 3', 'good', asking(authenticator, good), 10_000);
        },
        after() {
          world.ask('good 4', 'sure', asking(authenticator, good));
          world.ask('of the other tenant 2', 'sure', asking(authenticator, other));
        },
      };
    },
  },
  {
    name: 'keys that are read with a header from a secret',
    open(world) {
      const { store } = secretOf(world, Buffer.from('key-of-the-service'), false);
      serve(world, 'issuer', ISSUER, (_, { headers }) =>
        headers['x-api-key'] === 'key-of-the-service'
          ? { body: setOf(keys.a) }
          : { status: 401, type: 'text/plain' },
      );
      const headers = { 'X-Api-Key': { name: 'issuer', key: 'api-key' } };
      const authenticator = authenticatorOf(world, {
        keySets: [{ issuer: ISSUER, jwksUrl: `${ISSUER}/jwks`, headers }],
        secrets: store,
      });
      return {
        async run() {
          world.arm();
          for (const which of [1, 2]) world.ask(`good ${which}`, 'good', asking(authenticator, GOOD), 10_000);
          askBad(world, authenticator, 10_000);
        },
        after() {
          world.ask('good 3', 'sure', asking(authenticator, GOOD));
          askBad(world, authenticator, undefined, true);
        },
      };
    },
  },
];
