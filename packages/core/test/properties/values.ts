// Values that claims and header parameters of generated tokens get, as JSON text: right, nearly
// right, of another type, and hostile.
import { NOW_S } from './configs.ts';
import { ISSUERS } from './keys.ts';

/** Values that no member should rely on. */
export const HOSTILE = [
  ...['null', 'true', 'false', '0', '-1', '1.5', '1e400', '9007199254740993', '""', '" "', '"x"', '"none"'],
  ...['[]', '[null]', '["x"]', '[["x"]]', '{}', '{"0":"api"}', '{"__proto__":{}}', '"\\u0000"', '"\\ud800"'],
  ...['"\\ud83d\\ude00"', '"a\\nb"', '"\\u200b"', '"\\u2028"', '-0', '1e-999'],
] as const;

/** Times that are valid with all options. */
export const TIMES = {
  future: [`${NOW_S + 300}`, `${NOW_S + 1}.25`, `${NOW_S + 3600}`, '1.7000009e9', '8589934591'],
  past: [`${NOW_S - 30}`, `${NOW_S}`, `${NOW_S - 1}.5`, '169999997e1'],
} as const;

const TIME_VALUES = [
  ...TIMES.future,
  ...TIMES.past,
  ...[`"${NOW_S + 300}"`, `${NOW_S}000`, '8589934592', '8589934591.9', '1e20', '-1e9', `[${NOW_S}]`],
  ...[`${NOW_S - 120}`, `${NOW_S - 900}`, `${NOW_S + 900}`],
] as const;

const IDENTIFIERS = [
  ...['"alice"', '"al ice"', '"ü"', '"a\\u0007"', '"\\u007f"', '"\\u0085"', '"\\u00a0"', '42', '"42"'],
  ...['["alice"]', '"-"'],
] as const;

const STRING_LISTS = [
  '"read"',
  '"read write"',
  '["read"]',
  '["read",5]',
  '[]',
  '{"read":true}',
  '5',
] as const;

/** The values of each claim, of which some are valid. */
export const CLAIM_VALUES = {
  iss: [
    ...Object.values(ISSUERS).flatMap((issuer) => [JSON.stringify(issuer), JSON.stringify([issuer])]),
    ...['"https://a.example/"', '"https://A.example"', '" https://a.example"', '"https:\\/\\/a.example"'],
    ...['"a.example"', '"https://a.example:443"', '"https://\\u0430.example"'],
  ],
  aud: [
    ...['"api"', '["api"]', '["other"]', '["other","api"]', '["api",""]', '["api",5]', '["api",null]', '[]'],
    ...['"API"', '"api/"', '" api"', '"web"', '["web"]', '["web","api"]', '{"0":"api"}', '[["api"]]', '""'],
    ...['"api web"', '"ap"', '"\\u0061pi"'],
  ],
  exp: TIME_VALUES,
  nbf: TIME_VALUES,
  iat: TIME_VALUES,
  sub: IDENTIFIERS,
  jti: IDENTIFIERS,
  client_id: IDENTIFIERS,
  azp: IDENTIFIERS,
  sid: IDENTIFIERS,
  act: [
    ...['{"sub":"service"}', '{"sub":"service","iss":"https://x.example","client_id":"c"}', '{"sub":5}'],
    ...['{"sub":"service","act":{"sub":"other"}}', '{"sub":"service","act":{}}', '{"iss":"x"}', '"service"'],
    ...['{"sub":"service","act":"other"}', '{"sub":"service","iss":5}', '{"sub":"service","act":null}'],
  ],
  cnf: ['{"jkt":"x"}', '{}', 'null', '"x"'],
  events: ['{"https://x.example/e":{}}', '{}', '[]', '"x"', 'null'],
  scope: STRING_LISTS,
  scp: STRING_LISTS,
  groups: STRING_LISTS,
  acr: ['"urn:mfa"', '5'],
  auth_time: ['5', '"5"'],
  _claim_names: ['{"groups":"x"}'],
  extra: ['"x"', '[1,[2,{"a":[]}]]'],
  ['__proto__']: ['{"admin":true}', 'null'],
  constructor: ['{"prototype":{"admin":true}}'],
  toString: ['1'],
} as const satisfies { readonly [claim: string]: readonly string[] };

const LONG_KID = JSON.stringify('k'.repeat(257));

/** The values of each header parameter. */
export const HEADER_VALUES = {
  alg: [
    ...['"none"', '"None"', '"RS256"', '"ES256"', '"HS256"', '"es256"', '"ES256 "', '"RS1"', '"HS2048"'],
    ...['["ES256"]', '"EdDSA"', '"Ed25519"', '"ES256K"', '"PS256"', '"\\u0045S256"'],
  ],
  kid: [
    ...['"ec"', '"EC"', '"ed"', '"twin"', '"enc"', '"unknown"', '"__proto__"', '"constructor"', LONG_KID],
    ...['"../../dev/null"', '"hs256"', '"ec "', '["ec"]'],
  ],
  typ: [
    ...['"JWT"', '"jwt"', '"at+jwt"', '"AT+JWT"', '"application/at+jwt"', '"application/jwt"', '"JOSE"'],
    ...['"dpop+jwt"', '"logout+jwt"', '"application/application/jwt"', '"APPLICATION/JWT"', '"text/jwt"'],
    ...['"JWT "', '"at\\u002bjwt"', '"\\u212at+jwt"'],
  ],
  cty: ['"JWT"', '"jwt"', '"application/JWT"', '"json"', '"application/json"', '"text/jwt"'],
  crit: ['["exp"]', '["b64"]', '["crit"]', '["unknown"]', '"exp"'],
  b64: ['true', 'false'],
  zip: ['"DEF"', '"none"'],
  enc: ['"A256GCM"'],
  jku: ['"https://evil.example/jwks"', '"https://a.example/jwks"'],
  x5u: ['"https://evil.example/cert"'],
  x5c: ['["AA"]', '"AA"'],
  x5t: ['"AAAA"', JSON.stringify('t'.repeat(257))],
  'x5t#S256': ['"AAAA"', JSON.stringify('t'.repeat(257))],
  jwk: ['{"kty":"oct","k":"AAAA"}', '{"kty":"EC"}'],
  p2c: ['2147483648'],
  unknown: ['"x"', '{"a":[1]}'],
  ['__proto__']: ['{"kid":"ec"}'],
  constructor: ['"x"'],
} as const satisfies { readonly [parameter: string]: readonly string[] };

/** What is inserted into a segment. */
export const CHARACTERS = [
  ...[
    '=',
    '==',
    '+',
    '/',
    ' ',
    '\n',
    '\r\n',
    '\t',
    '\0',
    '.',
    '-',
    '_',
    'A',
    'é',
    '\u200b',
    '\u{1f600}',
    '%3D',
  ],
  ...['~', '\u0141', 'AAAA'],
] as const;
