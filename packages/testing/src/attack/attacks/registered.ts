// Attacks by the registered claims: times, audiences and issuers that are not right, in tokens that
// the right key signs.
import type { JsonValue } from '@latchkey/core';
import type { MintClaims } from '../../mint.ts';
import type { Attack, Need } from '../attack.ts';
import { signingKey } from '../attack.ts';
import type { Bench } from '../bench.ts';

const TIME =
  'A token must end: require exp as a finite number of seconds, and compare it with the clock and a small leeway.';
const NOT_YET = 'Compare nbf and iat with the clock: a token is not valid before them.';
const AUDIENCE =
  'A token for another service passes, so that service could use it here. Require that aud names this service, by an exact comparison.';
const ISSUER =
  'A token of another issuer passes. Compare iss with the issuers that you trust, by an exact comparison.';

/** Later than the leeway by this much, because a slow machine takes a while to send. Seconds. */
const LATER = 30;

const checked =
  (name: 'audiences' | 'issuer'): Need =>
  ({ config }) =>
    config[name] !== undefined
      ? undefined
      : name === 'issuer'
        ? 'the options do not name the only issuer of these keys'
        : 'audience is null: aud is not checked';

const minting =
  (claimsOf: (bench: Bench) => readonly MintClaims[]): Attack['forge'] =>
  (bench) =>
    Promise.all(claimsOf(bench).map((claims) => bench.mint(claims)));

const time = (
  id: Attack['id'],
  title: string,
  advice: string,
  claimsOf: (now: number, bench: Bench) => readonly MintClaims[],
  ...needs: readonly Need[]
): Attack => ({
  id,
  title,
  advice,
  needs,
  forge: minting((bench) => claimsOf(bench.config.now(), bench)),
});

const audience = (
  name: string,
  title: string,
  audiencesFor: (own: string) => readonly (JsonValue | undefined)[],
): Attack => ({
  id: `T-05${/^(?:missing|empty|shape)$/.test(name) ? 4 : 5}/aud-${name}`,
  title,
  advice: AUDIENCE,
  takes: 'a-token',
  needs: [checked('audiences')],
  forge: minting(({ config: { audiences = [] } }) =>
    audiencesFor(audiences[0] ?? '')
      .filter((aud) => typeof aud !== 'string' || !audiences.includes(aud))
      .map((aud) => ({ aud })),
  ),
});

const issuer = (
  row: 50 | 51 | 52,
  name: string,
  title: string,
  issuersFor: (own: string) => readonly JsonValue[],
): Attack => ({
  id: `T-0${row}/iss-${name}`,
  title,
  advice: ISSUER,
  needs: [checked('issuer')],
  forge: minting(({ config, attack }) =>
    issuersFor(config.issuer ?? '')
      .filter((iss) => !(attack.options.keySets ?? []).some((keyset) => keyset.issuer === iss))
      .map((iss) => ({ iss })),
  ),
});

const needsExp: Need = ({ config }) => (config.needsExp ? undefined : 'requireExp is false');
const otherCase = (text: string) => (text === text.toUpperCase() ? text.toLowerCase() : text.toUpperCase());

export const REGISTERED_ATTACKS: readonly Attack[] = [
  time(
    'T-057/exp-missing',
    'no exp, and exp null',
    TIME,
    () => [{ exp: undefined }, { exp: null }],
    needsExp,
  ),
  time('T-057/exp-text', 'exp as a text', TIME, (now) => [
    { exp: String(now + 300) },
    { exp: new Date((now + 300) * 1_000).toISOString() },
    { exp: 'never' },
  ]),
  {
    id: 'T-057/exp-infinite',
    title: 'exp 1e400, which is read as infinity',
    advice: TIME,
    needs: [signingKey],
    forge: async ({ good, sign }) => {
      const text = JSON.stringify({ ...good.claims, exp: 'EXP' });
      return [await sign(good.header, text.replace('"EXP"', '1e400'))];
    },
  },
  {
    id: 'T-058/exp-past',
    takes: 'a-token',
    title: 'exp just past the leeway',
    advice: TIME,
    forge: minting(({ config }) => {
      const exp = config.now() - config.skew - 1;
      return [{ iat: exp - 10, exp }];
    }),
  },
  time('T-059/nbf-future', 'nbf just beyond the leeway', NOT_YET, (now, { config }) => [
    { nbf: now + config.skew + LATER },
  ]),
  time(
    'T-059/iat-future',
    'iat in the future, beyond the leeway',
    NOT_YET,
    (now, { config }) => [{ iat: now + config.skew + LATER, exp: now + config.skew + LATER + 60 }],
    ({ config }) => (config.judgesFutureIat ? undefined : 'allowFutureIat is true'),
  ),
  time(
    'T-061/too-old',
    'older than maxTokenAge',
    'A token must be young: compare iat with the clock.',
    (now, { config }) => [{ iat: now - (config.maxTokenAge ?? 0) - config.skew - 1 }],
    ({ config }) => (config.maxTokenAge === undefined ? 'maxTokenAge is not set' : undefined),
  ),
  time(
    'T-061/too-long',
    'made for longer than maxLifetime',
    'A token may be made for a short time only: compare exp with iat.',
    (now, { config }) => [{ iat: now, exp: now + (config.maxLifetime ?? 0) + 60 }],
    ({ config }) => (config.maxLifetime === undefined ? 'maxLifetime is not set' : undefined),
  ),
  time(
    'T-061/iat-missing',
    'no iat',
    'The age of the token cannot be judged. Require iat.',
    () => [{ iat: undefined }],
    ({ config }) => (config.needsIat ? undefined : 'no option requires iat'),
  ),
  audience('missing', 'no aud', () => [undefined, null]),
  audience('empty', 'aud that is an empty list, and an empty text', () => [[], '']),
  audience('shape', 'the audience in a list in a list, and in an object', (own) => [[[own]], { 0: own }]),
  audience('other', 'the audience of another service', () => [
    'https://latchkey-other.example',
    ['https://latchkey-other.example'],
  ]),
  audience('prefix', 'an audience that begins with that of the service', (own) => [
    `${own}.evil.example`,
    `${own}/other`,
  ]),
  audience('part', 'a part of the audience, and a text around it', (own) => [
    own.slice(0, -1),
    own.slice(1),
    `x${own}`,
  ]),
  audience('case', 'the audience in other letters, and with a slash', (own) => [otherCase(own), `${own}/`]),
  {
    id: 'T-051/iss-missing',
    title: 'no iss',
    advice: ISSUER,
    needs: [({ config }) => (config.needsIssuer ? undefined : 'the options accept a token without iss')],
    forge: minting(() => [{ iss: undefined }]),
  },
  issuer(51, 'shape', 'the issuer in a list and in an object, and iss null and empty', (own) => [
    [own],
    ['https://evil.example', own],
    { 0: own },
    null,
    '',
  ]),
  issuer(50, 'unknown', 'an issuer that the service does not know', () => ['https://evil.example']),
  issuer(52, 'prefix', 'an issuer that begins with the trusted one', (own) => [
    `${own}.evil.example`,
    `${own}@evil.example`,
    `${own}/evil`,
  ]),
  issuer(52, 'part', 'a text around the issuer, and a part of it', (own) => [
    `https://evil.example/?${own}`,
    `x${own}`,
    own.slice(0, -1),
  ]),
  issuer(52, 'slash', 'the issuer with another slash at its end', (own) => [
    own.endsWith('/') ? own.slice(0, -1) : `${own}/`,
  ]),
  issuer(52, 'case', 'the issuer in other letters', (own) => [otherCase(own)]),
];
