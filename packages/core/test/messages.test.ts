// The whole text of the messages about common mistakes: what was expected, what was found, and what
// to do. A message that becomes worse shows here.
import { describe, expect, it } from 'vitest';
import { judgeRegisteredClaims, registeredChecks } from '../src/claims/registered.ts';
import { createAuthenticator } from '../src/descriptor/create.ts';
import { ConfigError } from '../src/errors.ts';
import { createMemoryStore, requireAll, requireAny } from '../src/index.ts';
import { createSigner } from '../src/signing/index.ts';

const ISSUER = 'https://issuer.example/';
const keyset = { issuer: ISSUER, jwksUrl: 'https://issuer.example/jwks.json' };
const good = { keySets: [keyset], audience: 'orders-api' };

/** The message of a ConfigError. */
function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'no error';
}

class Settings {
  readonly keySets = [keyset];
  readonly audience = 'orders-api';
}

const withKeyset = (one: unknown) => ({ ...good, keySets: [one] });
const withIssuer = (issuer: unknown) => withKeyset({ issuer, useOidcDiscovery: true });

describe('options', () => {
  it.each<readonly [string, unknown, string]>([
    ['none', undefined, 'options: expected options, such as { keySets, audience }, got undefined'],
    [
      'a string',
      'x',
      "options: expected options, such as { keySets, audience }, got a string; for a file write { descriptor: 'service.yaml' }",
    ],
    [
      'the content of a descriptor',
      { service: { jwt: good } },
      "service: unknown option; service is of a descriptor; here: the members of its service.jwt, or { descriptor: 'service.yaml' } and the file",
    ],
    [
      'an instance of a class',
      new Settings(),
      'options: expected options, such as { keySets, audience }, got an instance of Settings; pass an object literal, such as { ...options }',
    ],
    [
      'a promise',
      Promise.resolve(good),
      'options: expected options, such as { keySets, audience }, got an instance of Promise; await it first',
    ],
    ['keysets', { ...good, keysets: [] }, 'keysets: unknown option; did you mean keySets?'],
    ['audiences', { ...good, audiences: [] }, 'audiences: unknown option; did you mean audience?'],
    [
      'keySets that is a keyset',
      { ...good, keySets: keyset },
      'keySets: expected a list of keysets, got an object; put the keyset into [ ]',
    ],
    [
      'no keySets',
      { audience: 'a' },
      "keySets: is required: a list of keysets, like [{ issuer: 'https://…', useOidcDiscovery: true }]",
    ],
    ['empty keySets', { ...good, keySets: [] }, 'keySets: expected at least one keyset, got an empty list'],
    [
      'no audience',
      { keySets: [keyset] },
      "audience: is required; write the aud of your tokens, like 'https://api.example.com', or null to accept any",
    ],
    [
      'an audience from a variable that is not set',
      { ...good, audience: undefined },
      'audience: expected a value, got undefined; check where it comes from, such as an environment variable that is not set, or leave the option out',
    ],
    [
      'an audience with a line feed',
      { ...good, audience: 'orders-api\n' },
      'audience: expected an audience, got a string with white space at an end or with invisible characters; remove them',
    ],
    [
      'clockSkew without a unit',
      { ...good, clockSkew: 30 },
      "clockSkew: expected a duration with a unit, like '30s', '5m' or '1h', got a number",
    ],
    ['clockSkew too long', { ...good, clockSkew: '5m' }, 'clockSkew: expected 0s to 60s, got 5m'],
    [
      'mode lax',
      { ...good, mode: 'lax' },
      "mode: expected 'strict' or 'optional' or 'permissive', got another string",
    ],
    [
      'mode Strict',
      { ...good, mode: 'Strict' },
      "mode: expected 'strict' or 'optional' or 'permissive', got another string; did you mean strict?",
    ],
    [
      'requireExp of a word',
      { ...good, requireExp: 'no' },
      'requireExp: expected true or false, got a string',
    ],
    [
      'tokenFrom that is a word',
      { ...good, tokenFrom: 'cookie' },
      'tokenFrom: expected a list with at least one item, got a string; put it into [ ]',
    ],
    [
      'maxTokenBytes too large',
      { ...good, maxTokenBytes: 1_000_000 },
      'maxTokenBytes: expected a whole number of bytes from 256 to 65536, got 1000000',
    ],
  ])('%s', (_name, options, message) => {
    expect(messageOf(() => createAuthenticator(options as never))).toBe(message);
  });
});

