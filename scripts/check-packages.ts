// Checks each published package as a user gets it: packs it, runs publint and attw on it, and
// installs it with npm into an empty project. There each entry point must work by import and by
// require(), and the README's quick start must run. The tests of the workspace are not run here.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

type Exports = Readonly<Record<string, string | Readonly<Record<string, unknown>>>>;

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports: Exports;
  readonly publishConfig?: { readonly exports: Exports };
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

const folder = mkdtempSync(join(tmpdir(), 'latchkey-packages-'));
const run = (command: string, args: readonly string[], cwd: string = process.cwd()) =>
  execFileSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });

try {
  const packages = readdirSync('packages')
    .map((name) => resolve('packages', name))
    .map((path) => ({
      path,
      manifest: JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Manifest,
    }))
    .filter(({ manifest }) => manifest.private !== true);
  const tarballs: Record<string, string> = {};
  const modules: string[] = [];
  const peers: Record<string, string> = {};
  for (const { path, manifest } of packages) {
    console.log(`-- ${manifest.name}`);
    checkExports(manifest);
    const tarball = join(folder, `${manifest.name.replace(/\W+/g, '-')}.tgz`);
    run('pnpm', ['pack', '--out', tarball], path);
    run('publint', ['run', tarball, '--strict']);
    // Checks all resolutions, including node10. A package without CommonJS is no library for
    // services: Node's require() takes its ES modules.
    run('attw', [tarball, ...(hasCommonJs(manifest) ? [] : ['--ignore-rules', 'cjs-resolves-to-esm'])]);
    tarballs[manifest.name] = `file:${tarball}`;
    modules.push(...modulesOf(manifest));
    Object.assign(peers, manifest.peerDependencies);
  }
  tryInstalled(tarballs, modules, peers);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** True if Jest and `module: commonjs` get CommonJS. */
function hasCommonJs({ exports }: Manifest): boolean {
  const main = exports['.'];
  return typeof main === 'object' && 'require' in main;
}

/** Checks that `publishConfig.exports` equals `exports` without the sources. */
function checkExports({ name, exports, publishConfig }: Manifest): void {
  const published = Object.entries(exports).map(([path, target]) => {
    if (typeof target === 'string') return [path, target];
    const { source: _source, ...rest } = target;
    return [path, rest];
  });
  if (JSON.stringify(Object.fromEntries(published)) !== JSON.stringify(publishConfig?.exports))
    throw new Error(`${name}: expected publishConfig.exports to equal exports without "source"`);
}

/** The entry points with code: `@latchkey/core`, `@latchkey/core/signing`; not those of types. */
function modulesOf({ name, exports }: Manifest): readonly string[] {
  return Object.keys(exports)
    .filter((path) => !path.endsWith('.json') && path !== './augment')
    .map((path) => name + path.slice(1));
}

function tryInstalled(
  tarballs: Readonly<Record<string, string>>,
  modules: readonly string[],
  peers: Readonly<Record<string, string>>,
): void {
  console.log('-- npm installs all packages into an empty project');
  const project = mkdtempSync(join(folder, 'project-'));
  // Packages that a Nest application has in addition to our peer dependencies.
  const nest = { '@nestjs/platform-express': '^12.0.0', 'reflect-metadata': '^0.2.2' };
  const manifest = { private: true, dependencies: { ...peers, ...nest, ...tarballs }, overrides: tarballs };
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest));
  run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], project);
  const names = JSON.stringify(modules);
  const exported = `if (Object.keys(module).length === 0) throw new Error(name + ' exports nothing');`;
  run(
    'node',
    [
      '--input-type=module',
      '-e',
      `for (const name of ${names}) { const module = await import(name); ${exported} }`,
    ],
    project,
  );
  run(
    'node',
    [
      '--input-type=commonjs',
      '-e',
      `for (const name of ${names}) { const module = require(name); ${exported} }`,
    ],
    project,
  );
  console.log('both import and require() work');
  tryQuickStart(project);
  tryNest(project);
  tryCommandLine(project);
}

