// Bun and Deno, whose npm packages have their programs: the applications answer, and core refuses
// what their HTTP clients may ignore.
import { existsSync, globSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ask, EXPECTED } from './ask.ts';
import { built, FRAMEWORKS } from './built.ts';
import { modules } from './published.ts';
import { runs, serve } from './run.ts';

const project = join(inject('folder'), 'today');

/** The program of a runtime for this machine, if npm has one. */
function program(pattern: string): string | undefined {
  return globSync(pattern, { cwd: join(project, 'node_modules') })
    .map((path) => join(project, 'node_modules', path))
    .find((path) => existsSync(path));
}

const RUNTIMES = [
  { name: 'Bun', command: program('@oven/bun-*/bin/bun'), args: ['run'] },
  { name: 'Deno', command: program('@deno/*/deno'), args: ['run', '--allow-all'] },
].map((runtime) => ({ ...runtime, isMissing: runtime.command === undefined }));

const LOAD = `for (const name of ${JSON.stringify(modules.filter((name) => !name.includes('conformance')))})
  if (Object.keys(await import(name)).length === 0) throw new Error(name);`;

const MAIN = `
  import { createAuthenticator } from '@latchkey/core';
  const [framework, options] = process.argv.slice(2);
  const { start } = await import('./runtimes/' + framework + '.js');
  const authenticator = createAuthenticator(JSON.parse(options));
  await authenticator.ready();
  const { url } = await start(authenticator);
  console.log(url);`;

const REFUSED = `
  import { createAuthenticator } from '@latchkey/core';
  const keyset = { issuer: 'https://a.example', useOidcDiscovery: true };
  const tried = [
    { ...keyset, tls: { pins: ['sha256/' + 'A'.repeat(43) + '='] } },
    { ...keyset, tls: { ca: 'ca.pem' } },
    { ...keyset, proxy: 'http://127.0.0.1:1' },
    { jwksHosts: ['a.example'] },
  ];
  for (const one of tried) {
    try {
      createAuthenticator({ keySets: [one], audience: 'a' });
      console.log('accepted');
    } catch (error) {
      console.log(error.name, error.path, error.problem);
    }
  }`;

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
  await built('today', 'esnext', 'runtimes');
  for (const [name, code] of Object.entries({ load: LOAD, main: MAIN, refused: REFUSED }))
    writeFileSync(join(project, `runtimes-${name}.mjs`), code);
});
afterAll(() => issuer?.close());

describe.each(RUNTIMES)('$name', ({ name, command = '', args, isMissing }) => {
  it.skipIf(isMissing)('loads every entry point', async () => {
    await runs(command, [...args, 'runtimes-load.mjs'], project);
  });

  it.skipIf(isMissing).each(FRAMEWORKS)('runs an application on %s', async (framework) => {
    const options = JSON.stringify(issuer.options);
    const service = await serve(command, [...args, 'runtimes-main.mjs', framework, options], project);
    expect(await ask(service.url, issuer)).toEqual(EXPECTED);
    await service.stop();
  });

  it.skipIf(isMissing)('refuses the options that it cannot keep', async () => {
    const output = await runs(command, [...args, 'runtimes-refused.mjs'], project);
    const problem = `not on ${name}, whose HTTP client may ignore it; run the service on Node`;
    expect(output.trim().split('\n')).toEqual(
      ['tls', 'tls', 'proxy', 'jwksHosts'].map((path) => `ConfigError keySets[0].${path} ${problem}`),
    );
  });
});