describe('a keyset', () => {
  it.each<readonly [string, unknown, string]>([
    [
      'that is a URL',
      withKeyset(ISSUER),
      "keySets[0]: expected a keyset, such as { issuer: 'https://…', useOidcDiscovery: true }, got a string",
    ],
    [
      'jwksUri',
      withKeyset({ issuer: ISSUER, jwksUri: 'https://a.example' }),
      'keySets[0].jwksUri: unknown option; did you mean jwksUrl?',
    ],
    [
      'no source',
      withKeyset({ issuer: ISSUER }),
      'keySets[0]: exactly one source is needed: useOidcDiscovery, useDiscovery, jwksUrl, jwksHosts, secret, externalSecret, jwks, publicKeys; got none',
    ],
    [
      'two sources',
      withKeyset({ ...keyset, useOidcDiscovery: true }),
      'keySets[0]: exactly one source is needed: useOidcDiscovery, useDiscovery, jwksUrl, jwksHosts, secret, externalSecret, jwks, publicKeys; got useOidcDiscovery and jwksUrl',
    ],
    [
      'tls next to jwks',
      withKeyset({ issuer: ISSUER, jwks: { keys: [] }, tls: {} }),
      'keySets[0].tls: is not allowed next to jwks; remove it',
    ],
    [
      'an issuer without https://',
      withIssuer('tenant.auth0.com'),
      "keySets[0].issuer: expected a URL, like 'https://tenant.auth0.com/', got a string without https://",
    ],
    [
      'an issuer that is the URL of its metadata',
      withIssuer('https://issuer.example/.well-known/openid-configuration'),
      "keySets[0].issuer: expected the issuer, got the URL of its metadata; write 'https://issuer.example' or 'https://issuer.example/', as the metadata spell it",
    ],
    [
      'an issuer with white space',
      withIssuer(' https://issuer.example/'),
      'keySets[0].issuer: expected the iss of the tokens, got a string with white space or invisible characters; remove them',
    ],
    [
      'discovery without an issuer',
      withKeyset({ useOidcDiscovery: true }),
      "keySets[0].issuer: is required with useOidcDiscovery; write the iss of its tokens, like 'https://tenant.auth0.com/'",
    ],
    [
      'a secret as a string',
      withKeyset({ issuer: ISSUER, secret: 'kQ3t' }),
      'keySets[0].secret: expected { name } of a secret in the store, not the secret itself, got a string',
    ],
    [
      'a PEM as a string',
      withKeyset({ issuer: ISSUER, publicKeys: ['-----BEGIN PUBLIC KEY-----'] }),
      "keySets[0].publicKeys[0]: expected { pem: '…', algorithm: 'RS256' } or { file: '…', algorithm: 'RS256' }, got a string",
    ],
    [
      'alg of a public key',
      withKeyset({ issuer: ISSUER, publicKeys: [{ pem: 'x', alg: 'RS256' }] }),
      'keySets[0].publicKeys[0].alg: unknown option; here: algorithm',
    ],
    [
      'clockSkew in a keyset',
      withKeyset({ ...keyset, clockSkew: '5s' }),
      'keySets[0].clockSkew: unknown option; expected it next to keySets, not in a keyset',
    ],
    [
      'algorithms',
      withKeyset({ ...keyset, algorithms: ['RS256'] }),
      "keySets[0].algorithms: unknown option; algorithms is of jose, express-jwt and others; here: allowedAlgorithms: ['RS256'] in a keyset",
    ],
    [
      'RSA256',
      withKeyset({ ...keyset, allowedAlgorithms: ['RSA256'] }),
      'keySets[0].allowedAlgorithms[0]: expected one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519, ML-DSA-44, ML-DSA-65, ML-DSA-87, HS256, HS384, HS512, got a string; did you mean RS256?',
    ],
    [
      'a secret without a store',
      withKeyset({ issuer: ISSUER, secret: { name: 'jwt' } }),
      'keySets[0]: expected a secret store; pass one in secrets',
    ],
  ])('%s', (_name, options, message) => {
    expect(messageOf(() => createAuthenticator(options as never))).toBe(message);
  });
});

