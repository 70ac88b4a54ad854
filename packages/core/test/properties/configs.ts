// The options by which generated tokens are judged: by core, by jose, and by the reference.
import { type Authenticator, createAuthenticator, createMemoryStore } from '../../src/index.ts';
import { ISSUERS, keysOf } from './keys.ts';

/** The time of all decisions, a whole second. jose rounds the time down to one. */
export const NOW_S = 1_700_000_000;

/** A longer token is refused. */
export const MAX_BYTES = 2_048;

/** What a decision depends on, besides keys and time. */
export interface Config {
  readonly audience: readonly string[];
  readonly audMatch: 'any' | 'all' | 'only';
  readonly skewS: number;
  readonly requireExp: boolean;
  readonly maxAgeS: number | undefined;
  readonly maxLifetimeS: number | undefined;
  /** `nbf`: see treatIatAsNbf. `free`: see allowFutureIat. */
  readonly iat: 'past' | 'nbf' | 'free';
  readonly numericSub: boolean;
  /** The accepted types in lower case. Undefined in the list: a token without `typ`. */
  readonly types: readonly (string | undefined)[];
  readonly kidless: 'first' | 'try-all' | 'refuse';
}

const USUAL: Config = {
  audience: ['api'],
  audMatch: 'any',
  skewS: 5,
  requireExp: true,
  maxAgeS: undefined,
  maxLifetimeS: undefined,
  iat: 'past',
  numericSub: false,
  types: [undefined, 'jwt', 'at+jwt'],
  kidless: 'first',
};

/** Each generated token is judged by one of them. */
export const CONFIGS: readonly Config[] = [
  USUAL,
  { ...USUAL, skewS: 0, kidless: 'try-all' },
  { ...USUAL, audience: ['api', 'web'], maxAgeS: 600 },
  { ...USUAL, types: ['at+jwt'], skewS: 60 },
  { ...USUAL, requireExp: false, kidless: 'refuse' },
  { ...USUAL, requireExp: false, maxAgeS: 60, skewS: 0, types: ['jwt'] },
  { ...USUAL, iat: 'nbf', maxLifetimeS: 600, audience: ['api', 'other'], audMatch: 'only' },
  { ...USUAL, iat: 'free', numericSub: true, audience: ['api', 'other'], audMatch: 'all' },
];

/** Makes the authenticator of these options. The secrets of the third issuer are read at once. */
export async function authenticatorFor(config: Config): Promise<Authenticator> {
  const { kidless } = config;
  const isUsualType = config.types.includes(undefined);
  const secrets = createMemoryStore({
    keys: { 'jwks.json': JSON.stringify({ keys: keysOf(ISSUERS.secret) }) },
  });
  const authenticator = createAuthenticator({
    keySets: [
      ...[ISSUERS.a, ISSUERS.b].map((issuer) => ({ issuer, jwks: { keys: keysOf(issuer) }, kidless })),
      { issuer: ISSUERS.secret, secret: { name: 'keys', key: 'jwks.json' }, kidless },
    ],
    secrets,
    audience: config.audience,
    clockSkew: `${config.skewS}s`,
    audMatch: config.audMatch,
    requireExp: config.requireExp,
    treatIatAsNbf: config.iat === 'nbf',
    allowFutureIat: config.iat === 'free',
    numericSub: config.numericSub,
    maxTokenBytes: MAX_BYTES,
    clock: { now: () => NOW_S * 1000 },
    ...(config.maxAgeS === undefined ? {} : { maxTokenAge: `${config.maxAgeS}s` }),
    ...(config.maxLifetimeS === undefined ? {} : { maxLifetime: `${config.maxLifetimeS}s` }),
    ...(isUsualType ? {} : { typ: config.types.map(String) }),
  });
  await authenticator.ready();
  return authenticator;
}
