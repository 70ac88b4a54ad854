// What to write here in place of options of other packages, and of options in the wrong place, for
// messages about unknown options. Nothing is read here.

const BY_DISCOVERY = "keySets: [{ issuer: 'https://…', useOidcDiscovery: true }]";
const BY_URL = "keySets: [{ issuer: 'https://…', jwksUrl: 'https://…' }]";
const BY_PEM = "keySets: [{ issuer: 'https://…', publicKeys: [{ pem, algorithm: 'RS256' }] }]";
const BY_SECRET =
  "keySets: [{ issuer: 'https://…', secret: { name: 'jwt' }, allowedAlgorithms: ['HS256'] }] and a store in secrets";
const BY_PLACE = "tokenFrom: [{ header: 'Authorization' }, { cookie: '…' }]";
const IN_COOKIE = "tokenFrom: [{ cookie: '…' }]";
const BY_MODE = "mode: 'optional'";
const BY_SKEW = "clockSkew: '30s'";
const NO_NAME =
  'the principal is at req.auth (Express, NestJS), request.auth (Fastify) or ctx.state.auth (Koa), under no other name';

/** By the name of the option: whose it is, and what is written here. */
type Row = readonly [name: string, of: string, here: string];

const OF_ALL: readonly Row[] = [
  ['algorithms', 'jose, express-jwt and others', "allowedAlgorithms: ['RS256'] in a keyset"],
  ['tokenSigningAlg', 'express-oauth2-jwt-bearer', "allowedAlgorithms: ['RS256'] in a keyset"],
  ['cacheMaxAge', 'jose and jwks-rsa', "refreshInterval: '10m' in a keyset"],
  ['cooldownDuration', 'jose', 'nothing: unknown key ids cause few requests'],
  ['jwksRequestsPerMinute', 'jwks-rsa', 'nothing: unknown key ids cause few requests'],
  ['rateLimit', 'jwks-rsa', 'nothing: unknown key ids cause few requests'],
  ['cacheMaxEntries', 'jwks-rsa', 'nothing: all keys of a source are cached'],
];

const OF_AUTHENTICATOR: readonly Row[] = [
  ['issuerBaseURL', 'express-oauth2-jwt-bearer', BY_DISCOVERY],
  ['issuer', 'jose, jsonwebtoken and others', BY_DISCOVERY],
  ['jwksUri', 'express-oauth2-jwt-bearer and jwks-rsa', BY_URL],
  ['jwks_uri', 'OpenID Connect', BY_URL],
  ['secret', 'express-jwt, koa-jwt and @fastify/jwt', BY_SECRET],
  ['secretOrKey', 'passport-jwt', BY_SECRET],
  ['secretOrPrivateKey', 'NestJS JwtModule', BY_SECRET],
  ['secretOrKeyProvider', 'passport-jwt and NestJS JwtModule', BY_URL],
  ['publicKey', 'NestJS JwtModule', BY_PEM],
  ['privateKey', 'NestJS JwtModule', 'createSigner of the subpath signing; checking needs the public key'],
  ['signOptions', 'NestJS JwtModule', 'createSigner of the subpath signing'],
  ['sign', '@fastify/jwt', 'createSigner of the subpath signing'],
  ['verifyOptions', 'NestJS JwtModule', 'its options themselves, such as audience'],
  ['verify', '@fastify/jwt', 'its options themselves, such as audience'],
  ['jsonWebTokenOptions', 'passport-jwt', 'its options themselves, such as audience'],
  ['getToken', 'express-jwt and koa-jwt', BY_PLACE],
  ['jwtFromRequest', 'passport-jwt', BY_PLACE],
  ['extractToken', '@fastify/jwt', BY_PLACE],
  ['cookie', '@fastify/jwt and koa-jwt', IN_COOKIE],
  ['credentialsRequired', 'express-jwt', BY_MODE],
  ['authRequired', 'express-oauth2-jwt-bearer', BY_MODE],
  ['passthrough', 'koa-jwt', "mode: 'permissive'"],
  ['requestProperty', 'express-jwt', NO_NAME],
  ['userProperty', 'express-jwt', NO_NAME],
  ['resultProperty', 'express-jwt', NO_NAME],
  ['decoratorName', '@fastify/jwt', NO_NAME],
  ['key', 'koa-jwt', NO_NAME],
  ['ignoreExpiration', 'jsonwebtoken', 'nothing: an expired token is always refused'],
  ['clockTolerance', 'jose and jsonwebtoken', BY_SKEW],
  ['graceSeconds', 'aws-jwt-verify', BY_SKEW],
  ['clockTimestamp', 'jsonwebtoken', 'clock: { now }, in milliseconds'],
  ['currentDate', 'jose', 'clock: { now }, in milliseconds'],
  [
    'maxAge',
    'jsonwebtoken',
    "maxTokenAge: '1h'; for the time since the login, maxAge of a route: authenticate(options, { maxAge: '5m' })",
  ],
  ['acr', 'a route', "authenticate(options, { acr: ['…'] }), or acr in routes"],
  ['actors', 'a route', "authenticate(options, { actors: ['…'] }), or actors in routes"],
  ['subject', 'jose and jsonwebtoken', "claims: { sub: '…' }"],
  ['requiredClaims', 'jose', 'claims: { name: { present: true } }'],
  ['validators', 'express-oauth2-jwt-bearer', 'claims: rules by claim name'],
  ['customJwtCheck', 'aws-jwt-verify', 'claims: rules by claim name'],
  ['isRevoked', 'express-jwt and koa-jwt', 'remote: an endpoint that validates each token'],
  ['strict', 'express-oauth2-jwt-bearer', "profile: 'at+jwt'"],
  [
    'userPoolId',
    'aws-jwt-verify',
    "keySets: [{ issuer: 'https://cognito-idp.REGION.amazonaws.com/USER_POOL_ID', useOidcDiscovery: true }]",
  ],
  ['clientId', 'aws-jwt-verify', "claims: { client_id: '…' } for access tokens, audience: '…' for ID tokens"],
  ['tokenUse', 'aws-jwt-verify', "claims: { token_use: 'access' }"],
  ['scope', 'aws-jwt-verify', "requireClaims({ scope: '…' }) on a route, or claims: { scope: '…' }"],
];

