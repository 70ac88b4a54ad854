// Options in a file, and routes by name, in a Nest application on both platforms. The cases for all
// adapters are in the conformance suite.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Described, describeDescriptor } from '@latchkey/conformance';
import { createIssuer } from '@latchkey/testing';
import { Controller, Get, type INestApplication, type Type } from '@nestjs/common';
import { expect, it, onTestFinished, vi } from 'vitest';
import {
  Auth,
  type DescribedAuthenticator,
  type DescriptorOptions,
  LATCHKEY_AUTHENTICATOR,
  LatchkeyModule,
  type Principal,
  RequireClaims,
  route,
} from '../src/index.ts';
import { create, moduleOf, onMethod, platforms } from './application.ts';

function controller(): Type {
  class Described {
    me(auth: Principal) {
      return { subject: auth.subject };
    }
    admin() {
      return {};
    }
  }
  Auth()(Described.prototype, 'me', 0);
  onMethod(Described, 'me', Get('me'));
  onMethod(Described, 'admin', RequireClaims(route('admin')), Get('admin'));
  Controller()(Described);
  return Described;
}

async function built(app: INestApplication): Promise<Described> {
  await app.init();
  const instance = app.getHttpAdapter().getInstance();
  if (app.getHttpAdapter().getType() === 'express') return { listener: instance, close: () => app.close() };
  await instance.ready();
  return { listener: (...args) => instance.routing(...args), close: () => app.close() };
}

for (const platform of platforms) {
  describeDescriptor(`forRoot on ${platform}`, async (options) =>
    built(
      await create({ imports: [LatchkeyModule.forRoot(options)], controllers: [controller()] }, platform),
    ),
  );

  describeDescriptor(`forRootAsync on ${platform}`, async (options) => {
    const settings = Symbol('settings');
    const Settings = moduleOf({
      providers: [{ provide: settings, useFactory: async () => options }],
      exports: [settings],
    });
    const later = LatchkeyModule.forRootAsync({
      imports: [Settings],
      inject: [settings],
      useFactory: (given: DescriptorOptions) => given,
    });
    return built(await create({ imports: [later], controllers: [controller()] }, platform));
  });
}

it('the authenticator of a file can be injected: reload() reads the file, until the application ends', async () => {
  const issuer = await createIssuer();
  const directory = await mkdtemp(join(tmpdir(), 'latchkey-nest-'));
  onTestFinished(async () => {
    vi.restoreAllMocks();
    await issuer.close();
    await rm(directory, { recursive: true });
  });
  const descriptor = join(directory, 'service.yaml');
  const write = (realm: string) => {
    const keySets = [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }];
    return writeFile(descriptor, JSON.stringify({ service: { jwt: { keySets, audience: 'me', realm } } }));
  };
  // A refused file also emits a warning.
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  await write('one');
  const app = await create({ imports: [LatchkeyModule.forRoot({ descriptor })] });
  await app.init();
  const authenticator = app.get<DescribedAuthenticator>(LATCHKEY_AUTHENTICATOR);
  expect(authenticator.report().descriptor).toMatchObject({ file: descriptor, state: 'applied' });
  await writeFile(descriptor, 'service: 5');
  await expect(authenticator.reload()).rejects.toThrow(`${descriptor}:1:1`);
  expect(authenticator.report().descriptor).toMatchObject({ state: 'refused' });
  await write('two');
  await authenticator.reload();
  expect(authenticator.report().descriptor).toMatchObject({ state: 'applied' });
  expect(warned.mock.calls.map(([text]) => text)).toEqual([
    expect.stringContaining('has changed and cannot be used'),
    expect.stringContaining('can be used again'),
  ]);
  await app.close();
  await writeFile(descriptor, 'service: 5');
  await authenticator.reload();
});
