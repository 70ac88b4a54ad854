// publishResource: where it answers, on both platforms. What it answers is in the conformance
// suite.
import { createAuthenticator } from '@latchkey/core';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { Controller, Get, type INestApplication, Module, type Type, VersioningType } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LatchkeyModule, publishResource } from '../src/index.ts';

const PATH = '/.well-known/oauth-protected-resource';
let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

let app: INestApplication | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

function moduleOf(...imports: readonly unknown[]): Type {
  class FilesController {
    files() {
      return 'files';
    }
  }
  const { prototype } = FilesController;
  Get('files')(prototype, 'files', Object.getOwnPropertyDescriptor(prototype, 'files')!);
  Controller()(FilesController);
  class AppModule {}
  Module({ imports: imports as never, controllers: [FilesController] })(AppModule);
  return AppModule;
}

const withResource = () => {
  const { keySets } = issuer.options;
  return LatchkeyModule.forRoot({ keySets, resource: { url: 'https://api.example.com/files' } });
};

describe.each([
  ['express', (module: Type) => NestFactory.create(module, { logger: false, abortOnError: false })],
  [
    'fastify',
    (module: Type) =>
      NestFactory.create(module, new FastifyAdapter(), { logger: false, abortOnError: false }),
  ],
])('on %s', (_platform, create) => {
  async function statusesOf(imports: readonly unknown[], ...paths: readonly string[]) {
    app = await create(moduleOf(...imports));
    app.setGlobalPrefix('api');
    app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const statuses = [];
    for (const path of paths) statuses.push((await fetch(`${url}${path}`)).status);
    return statuses;
  }

  it('answers at the root, whatever prefix and version the application has', async () => {
    const paths = [`${PATH}/files`, `/api/v1${PATH}/files`, PATH, '/api/v1/files'];
    expect(await statusesOf([withResource(), publishResource()], ...paths)).toEqual([200, 404, 404, 401]);
  });

  it('answers for other authenticators', async () => {
    const { keySets } = issuer.options;
    const other = createAuthenticator({ keySets, resource: { url: 'https://api.example.com/mail' } });
    const paths = [`${PATH}/mail`, `${PATH}/files`];
    expect(await statusesOf([withResource(), publishResource(other)], ...paths)).toEqual([200, 404]);
    await other.close();
  });

  it.each<[title: string, imports: () => readonly unknown[], message: string]>([
    [
      'an authenticator without a resource',
      () => [LatchkeyModule.forRoot(issuer.options), publishResource()],
      'resource: publishResource needs it',
    ],
    [
      'an application without the module',
      () => [publishResource()],
      'LatchkeyModule: publishResource needs it',
    ],
  ])('refuses %s', async (_title, imports, message) => {
    await expect(statusesOf(imports())).rejects.toThrow(message);
  });
});