const SET = 'keySets[0].jwks: expected a JWK Set, { keys: [ … ] }, got';
const jwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };

describe('keys in the options', () => {
  it.each<readonly [string, object, string]>([
    ['a URL', { jwks: ISSUER }, `${SET} a string with a URL; write jwksUrl: 'https://…'`],
    [
      'an instance of URL',
      { jwks: new URL(ISSUER) },
      `${SET} an instance of URL; write jwksUrl: 'https://…'`,
    ],
    [
      'a file',
      { jwks: './jwks.json' },
      `${SET} a string; for a file, pass its content, as JSON.parse reads it`,
    ],
    ['JSON', { jwks: '{"keys":[]}' }, `${SET} a string with JSON; parse it first`],
    [
      'PEM',
      { jwks: '-----BEGIN PUBLIC KEY-----' },
      `${SET} a string with PEM; write publicKeys: [{ pem: '…', algorithm: 'RS256' }]`,
    ],
    ['a promise', { jwks: Promise.resolve() }, `${SET} an instance of Promise; await it first`],
    ['a function', { jwks: () => jwk }, `${SET} a function`],
    ['one key', { jwks: jwk }, `${SET} one key; put it into { keys: [ … ] }`],
    ['a list', { jwks: [jwk] }, `${SET} a list; put it into { keys: … }`],
    ['one key in keys', { jwks: { keys: jwk } }, `${SET} keys that are an object; put it into [ ]`],
    [
      'metadata',
      { jwks: { issuer: ISSUER, jwks_uri: ISSUER } },
      `${SET} the metadata of an issuer; write useOidcDiscovery: true, or its jwks_uri as jwksUrl`,
    ],
    ['no keys', { jwks: { keys: [] } }, 'keySets[0].jwks: expected at least one key, got an empty list'],
    [
      'one public key',
      { publicKeys: { pem: 'x', algorithm: 'RS256' } },
      'keySets[0].publicKeys: expected a list with at least one item, got an object; put it into [ ]',
    ],
    [
      'a PEM as the list',
      { publicKeys: '-----BEGIN PUBLIC KEY-----' },
      "keySets[0].publicKeys: expected a list, such as [{ pem: '…', algorithm: 'RS256' }], got a string",
    ],
    [
      'a JWK among PEM keys',
      { publicKeys: [jwk] },
      'keySets[0].publicKeys[0].kty: unknown option; a JWK is written as jwks: { keys: [ … ] }, in place of publicKeys',
    ],
    [
      'a path as PEM',
      { publicKeys: [{ pem: './key.pem', algorithm: 'RS256' }] },
      'keySets[0].publicKeys[0].pem: expected PEM, got a string without -----BEGIN; write a path as file',
    ],
    [
      'PEM as a path',
      { publicKeys: [{ file: '-----BEGIN PUBLIC KEY-----', algorithm: 'RS256' }] },
      'keySets[0].publicKeys[0].file: expected the path of a file, got its content; write it as pem',
    ],
    [
      'PEM as the path of a CA',
      { jwksUrl: ISSUER, tls: { ca: { file: '-----BEGIN CERTIFICATE-----' } } },
      'keySets[0].tls.ca: expected the path of a file, got its content; write it as pem',
    ],
    [
      'a CA that is not there',
      { jwksUrl: ISSUER, tls: { ca: { file: 'nope.pem' } } },
      `keySets[0].tls.ca: nope.pem cannot be read: ENOENT; it is looked for in ${process.cwd()}`,
    ],
    [
      'a key as the CA',
      { jwksUrl: ISSUER, tls: { ca: { pem: '-----BEGIN PRIVATE KEY-----' } } },
      'keySets[0].tls.ca: expected CA certificates, PEM, got a private key',
    ],
    [
      'no algorithm',
      { publicKeys: [{ file: 'key.pem' }] },
      "keySets[0].publicKeys[0].algorithm: is required: the one algorithm of the key, like 'RS256'",
    ],
    [
      'a secret in place',
      { secret: { value: 'kQ3t' } },
      'keySets[0].secret.value: unknown option; expected the secret itself in the store of the option secrets, and here its name',
    ],
    [
      'the bytes of a secret',
      { secret: Buffer.from('kQ3t') },
      'keySets[0].secret: expected { name } of a secret in the store, not the secret itself, got an instance of Buffer',
    ],
  ])('%s', (_name, options, message) => {
    expect(messageOf(() => createAuthenticator(withKeyset({ issuer: ISSUER, ...options }) as never))).toBe(
      message,
    );
  });
});

