// Two copies of core in one process, as they are built: the ES modules and the CommonJS of one
// version, and two versions in one tree. An application with one copy gets an authenticator of
// another one.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ask, EXPECTED } from './ask.ts';
import { built, FRAMEWORKS } from './built.ts';
import { run, serve } from './run.ts';

const project = join(inject('folder'), 'today');

// The second version is a package under another name, so that Node finds both.
const OTHER = join(project, 'node_modules/latchkey-core-other');

// Without this condition, require() takes CommonJS, as in Jest and in older versions of Node.
const HOOK = `
  import { registerHooks } from 'node:module';
  registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, { ...context, conditions: context.conditions.filter((name) => name !== 'module-sync') }),
  });`;

const MAIN = `
  import { createRequire } from 'node:module';
  const require = createRequire(import.meta.url);
  const [maker, format, framework, options] = process.argv.slice(2);
  const copies = {
    import: await import('@latchkey/core'),
    require: require('@latchkey/core'),
    other: await import('latchkey-core-other'),
  };
  if (new Set(Object.values(copies).map((copy) => copy.createAuthenticator)).size !== 3) throw new Error('expected three copies');
  const load = (path) => (format === 'esnext' ? import(path) : require(path));
  const { start } = await load('./copies-' + format + '/' + framework + '.js');
  const authenticator = copies[maker].createAuthenticator(JSON.parse(options));
  await authenticator.ready();
  const { url } = await start(authenticator);
  console.log(url);`;

let issuer: TestIssuer;
beforeAll(async () => {
  cpSync(join(project, 'node_modules/@latchkey/core'), OTHER, { recursive: true });
  for (const file of ['package.json', 'dist/values/version.js', 'dist/cjs/values/version.js']) {
    const text = readFileSync(join(OTHER, file), 'utf8');
    writeFileSync(join(OTHER, file), text.replace(/(VERSION = '|"version": ")[^'"]*/, '$199.0.0'));
  }
  writeFileSync(join(project, 'copies-hook.mjs'), HOOK);
  writeFileSync(join(project, 'copies.mjs'), MAIN);
  issuer = await createIssuer();
  await built('today', 'esnext', 'copies-esnext');
  await built('today', 'commonjs', 'copies-commonjs');
});
afterAll(() => issuer?.close());

describe.each(FRAMEWORKS)('%s', (framework) => {
  it.each([
    ['ES modules, an authenticator of CommonJS', 'require', 'esnext'],
    ['CommonJS, an authenticator of ES modules', 'import', 'commonjs'],
    ['ES modules, an authenticator of another version', 'other', 'esnext'],
  ])('%s', async (_, maker, format) => {
    const args = ['copies.mjs', maker, format, framework, JSON.stringify(issuer.options)];
    const service = await serve(process.execPath, ['--import', './copies-hook.mjs', ...args], project);
    expect(await ask(service.url, issuer)).toEqual(EXPECTED);
    await service.stop();
  });
});

const DECORATORS = `
  import 'reflect-metadata';
  import { createRequire } from 'node:module';
  import { Controller, Get, Module } from '@nestjs/common';
  import { NestFactory } from '@nestjs/core';
  import { LatchkeyModule } from '@latchkey/nestjs';
  const { LatchkeyModule: OtherModule, Public, RequireClaims } = createRequire(import.meta.url)('@latchkey/nestjs');
  if (LatchkeyModule === OtherModule) throw new Error('expected two copies');
  class Home { health() { return 'ok'; } admin() { return 'ok'; } me() { return 'ok'; } }
  for (const [name, ...decorators] of [['health', Public()], ['admin', RequireClaims({ roles: ['admin'] })], ['me']])
    for (const decorate of [Get(name), ...decorators]) decorate(Home.prototype, name, Object.getOwnPropertyDescriptor(Home.prototype, name));
  Controller()(Home);
  class App {}
  Module({ imports: [LatchkeyModule.forRoot(JSON.parse(process.argv[2]))], controllers: [Home] })(App);
  const app = await NestFactory.create(App, { logger: ['error'] });
  await app.listen(0, '127.0.0.1');
  console.log(await app.getUrl());`;

it('nestjs: the guard of one copy sees the decorators of another', async () => {
  writeFileSync(join(project, 'decorators.mjs'), DECORATORS);
  const args = ['--import', './copies-hook.mjs', 'decorators.mjs', JSON.stringify(issuer.options)];
  const service = await serve(process.execPath, args, project);
  expect(await ask(service.url, issuer)).toEqual(EXPECTED);
  await service.stop();
});

// `verify` is left out: the types of claims that its rules make differ between two copies.
const TYPES = `
import type * as a from '@latchkey/core';
import type * as b from '../node_modules/latchkey-core-other/dist/cjs/index.js';
import type * as adapterA from '@latchkey/core/adapter';
import type * as adapterB from '../node_modules/latchkey-core-other/dist/cjs/adapter/index.js';
import type * as signingA from '@latchkey/core/signing';
import type * as signingB from '../node_modules/latchkey-core-other/dist/cjs/signing/index.js';

type Fits<One extends Other, Other> = One;
type Rules = { readonly roles: readonly string[] };
export type Both = [
  ${[
    'CombinedAuthenticator<string>',
    'UpgradeAuthenticator<string>',
    'AuthError',
    'ConfigError',
    'Principal',
    'CompiledRules',
    'CompiledRules<Rules>',
    'RouteAccess',
    'AuthenticatorOptions',
    'SecretStore',
  ]
    .map((name) => `Fits<a.${name}, b.${name}>, Fits<b.${name}, a.${name}>`)
    .join(',\n  ')},
  Fits<adapterA.CompiledAccess, adapterB.CompiledAccess>, Fits<adapterB.CompiledAccess, adapterA.CompiledAccess>,
  Fits<signingA.Signer, signingB.Signer>, Fits<signingB.Signer, signingA.Signer>,
  Fits<Omit<a.Authenticator, 'verify'>, Omit<b.Authenticator, 'verify'>>, Fits<Omit<b.Authenticator, 'verify'>, Omit<a.Authenticator, 'verify'>>,
];
// @ts-expect-error: plain rules are not compiled ones.
export type Plain = Fits<{ readonly roles: string }, a.CompiledRules>;
// @ts-expect-error: nor are no rules.
export type None = Fits<Record<never, never>, b.CompiledRules>;
// @ts-expect-error: an error without a code is not a refusal.
export type Other = Fits<Error, a.AuthError>;
`;

it.each(['5.5', '5.9', '6', '7'])('types of two copies fit each other in TypeScript %s', async (version) => {
  const folder = join(project, `types-of-copies-${version}`);
  mkdirSync(folder);
  writeFileSync(join(folder, 'copies.mts'), TYPES);
  const compilerOptions = {
    ...{ module: 'nodenext', target: 'es2022', lib: ['es2022'], types: ['node'], strict: true },
    ...{ exactOptionalPropertyTypes: true, skipLibCheck: true, noEmit: true, esModuleInterop: true },
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['copies.mts'] }));
  const compiler = join(project, `node_modules/typescript-${version}/bin/tsc`);
  expect(await run(process.execPath, [compiler, '-p', folder, '--pretty', 'false'], folder)).toEqual({
    code: 0,
    output: '',
  });
});
