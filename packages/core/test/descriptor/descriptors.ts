// Descriptors for tests: those that people have, and one with everything in it.

// The examples of the keyset documentation, unchanged.
export const DISCOVERY = `name: my-service
service:
  image: my-image:latest
  jwt:
    keySets:
    - issuer: https://accounts.google.com
      useOidcDiscovery: true
    - issuer: https://my-org.auth0.com/
      useOidcDiscovery: true
`;
export const JWKS_URL = `name: my-service
service:
  image: my-image:latest
  jwt:
    keySets:
    - issuer: https://example.com
      jwksUrl: https://example.com/.well-known/jwks.json
      refreshInterval: 30m
`;
export const SECRET = `name: my-service
service:
  image: my-image:latest
  jwt:
    keySets:
    - issuer: my-issuer
      secret:
        name: my-jwks-secret
        key: jwks.json
`;
export const MULTIPLE = `name: my-service
service:
  image: my-image:latest
  jwt:
    keySets:
    - issuer: https://accounts.google.com
      useOidcDiscovery: true
    - issuer: https://example.com
      jwksUrl: https://example.com/.well-known/jwks.json
    - issuer: internal-issuer
      secret:
        name: internal-jwks
        key: jwks.json
      allowedAlgorithms:
      - RS256
`;

/** All of them, by what they are about. */
export const SEEDS: readonly (readonly [name: string, text: string])[] = [
  ['OIDC discovery', DISCOVERY],
  ['JWKS URL', JWKS_URL],
  ['Secret', SECRET],
  ['Multiple keysets', MULTIPLE],
];

