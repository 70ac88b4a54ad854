// Writing into a document: which operation is which route, and what of the document stays.
import { generateSigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { reportRoute } from '../../src/adapter/route-report.ts';
import { route } from '../../src/claims/compile.ts';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import { addToOpenApi, describeOpenApi } from '../../src/openapi/document.ts';
import { keyOfTemplate, templatesOf } from '../../src/openapi/paths.ts';
import { reportAccess } from '../../src/openapi/report-access.ts';
import { problemsOf } from './valid.ts';

let by: Authenticator;

beforeAll(async () => {
  const { publicJwk } = await generateSigningKey('ES256');
  by = createAuthenticator({
    keySets: [{ issuer: 'https://a.example', jwks: { keys: [publicJwk] } }],
    audience: 'me',
    routes: { admin: { claims: { roles: ['admin'] }, maxAge: '5m' } },
  });
});

const ok = { responses: { 200: { description: 'Done.' } } };
const info = { title: 'Orders', version: '1' };
const of = (path: string, method = 'GET') => reportAccess({ method, path }, by, { claims: { scope: 'r' } });

describe('paths', () => {
  it.each([
    ['/orders/:id', ['/orders/{id}']],
    ['/orders/:id(\\d+)', ['/orders/{id}']],
    ['/orders/:id((?:a|b)+)/x', ['/orders/{id}/x']],
    ['/orders/:id{[0-9]{2,}}/x', ['/orders/{id}/x']],
    ['/orders/:id?', ['/orders', '/orders/{id}']],
    ['/orders{/:id}', ['/orders', '/orders/{id}']],
    ['/from/:a-:b', ['/from/{a}-{b}']],
    ['/files/*', ['/files/{wildcard}']],
    ['/files/*rest', ['/files/{rest}']],
    ['/files/{id}', ['/files/{id}']],
    ['/a::b', ['/a:b']],
    ['/orders/', ['/orders']],
    ['/', ['/']],
    ['/^\\/x/', []],
    ['(mounted)', []],
  ])('%s', (path, templates) => {
    expect(templatesOf(path)).toEqual(templates);
  });

  it('templates differ by their parts, and not by the names of parameters', () => {
    expect(keyOfTemplate('/a/{id}')).toBe(keyOfTemplate('/a/{name}/'));
    expect(keyOfTemplate('/a/{id}')).not.toBe(keyOfTemplate('/a/id'));
  });
});

describe('addToOpenApi()', () => {
  it('finds the route of an operation by its path, its method, and the base path of a server', async () => {
    const document = {
      openapi: '3.0.3',
      info,
      servers: [{ url: 'https://x.example/v1/' }],
      paths: { '/orders/{orderId}': { get: ok, delete: ok } },
    };
    const routes = [of('/v1/orders/:id'), reportAccess({ method: 'ALL', path: '/orders/:x' }, by, false)];
    const written = addToOpenApi(document, routes) as unknown as Written;
    expect(written.paths['/orders/{orderId}']?.get?.security).toEqual([{ bearer: [] }]);
    expect(written.paths['/orders/{orderId}']?.delete?.security).toEqual([]);
  });

  it('the given document does not change, and other members stay', async () => {
    const document = {
      openapi: '3.1.0',
      info,
      paths: {
        '/orders': {
          summary: 'Orders',
          get: {
            ...ok,
            description: 'Lists orders.',
            security: [{ other: [] }],
            responses: {
              ...ok.responses,
              400: { description: 'A bad body.' },
              401: { description: 'Mine.' },
            },
          },
        },
      },
      components: {
        securitySchemes: {
          bearer: { type: 'apiKey', in: 'header', name: 'K' },
          other: { type: 'http', scheme: 'basic' },
        },
        schemas: { Refusal: { type: 'string' } },
      },
    } as const;
    const before = structuredClone(document);
    const written = addToOpenApi(document, [of('/orders')]) as unknown as Written;
    expect(document).toEqual(before);
    expect(
      await problemsOf({ ...written, paths: { '/orders': { get: written.paths['/orders']?.get } } }),
    ).toBe(undefined);
    const { get, summary } = written.paths['/orders'] ?? {};
    expect(summary).toBe('Orders');
    expect(get?.description).toMatch(/^Lists orders\.\n\nNeeds a token\./);
    expect(get?.security).toEqual([{ bearer_2: ['r'] }]);
    expect(get?.responses).toMatchObject({
      200: { description: 'Done.' },
      400: { description: 'A bad body.' },
      401: { description: 'Mine.' },
      403: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Refusal_2' } } } },
    });
    expect(written.components.schemas).toMatchObject({
      Refusal: { type: 'string' },
      Refusal_2: { type: 'object' },
    });
  });

  it('a scheme of the document that says the same is used', () => {
    const mine = { type: 'http', scheme: 'Bearer', description: 'Ask us for one.' };
    const document = {
      openapi: '3.0.0',
      info,
      paths: { '/a': { get: ok } },
      components: { securitySchemes: { bearer: mine } },
    };
    const written = addToOpenApi(document, [of('/a')]) as unknown as Written;
    expect(written.components.securitySchemes).toEqual({ bearer: mine });
  });

  it('an operation that no route decides on has to say its own security', () => {
    const document = (get: object) => ({ openapi: '3.0.0', info, paths: { '/a': { get } } });
    const undecided = reportRoute({ method: 'GET', path: '/a' }, []);
    expect(() => addToOpenApi(document(ok), [])).toThrow('GET /a: is not in the route report');
    expect(() => addToOpenApi(document(ok), [undecided])).toThrow('GET /a: is undecided');
    const said = { ...ok, security: [] };
    expect(addToOpenApi(document(said), [undecided]).paths['/a'].get).toEqual(said);
    const whole = { ...document(ok), security: [{ other: [] }] };
    expect(addToOpenApi(whole, []).paths['/a'].get).toEqual(ok);
  });

  it('the first route of a path and a method decides', () => {
    const document = { openapi: '3.0.0', info, paths: { '/a': { get: ok } } };
    const routes = [of('/a'), reportAccess({ method: 'GET', path: '/a' }, by, false)];
    const written = addToOpenApi(document, routes) as unknown as Written;
    expect(written.paths['/a']?.get?.security).toEqual([{ bearer: [] }]);
  });

  it('the body of refusals is that of the options', async () => {
    const body = { type: 'object', properties: { title: { type: 'string' } } };
    const options = { body, mediaType: 'application/problem+json' } as const;
    const { components, paths } = describeOpenApi([of('/a')], options);
    expect(components.schemas).toEqual({ Refusal: body });
    expect(Object.keys(Object(paths['/a']?.get?.responses?.['401']).content)).toEqual([
      'application/problem+json',
    ]);
  });

  it.each([
    [
      'a document of Swagger 2',
      () => addToOpenApi({ swagger: '2.0' }, []),
      'document.openapi: expected a document of OpenAPI 3',
    ],
    ['an unknown option', () => describeOpenApi([], { roles: 1 } as never), 'openapi.roles: unknown option'],
    [
      'a wrong option',
      () => describeOpenApi([], { rules: 'all' } as never),
      "openapi.rules: expected 'rules' or 'names'",
    ],
    ['an undefined option', () => describeOpenApi([], { body: undefined } as never), 'openapi.body'],
    [
      'a copy of a report',
      () => describeOpenApi([{ ...of('/a') }]),
      'routes: expected what routes(app) returns',
    ],
    [
      'a wrong access',
      () => reportAccess({ method: 'GET', path: '/a' }, by, { scope: 'r' } as never),
      'GET /a.scope',
    ],
    [
      'a route that is not there',
      () => reportAccess({ method: 'GET', path: '/a' }, by, { claims: route('none') }),
      'none; there are admin',
    ],
  ])('refuses %s', (_what, act, message) => {
    expect(act).toThrow(message);
  });
});

describe('describeOpenApi()', () => {
  it('describes every decided route, with the parameters of its path', async () => {
    const routes = [
      of('/orders/:id'),
      of('/orders/:other', 'PUT'),
      reportAccess({ method: 'ALL', path: '/admin' }, by, { claims: route('admin') }),
      reportAccess({ method: 'GET', path: '/health' }, by, false),
      reportRoute({ method: 'GET', path: '/undecided' }, []),
      of('/^\\/regular/'),
    ];
    for (const version of ['3.0', '3.1'] as const) {
      const parts = describeOpenApi(routes, { version });
      expect(await problemsOf({ openapi: `${version}.1`, info, ...parts })).toBeUndefined();
      expect(Object.keys(parts.paths)).toEqual(['/orders/{id}', '/admin', '/health']);
      expect(Object.keys(parts.paths['/orders/{id}'] ?? {})).toEqual(['parameters', 'get', 'put']);
      expect(Object.keys(parts.paths['/admin'] ?? {})).toHaveLength(7);
      // The rules of a named route are those of the options.
      expect(parts.paths['/admin']?.post?.description).toContain('- `roles`');
      expect(parts.paths['/admin']?.post?.description).toContain('- `auth_time` is at most 300 s ago');
    }
  });

  it('no routes are an empty description', () => {
    expect(describeOpenApi([])).toEqual({ components: { securitySchemes: {}, schemas: {} }, paths: {} });
  });
});

interface Operation {
  readonly description?: string;
  readonly security?: unknown;
  readonly responses?: unknown;
}

interface Written {
  readonly paths: {
    readonly [path: string]: {
      readonly summary?: string;
      readonly get?: Operation;
      readonly delete?: Operation;
    };
  };
  readonly components: { readonly securitySchemes: unknown; readonly schemas: unknown };
}
