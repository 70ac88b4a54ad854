// The protected resource in the options: what is refused, and what clients are told (RFC 9728).
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { readOptions } from '../../src/decision/settings.ts';
import { ConfigError } from '../../src/errors.ts';

const URL_ = 'https://api.example.com/files';
const METADATA_URL = 'https://api.example.com/.well-known/oauth-protected-resource/files';
const keySets = [{ issuer: 'https://issuer.example', jwksUrl: 'https://issuer.example/jwks.json' }];

function problemOf(resource: unknown, more: object = {}): string | undefined {
  try {
    readOptions({ keySets, resource, ...more } as AuthenticatorOptions);
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

/** What clients are told of the resource with these options. */
const told = (resource: object, more: object = {}) =>
  readOptions({ keySets, ...more, resource: { url: URL_, ...resource } } as AuthenticatorOptions)
    .published[0];

describe('what is wrong', () => {
  it.each<[title: string, resource: unknown, message: string]>([
    ['null', null, "resource: expected a resource, such as { url: 'https://api.example.com' }, got null"],
    ['a text', URL_, 'resource: expected a resource'],
    ['no url', {}, 'resource.url: expected a string that is not empty, got undefined'],
    ['a url that is undefined', { url: undefined }, 'resource.url: expected a value, got undefined'],
    ['a number', { url: 1 }, 'resource.url: expected a string'],
    [
      'an unknown option',
      { url: URL_, scope: ['a'] },
      'resource.scope: unknown option; did you mean scopes?',
    ],
    ['no URL', { url: 'api.example.com' }, 'resource.url: expected a URL, like https://api.example.com'],
    ['another scheme', { url: 'urn:api' }, 'resource.url: '],
    ['plain http', { url: 'http://api.example.com' }, 'resource.url: must be https (allowHttp permits http)'],
    ['a fragment', { url: `${URL_}#top` }, 'resource.url: must not have a fragment; remove it'],
    ['an empty fragment', { url: `${URL_}#` }, 'resource.url: must not have a fragment; remove it'],
    ['a query', { url: `${URL_}?a=b` }, 'resource.url: must not have a query, because the path alone'],
    ['an empty query', { url: `${URL_}?` }, 'resource.url: must not have a query'],
    ['upper case', { url: 'https://API.example.com' }, 'write https://api.example.com/'],
    ['the port of the scheme', { url: 'https://api.example.com:443/files' }, `write ${URL_}`],
    ['dots', { url: 'https://api.example.com/a/../files' }, `write ${URL_}`],
    ['a space before', { url: ` ${URL_}` }, `write ${URL_}`],
    ['two slashes', { url: 'https://api.example.com//files' }, 'expected a path of letters'],
    ['a colon in the path', { url: 'https://api.example.com/:files' }, 'expected a path of letters'],
    ['a star in the path', { url: 'https://api.example.com/*' }, 'expected a path of letters'],
    ['a letter that is not ASCII', { url: 'https://api.example.com/käse' }, 'expected a path of letters'],
    ['a host that is not ASCII', { url: 'https://käse.example' }, 'write https://xn--kse-qla.example/'],
    ['a long URL', { url: `https://a.example/${'a'.repeat(495)}` }, 'at most 512 characters, got 513'],
    ['no scopes', { url: URL_, scopes: [] }, 'resource.scopes: expected a list with at least one item'],
    ['a scope with a space', { url: URL_, scopes: ['a b'] }, 'resource.scopes[0]: expected one scope'],
    ['a scope that is not ASCII', { url: URL_, scopes: ['ä'] }, 'resource.scopes[0]: expected one scope'],
    [
      'a scope of clients',
      { url: URL_, scopes: ['a', 'offline_access'] },
      'resource.scopes[1]: is for clients',
    ],
    ['no issuers', { url: URL_, authorizationServers: [] }, 'resource.authorizationServers: expected a list'],
    [
      'an issuer by http',
      { url: URL_, authorizationServers: ['https://a.example', 'http://a.example'] },
      'resource.authorizationServers[1]: must be https (allowHttp permits http)',
    ],
    [
      'an issuer with a query',
      { url: URL_, authorizationServers: ['https://a.example?b'] },
      'resource.authorizationServers[0]: must have neither a query nor a fragment',
    ],
    [
      'a page that is no URL',
      { url: URL_, documentation: '/docs' },
      'resource.documentation: expected a URL',
    ],
    ['a script as a page', { url: URL_, policy: 'javascript:alert(1)' }, 'resource.policy: must be https'],
    [
      'a page by http',
      { url: URL_, termsOfService: 'http://a.example' },
      'resource.termsOfService: must be https',
    ],
    ['keys by http', { url: URL_, jwksUrl: 'http://a.example' }, 'resource.jwksUrl: must be https'],
    ['no algorithm', { url: URL_, signingAlgorithms: ['none'] }, 'resource.signingAlgorithms[0]: '],
    ['a secret algorithm', { url: URL_, signingAlgorithms: ['HS256'] }, 'resource.signingAlgorithms[0]: '],
  ])('%s', (_title, resource, message) => {
    expect(problemOf(resource)).toContain(message);
  });

  it('shows no credentials', () => {
    const problem = problemOf({ url: 'https://me:secret@api.example.com' });
    expect(problem).toBe('resource.url: must not contain credentials');
  });

  it('needs an audience or a resource', () => {
    expect(() => readOptions({ keySets } as never)).toThrow('audience: is required');
  });

  it('a challenge fits into 4 KiB', async () => {
    const url = `https://a.example/${'a'.repeat(494)}`;
    const authenticator = createAuthenticator({ keySets, resource: { url }, realm: 'r'.repeat(256) });
    const refusal = await authenticator.verify('a.b.c').catch((error: unknown) => error);
    const { 'WWW-Authenticate': challenge = '' } = (refusal as { headers: Record<string, string> }).headers;
    expect(challenge).toContain('/.well-known/oauth-protected-resource/aaa');
    expect(challenge.length).toBeLessThan(4096);
  });
});

describe('the metadata', () => {
  it.each([
    ['https://api.example.com', 'https://api.example.com/.well-known/oauth-protected-resource'],
    ['https://api.example.com/', 'https://api.example.com/.well-known/oauth-protected-resource'],
    [URL_, METADATA_URL],
    [`${URL_}/`, `${METADATA_URL}/`],
    ['https://a.example:8443/b/c', 'https://a.example:8443/.well-known/oauth-protected-resource/b/c'],
    ['http://localhost:3000/mcp', 'http://localhost:3000/.well-known/oauth-protected-resource/mcp'],
    ['http://[::1]:3000', 'http://[::1]:3000/.well-known/oauth-protected-resource'],
  ])('RFC 9728 §3.1: those of %s are at %s', (url, metadataUrl) => {
    expect(told({ url })).toMatchObject({ url, metadataUrl, metadata: { resource: url } });
  });

  it('has the defaults, and no member without a value', () => {
    expect(told({})?.metadata).toEqual({
      resource: URL_,
      authorization_servers: ['https://issuer.example'],
      bearer_methods_supported: ['header'],
    });
  });

  it('has what the options say', () => {
    const resource = {
      name: 'Files',
      documentation: 'https://docs.example.com/#files',
      policy: 'https://docs.example.com/policy?v=1',
      termsOfService: 'https://docs.example.com/terms',
      scopes: ['files:read', 'files:read', 'files:write'],
      authorizationServers: ['https://login.example.com/', 'http://localhost:9000/realms/a'],
      jwksUrl: 'https://api.example.com/keys',
      signingAlgorithms: ['ES256', 'EdDSA'],
    };
    expect(told(resource)?.metadata).toEqual({
      resource: URL_,
      authorization_servers: resource.authorizationServers,
      jwks_uri: 'https://api.example.com/keys',
      scopes_supported: ['files:read', 'files:write'],
      bearer_methods_supported: ['header'],
      resource_signing_alg_values_supported: ['ES256', 'EdDSA'],
      resource_name: 'Files',
      resource_documentation: resource.documentation,
      resource_policy_uri: resource.policy,
      resource_tos_uri: resource.termsOfService,
    });
  });

  it('names the issuers of keysets that are https URLs, once, in their order', () => {
    const jwksUrl = 'https://keys.example/jwks';
    const issuers = [
      'https://b.example/',
      'internal',
      'https://a.example',
      'http://a.example',
      'https://b.example/',
    ];
    const given = [...issuers, 'http://127.0.0.1:9000'].map((issuer) => ({ issuer, jwksUrl }));
    const servers = (resource: object) => told(resource, { keySets: given })?.metadata.authorization_servers;
    expect(servers({})).toEqual(['https://b.example/', 'https://a.example', 'http://127.0.0.1:9000']);
    expect(servers({ allowHttp: true })).toContain('http://a.example');
    const withoutIssuer = told({}, { keySets: [{ jwksUrl }] })?.metadata;
    expect(withoutIssuer).not.toHaveProperty('authorization_servers');
  });

  it('names the scopes of all rules of the options, but not those that noneOf forbids', () => {
    const more = {
      claims: { scope: 'api' },
      routes: {
        write: { claims: { scope: ['files:write', 'api'] } },
        read: { claims: { scope: { anyOf: ['files:read', 'offline_access'] } } },
        admin: { claims: { roles: 'admin', scope: { noneOf: ['guest'] } } },
      },
    };
    expect(told({}, more)?.metadata.scopes_supported).toEqual(['api', 'files:write', 'files:read']);
  });

  it.each([
    [
      [{ header: 'Authorization' }, { query: 'access_token' }, { body: 'access_token' }],
      ['header', 'query', 'body'],
    ],
    [[{ header: 'authorization', scheme: 'bearer' }], ['header']],
    [[{ header: 'Authorization', scheme: 'Token' }], undefined],
    [[{ header: 'X-Token' }, { cookie: '__Host-token' }, { query: 'token' }, { body: 'token' }], undefined],
  ])('RFC 6750 §2: the methods of tokenFrom %j are %j', (tokenFrom, methods) => {
    expect(told({}, { tokenFrom })?.metadata.bearer_methods_supported).toEqual(methods);
  });

  it('does not change', () => {
    const resource = told({ scopes: ['a'] });
    for (const part of [resource, resource?.metadata, resource?.metadata.scopes_supported])
      expect(Object.isFrozen(part)).toBe(true);
  });
});

describe('the audience', () => {
  let key: SigningKey;
  beforeAll(async () => {
    key = await generateSigningKey();
  });
  const statusOf = async (aud: string | undefined, more: object = {}) => {
    const authenticator = createAuthenticator({
      keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
      resource: { url: URL_ },
      ...more,
    });
    const exp = Math.floor(Date.now() / 1000) + 300;
    const token = await mint(key, { iss: 'i', sub: 'alice', exp, ...(aud === undefined ? {} : { aud }) });
    const headers = { authorization: `Bearer ${token}` };
    const decision = await authenticator.decide({ method: 'GET', url: '/', headers });
    return decision.ok ? 200 : decision.error.code;
  };

  it('is the URL of the resource, exactly as written', async () => {
    expect(await statusOf(URL_)).toBe(200);
    for (const other of [`${URL_}/`, 'https://api.example.com', 'HTTPS://api.example.com/files', undefined])
      expect(await statusOf(other)).toBe('token_audience_mismatch');
  });

  it('is what the options say, if they say it', async () => {
    expect(await statusOf('files', { audience: 'files' })).toBe(200);
    expect(await statusOf(URL_, { audience: 'files' })).toBe('token_audience_mismatch');
    expect(await statusOf('any', { audience: null })).toBe(200);
  });
});

describe('the challenge', () => {
  const parameter = `resource_metadata="${METADATA_URL}"`;
  const challengeOf = async (headers: Record<string, string>, more: object = {}, access: object = {}) => {
    const authenticator = createAuthenticator({ keySets, resource: { url: URL_ }, ...more });
    const decision = await authenticator.decide({ method: 'GET', url: '/', headers }, access);
    return decision.ok ? undefined : decision.error.headers['WWW-Authenticate'];
  };

  it('names the metadata for a request without a token', async () => {
    expect(await challengeOf({})).toBe(`Bearer ${parameter}`);
    expect(await challengeOf({}, { realm: 'r' })).toBe(`Bearer realm="r", ${parameter}`);
  });

  it('names them where a rule refuses an anonymous request', async () => {
    expect(await challengeOf({}, { mode: 'optional' }, { claims: { scope: 'a' } })).toContain(parameter);
  });

  it('names them for a bad token, and whatever Host says', async () => {
    for (const authorization of ['Bearer', 'Bearer a.b.c', 'Basic YTpi']) {
      const other = {
        host: 'evil.example',
        'x-forwarded-host': 'evil.example',
        forwarded: 'host=evil.example',
      };
      const challenge = await challengeOf({ authorization, ...other });
      expect(challenge).toContain(parameter);
      expect(challenge).not.toContain('evil');
    }
  });
});