/** A descriptor with every option, and every form of it. */
export function BIG({ pem, jwk }: { readonly pem: string; readonly jwk: unknown }) {
  return {
    name: 'my-service',
    service: {
      image: 'my-image:latest',
      jwt: {
        audience: ['api', 'https://api.example'],
        audMatch: 'any',
        resource: {
          url: 'https://api.example',
          name: 'My service',
          documentation: 'https://docs.example/api?v=1#start',
          policy: 'https://docs.example/policy',
          termsOfService: 'https://docs.example/terms',
          scopes: ['read', 'write'],
          authorizationServers: ['https://a.example/', 'http://localhost:9000/realms/a'],
          jwksUrl: 'https://api.example/keys',
          signingAlgorithms: ['ES256'],
          allowHttp: false,
        },
        dpop: {
          mode: 'allowed',
          publicUrl: ['https://api.example', 'http://localhost:9000/api'],
          algorithms: ['ES256', 'EdDSA'],
          maxAge: '30s',
          clockSkew: '2s',
          nonce: { lifetime: '2m' },
          replayEntries: 5000,
          unsafeReplayFailure: 'accept',
        },
        revocation: {
          maxStale: '10s',
          remember: '12h',
          entries: 5000,
          file: 'revocations.jsonl',
          unsafeStale: 'accept',
        },
        mutualTls: { mode: 'allowed', header: 'Client-Cert', trustedPeers: ['10.0.0.0/8', '::1'] },
        senderConstrained: 'required',
        resources: { files: { url: 'https://api.example/files', name: 'Files' } },
        keySets: [
          {
            issuer: 'https://a.example/',
            audience: ['api', 'a'],
            claims: { tenant: 'acme' },
            typ: 'at+jwt',
            maxTokenAge: '1h',
            maxLifetime: '2h',
            numericSub: false,
            useOidcDiscovery: true,
            refreshInterval: '30m',
            maxStale: '12h',
            skipValidation: true,
            allowHttp: false,
            tls: { fingerprints: ['A'.repeat(43)], cipherSuites: [4865, 49199] },
            allowedAlgorithms: ['RS256', 'ES256'],
            kidless: 'refuse',
            unsafeAlgorithmMatch: 'family',
            system: true,
          },
          { issuer: 'https://b.example', jwksUrl: 'http://localhost:9000/jwks', allowHttp: true, tls: {} },
          { issuer: 'c', jwksHosts: ['keys.example.com/tenants/'], unsafeAllowPrivateAddresses: true },
          {
            issuer: 'd',
            secret: { name: 'internal', key: 'jwks.json' },
            allowedAlgorithms: ['HS256'],
            unsafeLegacyAlgorithms: ['HS224'],
          },
          { issuer: 'e', externalSecret: { name: 'vault' } },
          { issuer: 'f', jwks: { keys: [jwk] } },
          {
            unsafeOtherIssuers: true,
            publicKeys: [
              { pem, algorithm: 'EdDSA' },
              { file: 'backup.pem', algorithm: 'RSA256' },
            ],
          },
          {
            issuer: 'https://login.example.com/{tid}/v2.0',
            jwksUrl: 'https://login.example.com/common/keys',
            tenants: ['acme', '9188040d-6c67-4c5b-b112-36a304b66dad'],
            bind: { tid: 'tid' },
            maxTenants: 100,
            unsafeAnyTenant: false,
          },
          {
            issuer: 'https://{realm}.id.example.com',
            useDiscovery: 'oidc',
            tenants: { pattern: '[a-z]+' },
          },
        ],
        keys: [
          {
            keyId: 'k1',
            issuer: 'g',
            algorithm: 'HMD5',
            secret: { name: 'old' },
            unsafeLegacyAlgorithms: ['HMD5'],
          },
          { keyId: 'k2', algorithm: 'ES256', secret: { name: 'newer' } },
        ],
        unsafeMissingIssuer: 'all-keysets',
        remote: {
          url: 'https://check.example/introspect',
          contract: 'introspection',
          client: { id: 'me', secret: { name: 'client', key: 'secret.key' } },
          onReject: 'next',
          onError: 'deny',
          timeout: '1s',
          cacheFor: '30s',
          issuer: 'https://a.example/',
          system: false,
          unsafeIgnoreTokenClaims: false,
          unsafeMissingAudience: false,
          allowHttp: false,
          tls: {},
        },
        groups: {
          claim: 'groups',
          order: ['claim', 'endpoint'],
          trust: {
            'https://a.example/': 'all',
            'https://b.example': { only: ['dev'], prefix: 'b:' },
            c: 'none',
          },
          reserved: ['root'],
          endpoint: { url: 'https://people.example/{sub}/groups', timeout: '1s', allowHttp: false, tls: {} },
          onUnknown: 'next',
          cacheFor: '1m',
          timeout: '3s',
          groupCase: 'insensitive',
        },
        systemSubject: 'okera',
        issuers: ['https://a.example/', { pattern: 'https://[a-z]+\\.example' }],
        tokenFrom: [
          { header: 'Authorization', scheme: 'JWT' },
          { header: 'X-Token', scheme: null },
          { cookie: '__Host-token', allowedOrigins: ['https://app.example'] },
          { query: 'access_token' },
          { body: 'access_token' },
        ],
        claims: [
          {
            dept: 'IT',
            level: 4,
            internal: true,
            roles: ['admin', 'dev'],
            any: { anyOf: ['a', 1] },
            all: { allOf: ['a'], split: ',' },
            none: { noneOf: ['b'] },
            exact: { exactly: ['a', 'b'] },
            values: { values: ['a'] },
            sub: { pattern: '^[a-z]+$', match: 'search' },
            jti: { present: true },
            bldg: { optional: { anyOf: [4] } },
          },
          { path: ['realm_access', 'roles'], rule: ['user'] },
          { name: 'team', required: true },
          { name: 'floor', type: 'INTEGER', required: false, validate: true, value: 4 },
          { name: 'tags', type: 'ARRAY', validate: true, value: ['x'] },
          { name: 'nbf', required: true },
        ],
        routes: {
          admin: { claims: { scope: ['admin'] }, issuers: ['https://a.example/'], audience: ['admin'] },
          'GET /users/:id': { claims: { sub: { fromRequest: 'params.id' } } },
          'GET /new': { claims: { roles: { rule: ['a'], enforce: false } }, enforce: { from: '2026-12-31' } },
          'GET /files': { resource: 'files' },
          'POST /pay': { dpop: 'required' },
          'POST /transfer': { mutualTls: 'required', senderConstrained: 'required' },
        },
        nestedClaimDelimiter: '.',
        clockSkew: '10s',
        mode: 'strict',
        typ: ['JWT', 'at+jwt'],
        requireExp: true,
        treatIatAsNbf: true,
        requireSecureTransport: true,
        maxTokenAge: '1d',
        maxLifetime: '1d',
        numericSub: true,
        unsafeAcceptSenderConstrained: false,
        cache: { tokens: 100, bytes: 100_000 },
        maxTokenBytes: 32_768,
        scopes: { implies: { files: ['files:read'] }, permissions: true },
        exposeChallenge: true,
        realm: 'api',
        loadAtStart: false,
        signing: {
          secret: { name: 'signing', key: 'jwks.json', format: 'jwks' },
          alg: 'ES256',
          kid: 'k1',
          issuer: 'my-service',
          audience: ['api'],
          expiresIn: '15m',
          maxLifetime: '1d',
          requireExp: true,
          typ: null,
          maxTokenBytes: 8192,
          refreshInterval: '5m',
          maxStale: '24h',
          publishAhead: '15m',
          keysToSign: ['access_token', 'refresh_token'],
          full: 'object',
          onMissing: 'error',
        },
      },
    },
  };
}
