// Applications as one file: the bundle runs alone, in a folder without node_modules, with a
// descriptor in YAML next to it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { ask, EXPECTED } from './ask.ts';
import { built } from './built.ts';
import { runs, runsNode, serve } from './run.ts';

const project = join(inject('folder'), 'today');

// What Express, Fastify and other packages in CommonJS need in an ES module: require().
const REQUIRE = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`;

const MAIN = (framework: string) => `
  import { createAuthenticator } from '@latchkey/core';
  import { start } from './${framework}.js';
  const authenticator = createAuthenticator({ descriptor: 'service.yaml' });
  authenticator.ready().then(() => start(authenticator)).then(({ url }) => console.log(url));`;

const WEBPACK = (entry: string, folder: string, isModule: boolean) => `
  const webpack = require('webpack');
  const output = ${JSON.stringify({ path: folder, filename: isModule ? 'app.mjs' : 'app.cjs', module: isModule, chunkFormat: isModule ? 'module' : 'commonjs' })};
  const config = { mode: 'production', target: 'node22', entry: ${JSON.stringify(entry)}, output, experiments: { outputModule: ${isModule} }, optimization: { minimize: false } };
  webpack(config, (error, stats) => {
    if (error === null && !stats.hasErrors()) return;
    console.error(error ?? stats.toString({ all: false, errors: true }));
    process.exitCode = 1;
  });`;

let issuer: TestIssuer;
let applications: string;
beforeAll(async () => {
  [issuer, applications] = await Promise.all([createIssuer(), built('today', 'esnext', 'bundled')]);
});
afterAll(() => issuer?.close());

const cases = ['cjs', 'mjs'].flatMap((format) => [
  { bundler: 'esbuild', format, framework: 'express' },
  { bundler: 'esbuild', format, framework: 'fastify' },
  { bundler: 'webpack', format, framework: 'express' },
]);

it.each(cases)('$framework by $bundler as $format', async ({ bundler, format, framework }) => {
  const entry = join(applications, `main-${framework}.js`);
  writeFileSync(entry, MAIN(framework));
  const folder = join(inject('folder'), `bundle-${bundler}-${format}-${framework}`);
  mkdirSync(folder);
  if (bundler === 'esbuild') {
    const options = ['--bundle', '--platform=node', `--format=${format === 'cjs' ? 'cjs' : 'esm'}`];
    const banner = format === 'cjs' ? [] : [`--banner:js=${REQUIRE}`];
    const outfile = `--outfile=${join(folder, `app.${format}`)}`;
    await runs(join(project, 'node_modules/.bin/esbuild'), [entry, ...options, ...banner, outfile], project);
  } else {
    const script = join(project, `webpack-${format}-${framework}.cjs`);
    writeFileSync(script, WEBPACK(entry, folder, format === 'mjs'));
    await runsNode([script], project);
  }
  const keySets = [{ issuer: issuer.issuer, useOidcDiscovery: true, allowHttp: true }];
  const claims = { sub: { pattern: '[a-z]+' } };
  // JSON is YAML; the first lines are not JSON.
  const jwt = JSON.stringify({ keySets, audience: issuer.audience, claims });
  writeFileSync(join(folder, 'service.yaml'), `service:\n  jwt: ${jwt}\n`);
  const service = await serve(process.execPath, [`app.${format}`], folder);
  expect(await ask(service.url, issuer)).toEqual(EXPECTED);
  await service.stop();
});
