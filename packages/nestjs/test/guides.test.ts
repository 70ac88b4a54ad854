// Runs the login of docs/guides/signing.md, and loads the descriptor of docs/guides/descriptor.md.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadDescriptor } from '@latchkey/core';
import { logInTo, loginProgram } from '@latchkey/test-kit/login-example';
import { descriptorExample } from '@latchkey/test-kit/quick-start';
import { afterAll, beforeAll, expect, it } from 'vitest';

const home = fileURLToPath(new URL('..', import.meta.url));
// The folder is inside the package, so that the package name resolves to it, and is neither packed
// nor kept.
const folder = join(home, 'reports/readme');

const compile = (...options: readonly string[]) =>
  execFileSync('tsc', ['-p', folder, ...options], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

beforeAll(() => {
  mkdirSync(folder, { recursive: true });
  const compilerOptions = {
    experimentalDecorators: true,
    isolatedModules: true,
    customConditions: ['source'],
    declaration: false,
    rootDir: '../../../..',
  };
  const config = { extends: '../../../../tsconfig.base.json', compilerOptions, include: ['*.ts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('the login forwards to a backend and signs its reply', async () => {
  writeFileSync(join(folder, 'login.ts'), loginProgram(import.meta.url));
  compile('--noCheck', '--noResolve', '--rootDir', folder);
  expect(await logInTo(join(folder, 'login.js'))).toEqual({
    status: 200,
    subjects: { access_token: 'john', refresh_token: 'john' },
    fields: ['access_token', 'refresh_token', 'exp'],
    refused: '401 {"error":"wrong password"}',
  });
});

it('the descriptor is valid', () => {
  const descriptor = join(folder, 'service.yaml');
  writeFileSync(descriptor, descriptorExample());
  const { options } = loadDescriptor(descriptor);
  expect(Object.keys(options.routes ?? {})).toEqual(['admin']);
  expect(options.audience).toBe('https://api.example.com');
});
