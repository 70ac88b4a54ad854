// The document of @nestjs/swagger: each operation says what its handler requires, on each platform.
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { Controller, Get, type INestApplication, Post, VersioningType } from '@nestjs/common';
import { ApiBearerAuth, ApiSecurity, DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Authenticate, LatchkeyModule, Public, RequireClaims, secureDocument } from '../src/index.ts';
import { create, listen, onMethod, platforms } from './application.ts';

class Orders {
  list() {}
  any() {}
  admin() {}
}
onMethod(Orders, 'list', RequireClaims({ scope: 'orders' }), Get());
onMethod(Orders, 'any', Authenticate({ mode: 'optional' }), ApiBearerAuth(), Get('any'));
onMethod(Orders, 'admin', RequireClaims({ roles: ['admin'] }), Post(['admin/:id', 'boss/:id']));
Controller('orders')(Orders);
ApiSecurity('mine')(Orders);

// The same handlers at another path, with rules of another class.
class Partners extends Orders {}
RequireClaims({ partner: true })(Partners);
Controller({ path: 'partners', version: '2' })(Partners);

class Health {
  check() {}
}
onMethod(Health, 'check', Get('health'));
Controller()(Health);
Public()(Health);

let issuer: TestIssuer;
let app: INestApplication;

beforeEach(async () => {
  issuer = await createIssuer();
});

afterEach(async () => {
  await app.close();
  await issuer.close();
});

async function started(platform: (typeof platforms)[number]): Promise<void> {
  app = await create(
    { imports: [LatchkeyModule.forRoot(issuer.options)], controllers: [Orders, Partners, Health] },
    platform,
  );
  app.setGlobalPrefix('api');
  app.enableVersioning({ type: VersioningType.URI });
}

const config = (version: '3.0.0' | '3.1.0') => new DocumentBuilder().setOpenAPIVersion(version).build();

describe.each(platforms)('on %s', (platform) => {
  it.each(['3.0.0', '3.1.0'] as const)(
    'OpenAPI %s: every operation says what its handler requires',
    async (version) => {
      await started(platform);
      const document = secureDocument(app, () => SwaggerModule.createDocument(app, config(version)));
      const sent = JSON.parse(JSON.stringify(document));
      expect((await new Validator().validate(sent)).errors).toBeUndefined();
      expect(JSON.stringify(sent)).not.toContain('latchkey class');
      const [scheme = ''] = Object.keys(sent.components.securitySchemes);
      const operations = Object.entries<object>(sent.paths).flatMap(([path, item]) =>
        Object.entries(item).map(([method, one]) => [`${method} ${path}`, one.security] as const),
      );
      const scopes = version === '3.1.0' || scheme === 'openIdConnect' ? ['orders'] : [];
      const any = [{}, { [scheme]: [] }];
      const token = [{ [scheme]: [] }];
      expect(Object.fromEntries(operations)).toEqual({
        'get /api/orders': [{ [scheme]: scopes }],
        'get /api/orders/any': any,
        'post /api/orders/admin/{id}': token,
        'post /api/orders/boss/{id}': token,
        'get /api/v2/partners': [{ [scheme]: scopes }],
        // The rules of the class close the mode that it inherits.
        'get /api/v2/partners/any': token,
        'post /api/v2/partners/admin/{id}': token,
        'post /api/v2/partners/boss/{id}': token,
        'get /api/health': [],
      });
      expect(sent.paths['/api/v2/partners/any'].get.description).toContain('`partner`');
      expect(sent.paths['/api/orders/any'].get.description).not.toContain('`partner`');
    },
  );

  it('the body of a refusal is that which Nest sends', async () => {
    await started(platform);
    const document = secureDocument(app, () => SwaggerModule.createDocument(app, config('3.1.0')));
    const { Refusal } = Object(document.components?.schemas);
    const refused = await fetch(`${await listen(app)}/api/orders`);
    expect(refused.status).toBe(401);
    expect(Object.keys(Object(await refused.json())).sort()).toEqual(Object.keys(Refusal.properties).sort());
    expect(document.paths['/api/orders']?.get?.responses).toMatchObject({
      401: { headers: { 'WWW-Authenticate': { example: refused.headers.get('www-authenticate') } } },
    });
  });
});

it('the decorators of @nestjs/swagger are as before, also if the document cannot be made', async () => {
  await started('express');
  const before = () => JSON.stringify(SwaggerModule.createDocument(app, config('3.1.0')));
  const first = before();
  const fail = () => {
    throw new Error('no document');
  };
  expect(() => secureDocument(app, fail)).toThrow('no document');
  secureDocument(app, () => SwaggerModule.createDocument(app, config('3.1.0')));
  expect(before()).toBe(first);
  expect(first).toContain('mine');
});

it('an operation that was written by hand has to say its own security', async () => {
  await started('express');
  const make = (more: object) => () => ({
    openapi: '3.1.0',
    info: { title: 'x', version: '1' },
    paths: { '/by-hand': { get: { responses: {}, ...more } } },
  });
  expect(() => secureDocument(app, make({}))).toThrow('GET /by-hand: is not in the route report');
  expect(secureDocument(app, make({ security: [] })).paths['/by-hand'].get).toEqual({
    responses: {},
    security: [],
  });
});
