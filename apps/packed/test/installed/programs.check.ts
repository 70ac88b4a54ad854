// What the READMEs promise, on the newest frameworks: both ways to load, the quick start, NestJS in
// CommonJS, and the command line.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, it } from 'vitest';
import { modules, ROOT } from './published.ts';
import { runs, runsNode } from './run.ts';

const project = join(inject('folder'), 'today');

/** Runs a program in the project, from a file. */
function runFile(name: string, code: string): Promise<string> {
  writeFileSync(join(project, name), code);
  return runsNode([name], project);
}

const eachModule = (load: string) =>
  `for (const name of ${JSON.stringify(modules)}) if (Object.keys(${load}).length === 0) throw new Error(name);`;

it('loads every entry point by import', async () => {
  await runFile('imported.mjs', eachModule('await import(name)'));
});

it('loads every entry point by require()', async () => {
  await runFile('required.cjs', eachModule('require(name)'));
});

it('runs the quick start of the README, unchanged but for its port', async () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const code = /```js\n\/\/ server\.mjs\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  expect(code).toContain('app.listen(3000);');
  const check = `
    const server = app.listen(0, '127.0.0.1', async () => {
      const url = 'http://127.0.0.1:' + server.address().port;
      const health = await fetch(url + '/health');
      const friends = await fetch(url + '/friends');
      console.log([health.status, friends.status, friends.headers.get('www-authenticate')].join(' '));
      server.close();
      await issuer.close();
    });`;
  const output = await runFile('server.mjs', code.replace('app.listen(3000);', check));
  expect(output).toContain('200 401 Bearer\n');
});

// It calls decorators as compiled TypeScript does.
const NEST = `
  require('reflect-metadata');
  const { Controller, Get, Module } = require('@nestjs/common');
  const { NestFactory } = require('@nestjs/core');
  const { LatchkeyModule, Public } = require('@latchkey/nestjs');
  class Home { health() { return 'ok'; } me() { return 'me'; } }
  for (const [name, decorators] of [['health', [Get('health'), Public()]], ['me', [Get('me')]]])
    for (const decorate of decorators) decorate(Home.prototype, name, Object.getOwnPropertyDescriptor(Home.prototype, name));
  Controller()(Home);
  class App {}
  const options = { keySets: [{ issuer: 'https://accounts.google.com', useOidcDiscovery: true }], audience: 'https://api.example.com', loadAtStart: false };
  Module({ imports: [LatchkeyModule.forRoot(options)], controllers: [Home] })(App);
  NestFactory.create(App, { logger: ['error'] }).then(async (app) => {
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const answers = await Promise.all(['/health', '/me'].map((path) => fetch(url + path)));
    console.log(answers.map(({ status, headers }) => status + ' ' + headers.get('www-authenticate')).join(', '));
    await app.close();
  });`;

it('runs NestJS in CommonJS, the format of the templates of Nest', async () => {
  expect(await runFile('nest.cjs', NEST)).toBe('200 null, 401 Bearer\n');
});

const MISTAKEN = `
  import { authenticate } from '@latchkey/express';
  try {
    authenticate({ keySets: [] });
  } catch ({ stack }) {
    console.log(stack.split('\\n').find((line) => line.trimStart().startsWith('at ')));
  }`;

it('C25: tells of wrong options where the application gives them', async () => {
  expect(await runFile('mistaken.mjs', MISTAKEN)).toMatch(/mistaken\.mjs:4:\d+/);
});

// SDK v1 knows its errors by their class, and its classes are others for import than for require().
const VERIFIER = `
  const options = { keySets: [{ issuer: 'https://accounts.google.com', useOidcDiscovery: true }], audience: null, loadAtStart: false };
  const { verifyAccessToken } = tokenVerifier(createAuthenticator(options));
  verifyAccessToken('x').catch((error) => console.log(error instanceof InvalidTokenError, error instanceof OAuthError));`;

const FROM = [
  ['{ createAuthenticator, tokenVerifier }', '@latchkey/mcp'],
  ['{ InvalidTokenError }', '@modelcontextprotocol/sdk/server/auth/errors.js'],
  ['{ OAuthError }', '@modelcontextprotocol/server'],
] as const;

it.each([
  ['import', 'mcp.mjs', FROM.map(([names, from]) => `import ${names} from '${from}';`)],
  ['require()', 'mcp.cjs', FROM.map(([names, from]) => `const ${names} = require('${from}');`)],
])('throws the errors of both versions of the SDK of MCP, loaded by %s', async (_, file, lines) => {
  expect(await runFile(file, [...lines, VERIFIER].join('\n'))).toBe('true true\n');
});

const DESCRIBED = `
  import { createAuthenticator } from '@latchkey/core';
  import schema from '@latchkey/core/descriptor.schema.json' with { type: 'json' };
  const authenticator = createAuthenticator({ descriptor: 'service.yaml', audience: 'me' });
  await authenticator.ready();
  console.log(authenticator.report().keysets[0].kids[0], typeof schema.properties.service);
  await authenticator.close();`;

it('runs the command line, and a service with the descriptor that it wrote', async () => {
  const latchkey = (...args: readonly string[]) =>
    runs('npx', ['--no-install', 'latchkey', ...args], project);
  await latchkey('jwks', 'generate', 'my-service', '--issuer', 'internal', '--key-id', 'k1');
  const listed = await latchkey('service', 'jwks', 'list', 'my-service');
  expect(listed).toBe('ISSUER     SOURCE\ninternal   secret: k1\n');
  expect(await runFile('described.mjs', DESCRIBED)).toBe('k1 object\n');
});