describe('where keys come from', () => {
  it.each<readonly [string, object, string]>([
    [
      'discovery that is off',
      { useOidcDiscovery: false },
      'keySets[0].useOidcDiscovery: expected true, got false; leave it out, and write another source, such as jwksUrl',
    ],
    [
      'discovery that is off next to a URL',
      { useOidcDiscovery: false, jwksUrl: ISSUER },
      'keySets[0].useOidcDiscovery: expected true, got false; leave it out, and write another source, such as jwksUrl',
    ],
    [
      'discovery that is a URL',
      { useOidcDiscovery: ISSUER },
      'keySets[0].useOidcDiscovery: expected true, got a string; write the URL as issuer',
    ],
    [
      'an instance of URL',
      { jwksUrl: new URL(ISSUER) },
      'keySets[0].jwksUrl: expected a string that is not empty, got an instance of URL; pass its href',
    ],
    [
      'a host',
      { jwksUrl: 'issuer.example/jwks.json' },
      "keySets[0].jwksUrl: expected a URL, like 'https://login.example.com/jwks.json', got a string without https://",
    ],
    [
      'a URL among hosts',
      { jwksHosts: [ISSUER] },
      'keySets[0].jwksHosts[0]: expected a host, like keys.example.com, got a URL; leave out its https://',
    ],
  ])('%s', (_name, options, message) => {
    expect(messageOf(() => createAuthenticator(withKeyset({ issuer: ISSUER, ...options }) as never))).toBe(
      message,
    );
  });
});

describe('options of other packages say what to write here', () => {
  it.each([
    [
      'issuerBaseURL',
      'express-oauth2-jwt-bearer',
      "keySets: [{ issuer: 'https://…', useOidcDiscovery: true }]",
    ],
    ['issuer', 'jose', "keySets: [{ issuer: 'https://…', useOidcDiscovery: true }]"],
    ['secret', 'express-jwt', "secret: { name: 'jwt' }"],
    ['secretOrKey', 'passport-jwt', "secret: { name: 'jwt' }"],
    ['jwksUri', 'jwks-rsa', "jwksUrl: 'https://…'"],
    ['jwksRequestsPerMinute', 'jwks-rsa', 'nothing'],
    ['algorithms', 'jose', 'allowedAlgorithms'],
    ['tokenSigningAlg', 'express-oauth2-jwt-bearer', 'allowedAlgorithms'],
    ['getToken', 'express-jwt', 'tokenFrom'],
    ['jwtFromRequest', 'passport-jwt', 'tokenFrom'],
    ['credentialsRequired', 'express-jwt', "mode: 'optional'"],
    ['requestProperty', 'express-jwt', 'req.auth'],
    ['userProperty', 'express-jwt', 'req.auth'],
    ['ignoreExpiration', 'jsonwebtoken', 'always refused'],
    ['clockTolerance', 'jose', 'clockSkew'],
    ['maxAge', 'jsonwebtoken', 'maxTokenAge'],
    ['maxAge', 'jsonwebtoken', "authenticate(options, { maxAge: '5m' })"],
    ['acr', 'a route', 'acr in routes'],
    ['actors', 'a route', 'actors in routes'],
    ['signOptions', 'NestJS', 'createSigner'],
    ['userPoolId', 'aws-jwt-verify', 'cognito-idp'],
    ['passthrough', 'koa-jwt', "mode: 'permissive'"],
    ['decoratorName', '@fastify/jwt', 'request.auth'],
  ])('%s of %s', (name, of, here) => {
    const message = messageOf(() => createAuthenticator({ ...good, [name]: 'x' } as never));
    expect(message).toMatch(new RegExp(`^${name}: unknown option; ${name} is of .*; here: `));
    expect(message).toContain(of);
    expect(message).toContain(here);
  });

  it('an option of a keyset next to keySets names its place', () => {
    expect(messageOf(() => createAuthenticator({ ...good, jwksUrl: 'https://a.example' } as never))).toBe(
      'jwksUrl: unknown option; expected it in a keyset: keySets: [{ … }]',
    );
  });

  it('another unknown name lists the options, and none that is unsafe', () => {
    const message = messageOf(() => createAuthenticator({ ...good, foo: 1 } as never));
    expect(message).toMatch(/^foo: unknown option; expected one of keySets, /);
    expect(message).not.toContain('unsafe');
  });
});

