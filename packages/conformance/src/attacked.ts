// The attacks of @latchkey/testing on an adapter: forged requests, none of which may be let in.
import type { Authenticator, AuthenticatorOptions } from '@latchkey/core';
import {
  type AttackReport,
  type AttackRoute,
  type AttackTarget,
  attack,
  createIssuer,
} from '@latchkey/testing';
import { type Application, start } from './application.ts';
import { PUBLIC_URL } from './proofs.ts';
import type { World } from './tokens.ts';
import { authenticatorFor } from './variants.ts';

/** An attack: the options of the application, and what is sent. */
export interface Attacked {
  readonly name: string;
  readonly options: Partial<AuthenticatorOptions>;
  readonly route: AttackRoute;
  /** Rows of the threat model. Those of tokens alone are tested for core. */
  readonly only: readonly string[];
}

/** The rows of headers with a token. */
const HEADERS = ['T-072', 'T-074', 'T-075', 'T-076', 'T-077', 'T-085'];
/** The rows of other places, of methods and of paths. */
const REQUESTS = ['T-078', 'T-080', 'T-081', 'T-082', 'T-090', 'T-092', 'T-093', 'T-095'];
/** The rows of tokens that are similar to a good one, which may be in a cache, and of claims. */
const TOKENS = ['T-001', 'T-003', 'T-004', 'T-016', 'T-023', 'T-035', 'T-058', 'T-063', 'T-065', 'T-066'];

/** Longer than by default, for machines that run many tests at once. */
const TIMEOUT_MS = 15_000;

/** Each is a run of its own. The samples of apps/demo get all attacks. */
export const ATTACKED: readonly Attacked[] = [
  {
    name: 'several places and proofs, with the cache of tokens',
    options: {
      tokenFrom: [{ header: 'Authorization' }, { cookie: 'token' }, { query: 'access_token' }],
      dpop: { mode: 'allowed', publicUrl: PUBLIC_URL },
    },
    route: { path: '/scope-and-role', requires: { scope: 'friends:read', roles: ['admin'] } },
    only: [...TOKENS, ...HEADERS, ...REQUESTS],
  },
  {
    name: 'one header, without the cache',
    options: { cache: false },
    route: { path: '/literal', requires: { dept: 'IT', internal: true, floor: 4 } },
    only: [...TOKENS, ...HEADERS],
  },
];

/** What an adapter builds an application of. */
interface Building<Harness> {
  readonly build: (
    harness: Harness & { readonly authenticator: Authenticator },
  ) => Application | Promise<Application>;
  readonly harness: Harness;
  readonly world: World;
}

/** Attacks an application of the adapter. */
export async function attackedBy<Harness>(
  { options: more, route, only }: Attacked,
  { build, harness, world }: Building<Harness>,
): Promise<AttackReport> {
  const [issuer, otherIssuer] = await Promise.all([createIssuer(), createIssuer()]);
  const { keySets, audience } = issuer.options;
  const options = { ...more, keySets: [...keySets, ...otherIssuer.options.keySets], audience };
  const authenticator = authenticatorFor(world, 'strict', options);
  const { target, close } = await targetOf(await build({ ...harness, authenticator }));
  try {
    return await attack({
      target,
      routes: [route],
      options,
      issuer,
      otherIssuer,
      publicPaths: ['/public'],
      only,
      timeoutMs: TIMEOUT_MS,
    });
  } finally {
    await close();
    await Promise.all([issuer.close(), otherIssuer.close(), authenticator.close()]);
  }
}

async function targetOf(
  application: Application,
): Promise<{ readonly target: AttackTarget; close(): Promise<void> }> {
  if (typeof application === 'function') return { target: application, close: async () => {} };
  if ('fetch' in application) {
    const socket = { remoteAddress: '127.0.0.1' };
    return {
      target: { fetch: (request) => application.fetch(request, { socket }) },
      close: async () => {},
    };
  }
  const { port, close } = await start(application);
  return { target: `http://127.0.0.1:${port}`, close };
}
