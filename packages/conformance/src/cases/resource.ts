// The metadata of a protected resource, RFC 9728: the document is for everybody, and every
// challenge names its URL. Neither is made from what a request says of the host.
import { bearer, type ConformanceCase, type Expectation, missing, type Variant } from './case.ts';

const PATH = '/.well-known/oauth-protected-resource';
const OTHER_HOST = [
  ['Host', 'evil.example'],
  ['X-Forwarded-Host', 'evil.example'],
  ['X-Forwarded-Proto', 'http'],
  ['Forwarded', 'host=evil.example;proto=http'],
] as const;

/** The document of the variant `resource`. */
const document = {
  status: 200,
  handled: false,
  mediaType: 'application/json',
  headers: { 'access-control-allow-origin': '*', 'cache-control': 'public, max-age=300' },
  without: ['www-authenticate', 'set-cookie'],
  body: {
    resource: 'https://api.example.com',
    scopes_supported: ['friends:write', 'friends:read'],
    bearer_methods_supported: ['header'],
  },
} as const satisfies Expectation;

const preflight = {
  status: 204,
  handled: false,
  headers: {
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'GET, HEAD, OPTIONS',
    'access-control-allow-headers': '*',
  },
  text: '',
} as const;

const notThere = { notHandled: true } as const;

type Row = readonly [
  title: string,
  asked: Pick<ConformanceCase, 'path' | 'method' | 'headers' | 'expect'>,
  authenticator?: Variant,
];

const documents: readonly Row[] = [
  ['the document, without a token', { path: PATH, expect: document }],
  ['the document, with a query', { path: `${PATH}?a=b`, expect: document }],
  ['the document, with a bad token', { path: PATH, headers: bearer('expired'), expect: document }],
  [
    'the document, with two tokens',
    { path: PATH, headers: [...bearer('good'), ...bearer('good')], expect: document },
  ],
  ['the document, with another Host', { path: PATH, headers: OTHER_HOST, expect: document }],
  [
    'the head of the document',
    { path: PATH, method: 'HEAD', expect: { ...document, body: undefined, text: '' } },
  ],
  [
    'a preflight for the document',
    {
      path: PATH,
      method: 'OPTIONS',
      headers: [
        ['Origin', 'https://client.example'],
        ['Access-Control-Request-Method', 'GET'],
        ['Access-Control-Request-Headers', 'mcp-protocol-version'],
      ],
      expect: preflight,
    },
  ],
  ['another method', { path: PATH, method: 'POST', expect: notThere }],
  ['the path of another resource', { path: `${PATH}/other`, expect: notThere }],
  ['a path that only begins like it', { path: `${PATH}s`, expect: notThere }],
  ['a service without a resource', { path: PATH, expect: notThere }, 'strict'],
  [
    'the document of a resource with a path, from a file',
    {
      path: `${PATH}/described`,
      expect: {
        ...document,
        body: { resource: 'https://api.example.com/described', resource_name: 'Described' },
      },
    },
    'described',
  ],
  ['the root, where the resource has a path', { path: PATH, expect: notThere }, 'described'],
];

const challenges: readonly Row[] = [
  ['no token', { path: '/token', expect: missing }],
  ['no token, with another Host', { path: '/token', headers: OTHER_HOST, expect: missing }],
  ['no token on a route with rules', { path: '/may-be-anonymous/roles', expect: missing }],
  ['no token on a named route', { path: '/named/may-be-anonymous', expect: missing }],
  ['an expired token', { path: '/token', headers: bearer('expired'), expect: { code: 'token_expired' } }],
  [
    'a malformed header',
    { path: '/token', headers: [['Authorization', 'Bearer']], expect: { code: 'credentials_malformed' } },
  ],
  [
    'a token for another resource',
    { path: '/token', headers: bearer('other audience'), expect: { code: 'token_audience_mismatch' } },
  ],
  [
    'an issuer that the route does not accept',
    { path: '/issuers', headers: bearer('good'), expect: { code: 'token_issuer_untrusted' } },
  ],
  [
    'too few scopes',
    {
      path: '/scope',
      headers: bearer('good'),
      expect: { code: 'scope_insufficient', scope: 'friends:read' },
    },
  ],
  [
    'too few scopes, with another Host',
    {
      path: '/scope',
      headers: [...bearer('good'), ...OTHER_HOST],
      expect: { code: 'scope_insufficient', scope: 'friends:read' },
    },
  ],
  ['another claim', { path: '/roles', headers: bearer('good'), expect: { code: 'claims_insufficient' } }],
  [
    'a good token',
    { path: '/token', headers: bearer('good'), expect: { status: 200, without: ['www-authenticate'] } },
  ],
];

/** The cases of the document, and of challenges with and without the cache of tokens. */
export const resourceCases: readonly ConformanceCase[] = [
  ...documents.map(([title, asked, authenticator = 'resource']) => ({
    name: `RFC 9728 §3: ${title}`,
    authenticator,
    ...asked,
  })),
  ...(['resource', 'resource, no cache'] as const).flatMap((authenticator) =>
    challenges.map(([title, asked]) => ({
      name: `RFC 9728 §5.1: ${authenticator}: ${title}`,
      authenticator,
      ...asked,
    })),
  ),
];
