// The one change that a token may have, and how often each kind is generated. What it does to a
// token is in tokens.ts and spellings.ts.
import fc from 'fast-check';
import { SIGNER_NAMES, type SignerName } from './keys.ts';
import { CHARACTERS, CLAIM_VALUES, HEADER_VALUES, HOSTILE } from './values.ts';

/** A member of a JSON object: its name, and its value as JSON text. */
export type Member = readonly [name: string, json: string];

/** The one change of a token. */
export type Mutation =
  | { readonly kind: 'none' }
  | { readonly kind: 'segments'; readonly how: (typeof SEGMENTS)[number] }
  | {
      readonly kind: 'characters';
      readonly segment: 0 | 1 | 2;
      readonly at: number;
      readonly how: 'insert' | 'replace' | 'spare bits';
      readonly text: string;
      /** The signature is that of the changed segment. */
      readonly signed: boolean;
    }
  /** Null: the member is left out. */
  | { readonly kind: 'header' | 'claim'; readonly name: string; readonly json: string | null }
  | { readonly kind: 'signature'; readonly how: (typeof SIGNATURES)[number]; readonly at: number }
  | { readonly kind: 'key'; readonly by: SignerName | 'public key as secret' }
  | { readonly kind: 'algorithm'; readonly alg: string }
  | {
      readonly kind: 'spelling';
      readonly part: 'header' | 'claims';
      readonly how: (typeof SPELLINGS)[number];
      readonly at: number;
    }
  | { readonly kind: 'size'; readonly over: number }
  | {
      readonly kind: 'time';
      readonly claim: 'exp' | 'nbf' | 'iat';
      readonly edge: 'now' | 'past skew' | 'future skew' | 'age';
      readonly deltaMs: number;
    };

const SEGMENTS = [
  'no header',
  'no payload',
  'no signature',
  'two segments',
  'one segment',
  'four segments',
  'five segments',
  'dot before',
  'dot after',
  'swapped',
  'flattened JSON',
  'quoted',
  'scheme before',
  'doubled',
  'nothing',
] as const;

const SIGNATURES = [
  'flip a bit',
  'cut a byte',
  'cut the first byte',
  'add a byte',
  'zero before',
  'zeros',
  'no bytes',
  'DER',
  'negative s',
  'swap halves',
  'doubled',
] as const;

/** How a JSON text is written differently. Those of the first line mean the same. */
const SPELLINGS = [
  ...['spaces', 'white space around', 'reordered', 'escaped name', 'escaped value', 'escaped slash'],
  ...[
    'repeated',
    'repeated with another value',
    'repeated with escapes',
    'repeated inside',
    '__proto__ twice',
  ],
  ...['byte order mark', 'UTF-16', 'byte FF', 'overlong', 'encoded surrogate', 'escaped surrogate'],
  ...['surrogate in a name', 'comma at the end', 'comment', 'single quotes', 'text after', 'another object'],
  ...['cut', 'leading zero', 'plus', 'NaN', 'TRUE', 'line feed in a text', 'wrong escape', 'no-break space'],
  ...['form feed', 'NUL after', 'array', 'text', 'number', 'null', 'deep enough', 'too deep', 'empty object'],
] as const;

const same = ['spaces', 'white space around', 'reordered', 'escaped name', 'escaped value', 'escaped slash'];

const spelling = (how: fc.Arbitrary<string>): fc.Arbitrary<Mutation> =>
  fc.record({
    kind: fc.constant('spelling'),
    part: fc.constantFrom('header', 'claims'),
    how: how as fc.Arbitrary<(typeof SPELLINGS)[number]>,
    at: fc.nat(30),
  });

const member = (
  kind: 'header' | 'claim',
  values: { readonly [name: string]: readonly string[] },
): fc.Arbitrary<Mutation> =>
  fc.constantFrom(...Object.keys(values)).chain((name) =>
    fc.record({
      kind: fc.constant(kind),
      name: fc.constant(name),
      json: fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom(...(values[name] ?? [])) },
        { weight: 2, arbitrary: fc.constantFrom(...HOSTILE) },
        { weight: 1, arbitrary: fc.constant(null) },
      ),
    }),
  );

/** The mutations, by how often they occur. */
export const MUTATIONS: readonly (fc.WeightedArbitrary<Mutation> & { readonly kind: Mutation['kind'] })[] = [
  { kind: 'none', weight: 12, arbitrary: fc.constant<Mutation>({ kind: 'none' }) },
  {
    kind: 'segments',
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('segments'), how: fc.constantFrom(...SEGMENTS) }),
  },
  {
    kind: 'characters',
    weight: 7,
    arbitrary: fc.record({
      kind: fc.constant('characters'),
      segment: fc.constantFrom(0, 1, 2),
      at: fc.nat(2_000),
      how: fc.constantFrom('insert', 'insert', 'replace', 'spare bits'),
      text: fc.constantFrom(...CHARACTERS),
      signed: fc.boolean(),
    }),
  },
  { kind: 'header', weight: 12, arbitrary: member('header', HEADER_VALUES) },
  { kind: 'claim', weight: 22, arbitrary: member('claim', CLAIM_VALUES) },
  {
    kind: 'signature',
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('signature'),
      how: fc.constantFrom(...SIGNATURES),
      at: fc.nat(4_000),
    }),
  },
  {
    kind: 'key',
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('key'),
      by: fc.constantFrom('public key as secret', ...SIGNER_NAMES),
    }),
  },
  {
    kind: 'algorithm',
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('algorithm'),
      alg: fc.constantFrom('RS384', 'RS512', 'PS256', 'PS384', 'RS256', 'Ed25519', 'HS256', 'HS512', 'ES256'),
    }),
  },
  { kind: 'spelling', weight: 8, arbitrary: spelling(fc.constantFrom(...same)) },
  { kind: 'spelling', weight: 9, arbitrary: spelling(fc.constantFrom(...SPELLINGS)) },
  {
    kind: 'size',
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('size'), over: fc.integer({ min: -8, max: 8 }) }),
  },
  {
    kind: 'time',
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('time'),
      claim: fc.constantFrom('exp', 'nbf', 'iat'),
      edge: fc.constantFrom('now', 'past skew', 'future skew', 'age'),
      deltaMs: fc.constantFrom(0, -1, 1, -1_000, 1_000, 500, -500),
    }),
  },
];
