// Plans of tokens: a valid token, and at most one mutation. A plan is JSON, so that it can be kept
// and shrunk, whatever the keys of the process are. tokens.ts makes tokens of plans.
import fc from 'fast-check';
import { CONFIGS, type Config } from './configs.ts';
import type { SignerName } from './keys.ts';
import { type Member, MUTATIONS, type Mutation } from './mutations.ts';
import { HOSTILE, TIMES } from './values.ts';

/** A token as data. */
export interface TokenPlan {
  /** The index of the options that judge it. */
  readonly config: number;
  readonly signer: SignerName;
  /** Which of the types that the options accept. */
  readonly typ: number;
  readonly hasKid: boolean;
  readonly header: readonly Member[];
  readonly claims: readonly Member[];
  readonly mutation: Mutation;
}

/** RSA and the large curves take longest to sign. */
const signer: fc.Arbitrary<SignerName> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('hs256', 'hs384', 'hs512', 'eddsa') },
  { weight: 4, arbitrary: fc.constantFrom('es256', 'twin', 'otherTwin', 'withoutKid', 'ofB') },
  { weight: 2, arbitrary: fc.constantFrom('rsa', 'ps256', 'ps384', 'ps512', 'es384', 'es512') },
);

const optional = (name: string, ...texts: readonly string[]): fc.Arbitrary<readonly Member[]> =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.constantFrom(...texts).map((json): readonly Member[] => [[name, json]]) },
  );

/** Claims that a valid token may have, besides those that it must have. */
const moreClaims = fc
  .tuple(
    optional('nbf', ...TIMES.past),
    optional('jti', '"id"', '"ü"'),
    optional('client_id', '"client"'),
    optional('scope', '"read write"', '["read"]', '""', 'null'),
    optional('act', '{"sub":"service"}', '{"sub":"service","act":{"sub":"other"}}'),
    optional('extra', ...HOSTILE.filter((json) => json !== '1e400' && json !== '"\\ud800"')),
    optional('__proto__', '{"admin":true}'),
  )
  .map((lists) => lists.flat());

const moreHeader = fc
  .tuple(optional('jwk', '{"kty":"oct","k":"AA"}'), optional('x5c', '["AA"]'), optional('toString', '1'))
  .map((lists) => lists.flat());

/** The audiences that the options accept: with each `audMatch`. */
const AUD = {
  any: ['"api"', '["api"]', '["third","api"]', '["api","api"]'],
  only: ['"api"', '["api"]', '["other","api"]', '["api","api"]'],
  all: ['["other","api"]', '["third","api","other"]'],
} as const;

interface PlanChoice {
  /** Default: every signer. */
  readonly signers?: fc.Arbitrary<SignerName>;
  /** The kinds of mutations. Default: all. */
  readonly kinds?: readonly Mutation['kind'][];
  /** More claims. Default: none. */
  readonly claims?: fc.Arbitrary<readonly Member[]>;
}

/** Plans of tokens of which about half are valid, if all kinds of mutations are there. */
export function tokenPlansOf({
  signers = signer,
  kinds,
  claims = fc.constant([]),
}: PlanChoice = {}): fc.Arbitrary<TokenPlan> {
  return fc.nat(CONFIGS.length - 1).chain((config) => {
    const { audMatch, maxLifetimeS } = CONFIGS[config] as Config;
    const [soon, sooner, ...far] = TIMES.future;
    return fc.record({
      config: fc.constant(config),
      signer: signers,
      typ: fc.nat(5),
      hasKid: fc.oneof(
        { weight: 9, arbitrary: fc.constant(true) },
        { weight: 1, arbitrary: fc.constant(false) },
      ),
      header: moreHeader,
      claims: fc
        .tuple(
          fc.constantFrom(...AUD[audMatch]),
          fc.constantFrom(soon, sooner, ...(maxLifetimeS === undefined ? far : [])),
          fc.constantFrom(...TIMES.past),
          moreClaims,
          claims,
        )
        .map(([aud, exp, iat, ...lists]): readonly Member[] => {
          const members = new Map<string, string>([
            ['aud', aud],
            ['sub', '"alice"'],
            ['exp', exp],
            ['iat', iat],
            ...lists.flat(),
          ]);
          return [...members];
        }),
      mutation: fc.oneof(...MUTATIONS.filter(({ kind }) => kinds?.includes(kind) ?? true)),
    });
  });
}