it('no message has the content of a value', () => {
  const secret = 'kQ3tVerySecret';
  for (const options of [
    secret,
    { ...good, keySets: secret },
    { ...good, audience: [1, secret, null] },
    { ...good, mode: secret },
    { ...good, clockSkew: secret },
    withKeyset({ issuer: ISSUER, secret }),
    withKeyset({ issuer: ISSUER, allowedAlgorithms: [secret], jwksUrl: ISSUER }),
    withKeyset({ issuer: ISSUER, publicKeys: [secret] }),
  ])
    expect(messageOf(() => createAuthenticator(options as never))).not.toContain(secret);
});

describe('the detail of a refused audience', () => {
  it.each([
    ['any', 'aud names none of orders-api, stock-api'],
    ['all', 'aud does not name all of orders-api, stock-api'],
  ] as const)('audMatch %s', (audienceMatch, detail) => {
    const audience = new Set(['orders-api', 'stock-api']);
    const checks = registeredChecks({ audience, audienceMatch, clockSkewMs: 0, requireExp: false });
    expect(judgeRegisteredClaims(checks, { aud: 'other-api' }, 0)).toMatchObject({
      code: 'token_audience_mismatch',
      detail,
    });
  });
});

it('a signer before the first rotation says what makes the keys', async () => {
  const signer = createSigner({ secret: { name: 'signing' }, secrets: createMemoryStore(), expiresIn: '1m' });
  await expect(signer.sign({})).rejects.toThrow(
    /^signer: no usable keys from secret: signing: the secret signing has no entry jwks\.json yet; rotate\(\) makes it$/,
  );
  await signer.close();
});

it('a descriptor that is not there says where it is looked for', () => {
  expect(messageOf(() => createAuthenticator({ descriptor: 'nope.yaml' }))).toBe(
    `descriptor: nope.yaml cannot be read: ENOENT; it is looked for in ${process.cwd()}`,
  );
  expect(messageOf(() => createAuthenticator({ descriptor: '/nope/nope.yaml' }))).toBe(
    'descriptor: /nope/nope.yaml cannot be read: ENOENT',
  );
});

describe('descriptor', () => {
  it.each<readonly [string, object, string]>([
    [
      'keySets next to it',
      { ...good, descriptor: 'service.yaml' },
      'keySets: unknown option; expected it in the file, in service.jwt, or without descriptor',
    ],
    [
      'its content',
      { descriptor: { service: { jwt: good } } },
      'descriptor: expected the path of a file, got an object; pass the members of its service.jwt as the options',
    ],
    [
      'its text',
      { descriptor: 'service:\n  jwt:\n' },
      'descriptor: expected the path of a file, got its content; write it into a file',
    ],
    [
      'an instance of URL',
      { descriptor: new URL('file:///service.yaml') },
      'descriptor: expected the path of a file, got an instance of URL; fileURLToPath makes a path of it',
    ],
    [
      'a URL',
      { descriptor: 'https://a.example/service.yaml' },
      'descriptor: expected the path of a file, got a URL; fileURLToPath makes a path of a file: URL',
    ],
    ['nothing', { descriptor: '' }, 'descriptor: expected the path of a file, got an empty string'],
  ])('%s', (_name, options, message) => {
    expect(messageOf(() => createAuthenticator(options as never))).toBe(message);
  });
});

describe('combinations', () => {
  it.each<readonly [string, unknown, string]>([
    [
      'nothing',
      undefined,
      'sources: expected authenticators by name, such as { user, device }, got undefined',
    ],
    ['a list', [], 'sources: expected authenticators by name, such as { user, device }, got an empty list'],
    ['no sources', {}, 'sources: expected at least one source, got an empty object'],
  ])('%s', (_, sources, message) => {
    for (const combine of [requireAll, requireAny])
      expect(messageOf(() => (combine as (sources: unknown) => unknown)(sources))).toBe(message);
  });
});
