// Jest loads CommonJS, without flags: plain JavaScript, and TypeScript by ts-jest.
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, it } from 'vitest';
import { built, FRAMEWORKS } from './built.ts';
import { run } from './run.ts';

const project = join(inject('folder'), 'commonjs');

const ATTACK = `  const report = await attack({
    target: url,
    routes: [{ path: '/admin', requires: { roles: ['admin'] } }],
    options: issuer.options,
    issuer,
    publicPaths: ['/health'],
  });
  report.assertSafe();
  expect(report.attacks.length).toBeGreaterThan(100);
`;

/** The test of a user, but for the way in which it imports. */
const testOf = (framework: string) => `
test('${framework} refuses and accepts', async () => {
  const issuer = await createIssuer();
  const authenticator = createAuthenticator(issuer.options);
  const { url, close } = await start(authenticator);
  const statusFor = async (...roles${'ROLES'}) => {
    const token = await issuer.mint({ sub: 'alice', roles });
    const headers${'HEADERS'} = roles.length === 0 ? {} : { authorization: 'Bearer ' + token };
    return (await fetch(url + '/admin', { headers })).status;
  };
  expect([await statusFor(), await statusFor('reader'), await statusFor('admin')]).toEqual([401, 403, 200]);
${framework === 'express' ? ATTACK : ''}  await close();
  await authenticator.close();
  await issuer.close();
});
`;
const javascript = (framework: string) =>
  `const { createAuthenticator } = require('@latchkey/core');
const { attack, createIssuer } = require('@latchkey/testing');
const { start } = require('./${framework}.js');
${testOf(framework).replace('ROLES', '').replace('HEADERS', '')}`;
const typescript = (framework: string) =>
  `import { createAuthenticator } from '@latchkey/core';
import { attack, createIssuer } from '@latchkey/testing';
import { start } from './${framework}';
${testOf(framework).replace('ROLES', ': string[]').replace('HEADERS', ': Record<string, string>')}`;

/** Runs Jest in a folder of the project. @returns its exit code and the end of what it printed */
async function jest(folder: string, config: object): Promise<string> {
  writeFileSync(
    join(folder, 'jest.config.json'),
    JSON.stringify({ testEnvironment: 'node', testTimeout: 60_000, ...config }),
  );
  const command = join(project, 'node_modules/jest/bin/jest.js');
  const { code, output } = await run(process.execPath, [command, '--runInBand', '--ci'], folder);
  return code === 0 ? (/^Tests:.*$/m.exec(output)?.[0] ?? output) : output;
}

it('runs tests in plain JavaScript', async () => {
  const folder = await built('commonjs', 'commonjs', 'jest-javascript');
  for (const name of FRAMEWORKS) writeFileSync(join(folder, `${name}.test.js`), javascript(name));
  expect(await jest(folder, { transform: {} })).toMatch(/^Tests: +4 passed, 4 total$/);
});

it('runs tests in TypeScript with ts-jest', async () => {
  const folder = join(project, 'jest-typescript');
  mkdirSync(folder);
  for (const name of FRAMEWORKS) {
    cpSync(join(project, `applications/${name}.ts`), join(folder, `${name}.ts`));
    writeFileSync(join(folder, `${name}.test.ts`), typescript(name));
  }
  const tsconfig = {
    ...{ module: 'commonjs', moduleResolution: 'node10', ignoreDeprecations: '6.0', target: 'es2022' },
    ...{ lib: ['es2022'], types: ['node', 'jest'], strict: true, skipLibCheck: true },
    ...{ esModuleInterop: true, experimentalDecorators: true, emitDecoratorMetadata: true },
  };
  const transform = { '\\.ts$': ['ts-jest', { tsconfig }] };
  expect(await jest(folder, { transform })).toMatch(/^Tests: +4 passed, 4 total$/);
});
