// Options, rules and tokens for metamorphic properties: a few claims with a few values each, so
// that rules hold about as often as not. Only keys that sign quickly.
import fc from 'fast-check';
import {
  type Authenticator,
  type AuthenticatorOptions,
  createAuthenticator,
  type JsonObject,
  type Rule,
} from '../../src/index.ts';
import { MAX_BYTES, NOW_S } from './configs.ts';
import { ISSUERS, SIGNERS, type SignerName } from './keys.ts';
import type { Member, Mutation } from './mutations.ts';
import { type TokenPlan, tokenPlansOf } from './plans.ts';

const QUICK = [
  'es256',
  'eddsa',
  'twin',
  'otherTwin',
  'withoutKid',
  'ofB',
] as const satisfies readonly SignerName[];

/** The keys of the first issuer, in the order of its set. */
export const KEYS_OF_A: readonly JsonObject[] = QUICK.slice(0, 5).map((name) => SIGNERS[name].jwk);
export const KEYSET_OF_B = { issuer: ISSUERS.b, jwks: { keys: [SIGNERS.ofB.jwk] } };

const LITERALS = ['read', 'write', 'admin', 'banned', 4, true] as const;
const literal = fc.constantFrom(...LITERALS);
const literals = fc.uniqueArray(literal, { minLength: 1, maxLength: 3 });

const required = fc.oneof(
  literal,
  literals,
  literals.map((anyOf) => ({ anyOf })),
  literals.map((allOf) => ({ allOf })),
  literals.map((noneOf) => ({ noneOf })),
  literals.map((exactly) => ({ exactly })),
  literals.map((values) => ({ values })),
  fc.constantFrom('[a-m].*', 'read|write', '.*e.*').map((pattern) => ({ pattern })),
  fc.constantFrom('a', '^r').map((pattern) => ({ pattern, match: 'search' as const })),
  fc.constant({ present: true as const }),
);

/** A rule of any form that is data. */
export const rule: fc.Arbitrary<Rule> = fc.oneof(
  { weight: 3, arbitrary: required },
  { weight: 2, arbitrary: required.map((one) => ({ optional: one })) },
  { weight: 1, arbitrary: required.map((one) => ({ rule: one, enforce: false as const })) },
);

/** Rules by claim. */
export type Ruled = { readonly [claim: string]: Rule };
const RULED = ['scope', 'scp', 'roles', 'dept', 'groups', 'sub'] as const;
export const rules: fc.Arbitrary<Ruled> = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...RULED), rule), { maxLength: 2, selector: ([claim]) => claim })
  .map((entries): Ruled => Object.fromEntries(entries));

const VALUES = [
  ...['"read"', '"read write"', '["read"]', '["read","write"]', '["banned"]', '["admin","read"]', '"admin"'],
  ...['["read","write","admin"]', '4', 'true', 'null', '[]', '["read",4]', '["admin","write",4,true]'],
] as const;

const memberOf = (claim: string, ...values: readonly string[]): fc.Arbitrary<readonly Member[]> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...values).map((json): readonly Member[] => [[claim, json]]) },
    { weight: 1, arbitrary: fc.constant([]) },
  );

const ruled: fc.Arbitrary<readonly Member[]> = fc
  .tuple(
    ...['roles', 'dept', 'groups'].map((claim) => memberOf(claim, ...VALUES)),
    memberOf('scope', '"read write"', '"admin read"', '["read","write","admin"]', '"write"'),
    fc.constantFrom<readonly Member[]>([], [], [['scp', '["admin"]']]),
  )
  .map((lists) => lists.flat());

/** Plans of tokens with the claims of the rules, signed by quick keys. */
export const ruledPlans = (kinds?: readonly Mutation['kind'][]): fc.Arbitrary<TokenPlan> =>
  tokenPlansOf({
    signers: fc.constantFrom(...QUICK),
    claims: ruled,
    ...(kinds === undefined ? {} : { kinds }),
  });

