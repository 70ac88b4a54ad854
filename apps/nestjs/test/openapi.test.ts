// The OpenAPI document of the sample is valid, and names what each route requires.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSample, type Sample } from '@latchkey-apps/friends';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, it, onTestFinished } from 'vitest';

/** A file of the service. Its decorators compile with the settings of the service only. */
const load = async (file: string): Promise<Service> =>
  import(fileURLToPath(new URL(`../service/${file}`, import.meta.url)));

interface Service {
  createAppModule(sample: Sample): new () => object;
  publishDocument(app: INestApplication): void;
}

it('the document is valid, and names what each route requires', async () => {
  const authDirectory = mkdtempSync(join(tmpdir(), 'nestjs-openapi-'));
  const sample = await createSample({
    keySets: [],
    audience: 'me',
    publicUrl: 'http://localhost:3000',
    realm: 'sample',
    authDirectory,
    friendsUrl: undefined,
    host: '127.0.0.1',
    port: 0,
  });
  const { createAppModule } = await load('app.module.ts');
  const app = await NestFactory.create(createAppModule(sample), { bodyParser: false, logger: false });
  onTestFinished(async () => {
    await app.close();
    await sample.close();
    rmSync(authDirectory, { recursive: true });
  });
  (await load('openapi.ts')).publishDocument(app);
  await app.listen(0, '127.0.0.1');
  const document = JSON.parse(await (await fetch(`${await app.getUrl()}/openapi.json`)).text());
  expect((await new Validator().validate(structuredClone(document))).errors).toBeUndefined();
  const requirements = Object.entries<object>(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, one]) => [`${method} ${path}`, one.security] as const),
  );
  const token = (...scopes: readonly string[]) => [{ bearer: scopes }, { DPoP: scopes }];
  expect(Object.fromEntries(requirements)).toEqual({
    'get /health': [],
    'get /.well-known/jwks.json': [],
    'post /token': [],
    'post /token/refresh': [],
    'get /friends': token('friends:read'),
    'post /messages': token('messages:write'),
    'post /logout': token(),
    'get /internal/friends/{user}': token(),
    'get /admin': token(),
  });
  expect(document.paths['/admin'].get.description).toContain('- `roles` has all of ["admin","dev"]');
  const { responses } = document.paths['/friends'].get;
  expect(Object.keys(responses)).toEqual(expect.arrayContaining(['200', '400', '401', '403', '503']));
});