const OF_DESCRIPTOR = ['service', 'jwt'].map(
  (name): Row => [
    name,
    'a descriptor',
    "the members of its service.jwt, or { descriptor: 'service.yaml' } and the file",
  ],
);

const OF_KEYSET: readonly Row[] = [
  ['issuerBaseURL', 'express-oauth2-jwt-bearer', "issuer: 'https://…', useOidcDiscovery: true"],
  ['jwks_uri', 'OpenID Connect', "jwksUrl: 'https://…'"],
  ['uri', 'other packages', "jwksUrl: 'https://…'"],
  ['url', 'other packages', "jwksUrl: 'https://…'"],
  ['publicKey', 'NestJS JwtModule', "publicKeys: [{ pem, algorithm: 'RS256' }]"],
  ['secretOrKey', 'passport-jwt', "secret: { name: 'jwt' } and a store in secrets"],
];

/** Options of a keyset that are often written next to `keySets`. */
const IN_A_KEYSET = [
  'allowedAlgorithms',
  'allowHttp',
  'jwks',
  'jwksHosts',
  'jwksUrl',
  'kidless',
  'publicKeys',
  'refreshInterval',
  'useDiscovery',
  'useOidcDiscovery',
];

/** Options of the authenticator that are often written in a keyset. */
const BESIDE_KEYSETS = ['clockSkew', 'requireExp', 'secrets'];

function hintsOf(rows: readonly Row[], misplaced: readonly string[], place: string) {
  return new Map<string, string>([
    ...misplaced.map((name) => [name, `expected it ${place}`] as const),
    ...rows.map(([name, of, here]) => [name, `${name} is of ${of}; here: ${here}`] as const),
  ]);
}

/** For options of an authenticator. */
export const authenticatorHints: ReadonlyMap<string, string> = hintsOf(
  [...OF_ALL, ...OF_AUTHENTICATOR, ...OF_DESCRIPTOR],
  IN_A_KEYSET,
  'in a keyset: keySets: [{ … }]',
);

/** For options of a keyset. */
export const keysetHints: ReadonlyMap<string, string> = hintsOf(
  [...OF_ALL, ...OF_KEYSET],
  BESIDE_KEYSETS,
  'next to keySets, not in a keyset',
);