/** Options as data, which code and a descriptor may have. */
export interface WorldOptions {
  readonly audience: readonly string[];
  readonly audMatch: 'any' | 'all' | 'only';
  readonly issuers: readonly string[];
  readonly clockSkew: number;
  readonly requireExp: boolean;
  readonly treatIatAsNbf: boolean;
  readonly allowFutureIat: boolean;
  readonly numericSub: boolean;
  readonly unsafeAcceptSenderConstrained: boolean;
  /** In seconds; null for none. */
  readonly maxTokenAge: number | null;
  readonly maxLifetime: number | null;
  readonly typ: readonly string[] | null;
  readonly kidless: 'first' | 'try-all' | 'refuse';
  readonly claims: Ruled;
  /** The rules of the keyset of the first issuer. */
  readonly keysetClaims: Ruled;
  readonly implies: boolean;
}

/** The first value in four of five cases. */
const mostly = <const T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );

const ALL_ISSUERS = [ISSUERS.a, ISSUERS.b];

/** Options that core accepts, of which many tokens meet all. */
export const worldOptions: fc.Arbitrary<WorldOptions> = fc
  .record({
    audience: fc.constantFrom(['api'], ['api', 'web'], ['api', 'other']),
    audMatch: mostly('any', 'all', 'only'),
    issuers: fc.constantFrom(ALL_ISSUERS, ALL_ISSUERS, [ISSUERS.a]),
    clockSkew: fc.constantFrom(0, 5, 60),
    requireExp: fc.boolean(),
    treatIatAsNbf: fc.boolean(),
    allowFutureIat: fc.boolean(),
    numericSub: fc.boolean(),
    unsafeAcceptSenderConstrained: fc.boolean(),
    maxTokenAge: mostly(null, 60, 600),
    maxLifetime: mostly(null, 600, 7_200),
    typ: mostly(null, ['jwt'], ['at+jwt'], ['jwt', 'at+jwt']),
    kidless: fc.constantFrom('first', 'try-all', 'refuse'),
    claims: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: rules }),
    keysetClaims: fc.oneof({ weight: 4, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: rules }),
    implies: fc.boolean(),
  })
  .map(
    (options): WorldOptions => ({
      ...options,
      // Those that are refused together.
      requireExp: options.requireExp || options.maxLifetime !== null,
      allowFutureIat:
        options.allowFutureIat &&
        !options.treatIatAsNbf &&
        options.maxTokenAge === null &&
        options.maxLifetime === null,
    }),
  );

/** The options as they are written. */
export function written(options: WorldOptions): Omit<AuthenticatorOptions, 'clock'> {
  const { maxTokenAge, maxLifetime, typ, kidless, claims, keysetClaims, implies, clockSkew, ...same } =
    options;
  return {
    ...same,
    clockSkew: `${clockSkew}s`,
    keySets: [
      { issuer: ISSUERS.a, jwks: { keys: KEYS_OF_A }, kidless, claims: keysetClaims },
      { ...KEYSET_OF_B, kidless },
    ],
    claims,
    maxTokenBytes: MAX_BYTES,
    ...(maxTokenAge === null ? {} : { maxTokenAge: `${maxTokenAge}s` }),
    ...(maxLifetime === null ? {} : { maxLifetime: `${maxLifetime}s` }),
    ...(typ === null ? {} : { typ }),
    ...(implies ? { scopes: { implies: { write: ['read'] } } } : {}),
  };
}

const clock = { now: () => NOW_S * 1000 };

/** Uses an authenticator, and closes it. */
export async function withAuthenticator<T>(
  options: Omit<AuthenticatorOptions, 'clock'>,
  use: (authenticator: Authenticator) => Promise<T>,
): Promise<T> {
  const authenticator = createAuthenticator({ ...options, clock } as AuthenticatorOptions);
  try {
    return await use(authenticator);
  } finally {
    await authenticator.close();
  }
}
