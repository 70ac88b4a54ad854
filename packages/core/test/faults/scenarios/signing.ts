// Own keys: signers of two processes that rotate over one store, and tokens of an authorization
// server.
import { createExchange } from '../../../src/exchange/exchange.ts';
import type { SecretStore } from '../../../src/index.ts';
import { createSigner, type Signer } from '../../../src/signing/index.ts';
import { generateIn } from '../generation.ts';
import type { Boundary } from '../steps.ts';
import { serve } from '../transport.ts';
import type { Scenario, World } from '../world.ts';
import { AUDIENCE, asking, authenticatorOf, GOOD, ISSUER, READING } from './fixtures.ts';

const REFERENCE = { name: 'signing', key: 'jwks.json' };

const READ: Boundary = { ...READING, wrong: READING.wrong.slice(0, 4) };

/** What a store gives of an update says nothing. */
const UPDATE: Boundary = { name: 'update of the store', deadlineMs: 5_000, wrong: [] };
const WRITE: Boundary = { name: 'write of the store', deadlineMs: 5_000, wrong: [] };

/** An entry that several processes share. */
interface Entry {
  value: Uint8Array | undefined;
  readonly watchers: Set<() => void>;
}

function put(entry: Entry, value: Uint8Array): void {
  entry.value = value;
  for (const changed of entry.watchers) changed();
}

/** The store of one process. */
function storeOf(world: World, entry: Entry, canLock: boolean): SecretStore {
  return {
    description: 'a store',
    // Readings are cut in the scenario with locks.
    read: () =>
      canLock ? world.take(READ, () => Promise.resolve(entry.value)) : Promise.resolve(entry.value),
    watch(_, changed) {
      entry.watchers.add(changed);
      return () => entry.watchers.delete(changed);
    },
    ...(canLock
      ? {
          update: (_, change, signal) =>
            world.take(UPDATE, async () => {
              signal.throwIfAborted();
              const value = change(entry.value);
              if (value !== undefined) put(entry, value);
            }),
        }
      : {
          write: (_, value, signal) =>
            world.take(WRITE, async () => {
              signal.throwIfAborted();
              put(entry, value);
            }),
        }),
  };
}

function signerOf(world: World, secrets: SecretStore): Signer {
  return world.closes(
    createSigner({
      secret: REFERENCE,
      secrets,
      alg: 'ES256',
      issuer: ISSUER,
      audience: AUDIENCE,
      expiresIn: '5m',
      publishAhead: '1m',
    }),
  );
}

const kidsIn = ({ value }: Entry): readonly unknown[] =>
  (JSON.parse(Buffer.from(value ?? '{"keys":[]}').toString()) as { keys: { kid?: unknown }[] }).keys.map(
    ({ kid }) => kid,
  );

/** Two processes rotate at once, and a third one verifies what they sign. */
function rotating(canLock: boolean): Scenario {
  return {
    name: `rotation in two processes, by ${canLock ? 'update' : 'write'}`,
    async open(world) {
      const entry: Entry = { value: undefined, watchers: new Set() };
      const quiet: World = { ...world, take: (_, answer) => answer() };
      generateIn(undefined);
      await signerOf(world, storeOf(quiet, entry, canLock)).rotate();
      generateIn(world);
      const signers = [1, 2].map(() => signerOf(world, storeOf(world, entry, canLock)));
      const verifier = authenticatorOf(world, {
        keySets: [{ issuer: ISSUER, secret: REFERENCE }],
        secrets: storeOf(quiet, entry, canLock),
      });
      /** A token of each signer is good, wherever the rotation is. */
      const askAll = (when: string, expected: 'sure' | 'ends') => {
        for (const [index, signer] of signers.entries())
          world.ask(`sign ${index} ${when}`, expected, async () => {
            const signed = await signer.sign({ sub: 'alice' });
            world.ask(`verify ${index} ${when}`, 'sure', asking(verifier, signed));
          });
      };
      return {
        async run() {
          world.arm();
          for (const [index, signer] of signers.entries())
            world.ask(
              `rotate ${index}`,
              'ends',
              async () => {
                const { kid } = await signer.rotate();
                // Without locks, another process may overwrite what was read just now.
                if (canLock && !kidsIn(entry).includes(kid)) world.fails(`the promised key ${kid} is gone`);
              },
              // The algorithm, the keys, the change, the keys again, and the reading of the signer.
              25_000,
            );
          askAll('meanwhile', 'ends');
          await world.settle();
          if (kidsIn(entry).length > (canLock ? 2 : 3)) world.fails('each process has made a key');
          await world.pass(70_000);
          askAll('afterwards', 'ends');
          world.ask('retire', 'ends', () => signers[0]?.retire(), 25_000);
        },
        async after() {
          await world.pass(70_000);
          askAll('at the end', 'sure');
          world.ask('rotate at the end', 'sure', () => signers[0]?.rotate(), 25_000);
          await world.settle();
          await world.pass(70_000);
          askAll('at the very end', 'sure');
        },
      };
    },
  };
}

const SERVER = 'https://login.example';
const SIGN: Boundary = { name: 'sign of the client', deadlineMs: 2_000, wrong: [undefined, null, '', 7, {}] };
const ACT: Boundary = {
  name: 'the token of the actor',
  deadlineMs: 2_000,
  wrong: [undefined, null, '', 7, {}],
};

export const signingScenarios: readonly Scenario[] = [
  rotating(true),
  rotating(false),
  {
    name: 'tokens for calls on behalf of a caller',
    open(world) {
      serve(world, 'login', SERVER, ({ pathname }, { body = '' }) => {
        if (pathname !== '/token') return { body: { issuer: SERVER, token_endpoint: `${SERVER}/token` } };
        if (new URLSearchParams(body).get('subject_token') !== GOOD)
          return { status: 400, body: { error: 'invalid_grant' } };
        return {
          body: {
            access_token: 'issued',
            token_type: 'Bearer',
            issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
            expires_in: 300,
          },
        };
      });
      const exchange = world.closes(
        createExchange({
          issuer: SERVER,
          clientAuthentication: {
            method: 'private_key_jwt',
            clientId: 'orders',
            signer: { sign: () => world.take(SIGN, () => Promise.resolve('assertion')) },
          },
          actor: { token: () => world.take(ACT, () => Promise.resolve('actor')) },
          audience: 'invoices',
        }),
      );
      // Its metadata may be at two places; then the actor, and the call.
      const deadlineMs = 2 * 5_000 + 2_000 + 2_000;
      return {
        async run() {
          world.arm();
          for (const which of [1, 2])
            world.ask(`granted ${which}`, 'good', () => exchange.tokenFor(GOOD), deadlineMs);
          world.ask('refused', ['exchange_refused'], () => exchange.tokenFor('other'), deadlineMs);
        },
        after() {
          world.ask('granted 3', 'sure', () => exchange.tokenFor(GOOD));
          world.ask('refused 2', { exactly: 'exchange_refused' }, () => exchange.tokenFor('other'));
        },
      };
    },
  },
];