/** Runs the installed command on a descriptor, then starts a service with that descriptor. */
function tryCommandLine(project: string): void {
  const latchkey = (...args: readonly string[]) =>
    execFileSync('npx', ['--no-install', 'latchkey', ...args], { cwd: project, encoding: 'utf8' });
  latchkey('jwks', 'generate', 'my-service', '--issuer', 'internal', '--key-id', 'k1');
  const listed = latchkey('service', 'jwks', 'list', 'my-service');
  if (listed !== 'ISSUER     SOURCE\ninternal   secret: k1\n') throw new Error(`jwks list printed ${listed}`);
  const code = `
    import { createAuthenticator } from '@latchkey/core';
    import schema from '@latchkey/core/descriptor.schema.json' with { type: 'json' };
    const authenticator = createAuthenticator({ descriptor: 'service.yaml', audience: 'me' });
    await authenticator.ready();
    const { keysets } = authenticator.report();
    if (keysets[0].kids[0] !== 'k1' || schema.properties.service === undefined) throw new Error('expected the key and the schema that were written');
    await authenticator.close();`;
  writeFileSync(join(project, 'described.mjs'), code);
  run('node', ['described.mjs'], project);
  console.log('the command line works');
}

/**
 * Runs a NestJS application in CommonJS, the format of Nest's own templates. It calls decorators as
 * compiled TypeScript does.
 */
function tryNest(project: string): void {
  const code = `
    require('reflect-metadata');
    const { Controller, Get, Module } = require('@nestjs/common');
    const { NestFactory } = require('@nestjs/core');
    const { LatchkeyModule, Public } = require('@latchkey/nestjs');
    class Home { health() { return 'ok'; } me() { return 'me'; } }
    for (const [name, decorators] of [['health', [Get('health'), Public()]], ['me', [Get('me')]]])
      for (const decorate of decorators) decorate(Home.prototype, name, Object.getOwnPropertyDescriptor(Home.prototype, name));
    Controller()(Home);
    class App {}
    const options = { keySets: [{ issuer: 'https://accounts.google.com', useOidcDiscovery: true }], audience: 'https://api.example.com' };
    Module({ imports: [LatchkeyModule.forRoot(options)], controllers: [Home] })(App);
    NestFactory.create(App, { logger: ['error'] }).then(async (app) => {
      await app.listen(0, '127.0.0.1');
      const url = 'http://127.0.0.1:' + app.getHttpServer().address().port;
      const answers = await Promise.all(['/health', '/me'].map((path) => fetch(url + path)));
      const seen = answers.map(({ status, headers }) => status + ' ' + headers.get('www-authenticate')).join(', ');
      if (seen !== '200 null, 401 Bearer') throw new Error('the application answered ' + seen);
      await app.close();
    });`;
  writeFileSync(join(project, 'nest.cjs'), code);
  run('node', ['nest.cjs'], project);
  console.log('NestJS in CommonJS works');
}

/** Runs the README's quick start unchanged, except for its port. */
function tryQuickStart(project: string): void {
  const readme = readFileSync('README.md', 'utf8');
  const code = /```js\n\/\/ server\.mjs\n([\s\S]*?)```/.exec(readme)?.[1];
  if (code === undefined)
    throw new Error('expected a quick start, a code block that begins with // server.mjs, in the README');
  const check = `
    const server = app.listen(0, '127.0.0.1', async () => {
      const url = 'http://127.0.0.1:' + server.address().port;
      const health = await fetch(url + '/health');
      const friends = await fetch(url + '/friends');
      const seen = [health.status, friends.status, friends.headers.get('www-authenticate')].join(' ');
      if (seen !== '200 401 Bearer') throw new Error('the quick start answered ' + seen);
      server.close();
      await issuer.close();
    });`;
  writeFileSync(join(project, 'server.mjs'), code.replace('app.listen(3000);', check));
  run('node', ['server.mjs'], project);
  console.log('the quick start works');
}
