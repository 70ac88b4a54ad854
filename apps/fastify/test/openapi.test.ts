// The OpenAPI document of the sample is valid, and names what each route requires.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSample } from '@latchkey-apps/friends';
import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, it, onTestFinished } from 'vitest';
import { createApp } from '../src/app.ts';

it('the document is valid, and names what each route requires', async () => {
  const authDirectory = mkdtempSync(join(tmpdir(), 'fastify-openapi-'));
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
  const app = await createApp(sample);
  onTestFinished(async () => {
    await app.close();
    await sample.close();
    rmSync(authDirectory, { recursive: true });
  });
  const document = (await app.inject('/openapi.json')).json();
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
