// Options with a few values each, of which each pair is a change that `plan` judges. The tokens
// that tell the values apart are in plan-tokens.ts.
import { type CompiledRules, type Rules, route } from '../../src/index.ts';

/** A block of options, as it is in a descriptor. */
export type Block = { readonly [name: string]: unknown };

export const A = 'https://a.example';
export const B = 'https://b.example';

export const C = 'https://c.example';

const keyset = (name: 'a' | 'b', more: Block = {}): Block => ({
  issuer: name === 'a' ? A : B,
  secret: { name, key: 'jwks' },
  ...more,
});

/** What the changed options are changed in. */
export const BASE: Block = { audience: 'api', keySets: [keyset('a'), keyset('b')] };

const RULES: readonly Block[] = [
  { dept: 'IT' },
  { dept: ['IT'] },
  { dept: ['IT', 'HR'] },
  { dept: { anyOf: ['IT', 'HR'] } },
  { dept: { noneOf: ['IT'] } },
  { dept: { noneOf: ['IT', 4] } },
  { dept: { exactly: ['IT'] } },
  { dept: { values: ['IT'] } },
  { dept: { pattern: 'I.*' } },
  { dept: { present: true } },
  { dept: { optional: 'IT' } },
  { dept: { rule: 'IT', enforce: false } },
  { dept: { rule: 'IT', enforce: { from: '2030-01-01' } } },
  { dept: 'IT', scope: 'read' },
  { scope: ['read', 'write'] },
];

/** The values of each option. Undefined: it is left out. */
export const VALUES: { readonly [name: string]: readonly unknown[] } = {
  audience: ['api', 'web', ['api', 'web'], null],
  typ: [undefined, 'jwt', 'at+jwt', ['JWT', 'application/at+jwt'], 'logout+jwt'],
  profile: [undefined, 'at+jwt'],
  clockSkew: [undefined, '0s', '60s'],
  requireExp: [undefined, true, false],
  treatIatAsNbf: [undefined, true],
  allowFutureIat: [undefined, true],
  maxTokenAge: [undefined, '60s', '600s'],
  maxLifetime: [undefined, '5m', '1h'],
  numericSub: [undefined, true],
  unsafeAcceptSenderConstrained: [undefined, true],
  keySets: [
    [keyset('a'), keyset('b')],
    [keyset('a')],
    [keyset('b'), keyset('a')],
    [keyset('a', { audience: 'web' }), keyset('b')],
    [keyset('a', { audience: null }), keyset('b')],
    [keyset('a', { claims: { dept: 'IT' } }), keyset('b')],
    [keyset('a', { typ: 'logout+jwt' }), keyset('b')],
    [keyset('a', { maxTokenAge: '60s' }), keyset('b')],
    [keyset('a', { numericSub: true }), keyset('b')],
    [keyset('a', { kidless: 'refuse' }), keyset('b')],
  ],
  unsafeMissingIssuer: [undefined, 'all-keysets'],
  systemSubject: [undefined, 'alice'],
  maxTokenBytes: [undefined, 600],
  claims: [undefined, ...RULES],
};

/** What a route may require, next to a rule. */
const REQUIREMENTS: { readonly [name: string]: readonly unknown[] } = {
  claims: [{ dept: 'IT' }, { dept: { anyOf: ['IT', 'HR'] } }, { dept: 'IT', scope: 'read' }],
  enforce: [undefined, false, { from: '2030-01-01' }],
  issuers: [undefined, [A], [A, B]],
  audience: [undefined, 'web', ['api', 'web']],
  actors: [undefined, false, [false, 'gateway'], ['gateway']],
  acr: [undefined, ['mfa'], ['mfa', 'password']],
  maxAge: [undefined, '5m', '1h'],
};

/** The rules of a route in code, if it has any. */
export type Asked = Rules | CompiledRules | undefined;

/** Options that do something only next to others. */
interface Dependent {
  readonly name: string;
  readonly base: Block;
  readonly values: readonly unknown[];
  /** The rules of routes in code, which the plan does not know. */
  readonly routes?: readonly Asked[];
}

const forOthers: Block = { secret: { name: 'c', key: 'jwks' }, unsafeOtherIssuers: true };

export const DEPENDENT: readonly Dependent[] = [
  {
    name: 'issuers',
    base: { ...BASE, keySets: [keyset('a'), keyset('b'), forOthers] },
    values: [undefined, [A], [B], [A, B], [{ pattern: 'https://[ab][.]example' }]],
  },
  {
    name: 'keySets',
    base: { ...BASE, systemSubject: 'alice' },
    values: [
      [keyset('a'), keyset('b')],
      [keyset('a', { system: true }), keyset('b')],
    ],
  },
  {
    name: 'audMatch',
    base: { ...BASE, audience: ['api', 'web'] },
    values: [undefined, 'any', 'all', 'only'],
  },
  { name: 'audience', base: { ...BASE, audMatch: 'all' }, values: ['api', ['api', 'web'], 'web'] },
  { name: 'audience', base: { ...BASE, audMatch: 'only' }, values: ['api', ['api', 'web'], 'web'] },
  {
    name: 'scopes',
    base: BASE,
    values: [
      undefined,
      { implies: { write: ['read'] } },
      { implies: { write: ['other'] } },
      { permissions: true },
    ],
    routes: ['read', 'other'].flatMap((scope): Asked[] => [{ scope }, { scope: { noneOf: [scope] } }]),
  },
  {
    name: 'nestedClaimDelimiter',
    base: BASE,
    values: [undefined, '.', ':'],
    routes: [{ 'realm.role': 'IT' }, { 'realm:role': 'IT' }],
  },
  ...Object.entries(REQUIREMENTS).map(([name, values]) => ({
    name: 'routes',
    base: { ...BASE, audience: null, keySets: [keyset('a'), keyset('b'), forOthers] },
    values: values.map((value) => ({ pay: withOption({ claims: { dept: 'IT' } }, name, value) })),
    routes: [route('pay')],
  })),
];

/** The block with another value of an option. */
export function withOption(block: Block, name: string, value: unknown): Block {
  const { [name]: _before, ...others } = block;
  return value === undefined ? others : { ...others, [name]: value };
}
