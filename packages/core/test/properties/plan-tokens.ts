// Tokens that tell the values of options apart, and which of them a block of options accepts.
import { createHmac, randomBytes } from 'node:crypto';
import { forge } from '@latchkey/testing';
import {
  type Authenticator,
  type AuthenticatorOptions,
  ConfigError,
  createAuthenticator,
  createMemoryStore,
} from '../../src/index.ts';
import { given } from '../support/defined.ts';
import { outcome } from '../support/outcome.ts';
import { A, type Asked, B, type Block, C } from './plan-options.ts';

/** The time of all decisions, in seconds since the epoch. */
const NOW = 1_700_000_000;
/** A time after all dates in rules. */
const LATER = 2_000_000_000;

const secrets = { a: randomBytes(32), b: randomBytes(32), c: randomBytes(32) };
const store = createMemoryStore(
  Object.fromEntries(
    Object.entries(secrets).map(([name, bytes]) => [
      name,
      {
        jwks: JSON.stringify({
          keys: [{ kty: 'oct', alg: 'HS256', kid: name, k: bytes.toString('base64url') }],
        }),
      },
    ]),
  ),
);
/** How a token may differ from a plain one. Undefined: the member is left out. */
const DIMENSIONS: { readonly [member: string]: readonly unknown[] } = {
  iss: [A, B, undefined, C],
  aud: ['api', 'web', ['api', 'web'], ['api', 'other'], ['web', 'other'], undefined, ['api', 'web', 'other']],
  typ: ['JWT', 'at+jwt', undefined, 'logout+jwt'],
  exp: [NOW + 100, NOW - 3, NOW - 30, NOW + 3_000, NOW + 9_000, undefined],
  iat: [NOW - 10, NOW + 3, NOW + 30, NOW + 90, NOW - 62, NOW - 300, NOW - 5_000, undefined],
  nbf: [undefined, NOW + 3, NOW + 30],
  dept: ['IT', undefined, 'HR', null, ['IT'], ['IT', 'HR'], ['HR', 'x'], [], 4, 5, ['IT', 4], 'IX'],
  scope: ['read write', undefined, 'read', 'write', ['other']],
  permissions: [undefined, ['read']],
  'realm.role': [undefined, 'IT'],
  'realm:role': [undefined, 'IT'],
  realm: [undefined, { role: 'IT' }],
  sub: ['alice', 42, undefined, 'bob'],
  cnf: [undefined, { jkt: 'x' }],
  client_id: ['client', undefined],
  act: [undefined, { sub: 'gateway' }, { sub: 'other' }],
  acr: [undefined, 'mfa', 'password'],
  auth_time: [undefined, NOW - 10, NOW - 1_000],
  kid: ['its', undefined],
  pad: [undefined, 'p'.repeat(600)],
};

/** The dimensions that options of both are about, or that hide each other. */
const CROSSED = ['iss', 'aud', 'exp', 'iat', 'dept', 'scope'] as const;

function* differences(): Generator<Block> {
  const changes = (name: string) =>
    (DIMENSIONS[name] ?? []).slice(1).map((value): Block => ({ [name]: value }));
  yield {};
  for (const name of Object.keys(DIMENSIONS)) yield* changes(name);
  for (const [index, one] of CROSSED.entries())
    for (const other of CROSSED.slice(index + 1))
      for (const first of changes(one)) for (const second of changes(other)) yield { ...first, ...second };
  for (const scope of changes('scope'))
    for (const other of changes('permissions')) yield { ...scope, ...other };
  for (const change of [
    { iss: B, sub: 42 },
    { iss: B, kid: undefined },
    { iss: B, sub: 'bob' },
  ])
    yield change;
}

const plain = Object.fromEntries(Object.entries(DIMENSIONS).map(([name, [value]]) => [name, value]));

const TIMES: readonly string[] = ['exp', 'iat', 'nbf', 'auth_time'];

/** The tokens at a time. */
function tokensAt(now: number): readonly string[] {
  return [...differences()].map((change) => {
    const { typ, kid, ...members }: Block = { ...plain, ...change };
    const claims = Object.fromEntries(
      Object.entries(members).map(([name, value]) =>
        TIMES.includes(name) && typeof value === 'number' ? [name, value - NOW + now] : [name, value],
      ),
    );
    const name = claims.iss === B ? 'b' : claims.iss === C ? 'c' : 'a';
    return forge({
      header: {
        alg: 'HS256',
        ...(kid === undefined ? {} : { kid: name }),
        ...(typ === undefined ? {} : { typ }),
      },
      payload: { jti: 'id', ...claims },
      signature: (input) => createHmac('sha256', secrets[name]).update(input).digest(),
    });
  });
}

const tokens = new Map([NOW, LATER].map((now) => [now, tokensAt(now)] as const));

/** How many tokens each block is judged by, for each of the routes. */
export const TOKENS = tokens.get(NOW)?.length ?? 0;

const judged = new Map<string, Promise<readonly boolean[] | undefined>>();

/** Which of the tokens are accepted. Undefined: core refuses the options. */
export function acceptedBy(
  block: Block,
  routes: readonly Asked[] = [undefined],
): Promise<readonly boolean[] | undefined> {
  const text = JSON.stringify([block, routes]);
  const found = judged.get(text) ?? judge(block, routes);
  judged.set(text, found);
  return found;
}

async function judge(block: Block, routes: readonly Asked[]): Promise<readonly boolean[] | undefined> {
  const accepted = await judgeAt(NOW, block, routes);
  // Without a date in the rules, nothing depends on the time.
  const isDated = JSON.stringify(block).includes('"from"');
  const later = isDated ? await judgeAt(LATER, block, routes) : accepted;
  return accepted && later && [...accepted, ...later];
}

async function judgeAt(
  now: number,
  block: Block,
  routes: readonly Asked[],
): Promise<readonly boolean[] | undefined> {
  const clock = { now: () => now * 1000 };
  let authenticator: Authenticator;
  try {
    const options: unknown = { ...block, secrets: store, clock, cache: false };
    authenticator = createAuthenticator(options as AuthenticatorOptions);
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
  await authenticator.ready();
  const accepted: boolean[] = [];
  for (const rules of routes)
    for (const token of tokens.get(now) ?? [])
      accepted.push((await outcome(authenticator.verify(token, ...given(rules)))) === 'accepted');
  await authenticator.close();
  return accepted;
}
