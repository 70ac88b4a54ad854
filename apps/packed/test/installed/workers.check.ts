// Core in Workers: a bundle of one file, by esbuild, in the real runtime. docs/runtimes.md says
// what works there.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { runsNode } from './run.ts';

const project = join(inject('folder'), 'today');
const [path] = globSync('@cloudflare/workerd-*/bin/workerd', { cwd: join(project, 'node_modules') });
const program = path === undefined ? undefined : join(project, 'node_modules', path);

const SERVICE = `
  import { createAuthenticator, isAuthError } from '@latchkey/core';
  let authenticator;
  export default {
    async fetch(request, env) {
      try {
        authenticator ??= createAuthenticator(JSON.parse(env.OPTIONS));
        const token = request.headers.get('authorization')?.replace(/^Bearer /, '') ?? '';
        const { subject } = await authenticator.verify(token);
        return Response.json(subject);
      } catch (error) {
        if (isAuthError(error)) return Response.json(error.code, { status: error.status });
        return Response.json(error.name + ' ' + error.message, { status: 500 });
      }
    },
  };`;

/** The options are a string of JSON, which is a string of Cap'n Proto too. */
const configuration = (options: string) => `
  using Workerd = import "/workerd/workerd.capnp";
  const config :Workerd.Config = (
    services = [
      (name = "main", worker = .main),
      (name = "internet", network = (allow = ["public", "private"])),
    ],
    sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
  );
  const main :Workerd.Worker = (
    modules = [(name = "worker", esModule = embed "worker.mjs")],
    compatibilityDate = "2026-05-01",
    compatibilityFlags = ["nodejs_compat"],
    bindings = [(name = "OPTIONS", text = ${JSON.stringify(options)})],
  );`;

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
  writeFileSync(join(project, 'worker-main.mjs'), SERVICE);
  const esbuild = join(project, 'node_modules/esbuild/bin/esbuild');
  const args = ['worker-main.mjs', '--bundle', '--format=esm', '--platform=node', '--outfile=worker.mjs'];
  await runsNode([esbuild, ...args, '--log-level=error'], project);
});
afterAll(() => issuer?.close());

/** The answers of a service with this keyset, each a status and what it says. */
async function answers(keyset: object, tokens: readonly string[]): Promise<unknown[]> {
  const options = { keySets: [{ issuer: issuer.issuer, ...keyset }], audience: issuer.audience };
  const file = join(project, 'worker.capnp');
  writeFileSync(file, configuration(JSON.stringify(options)));
  const child = spawn(program ?? '', ['serve', file, '--control-fd=1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  try {
    const { value } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
    const { port } = JSON.parse(value ?? '{}') as { readonly port?: number };
    const found: unknown[] = [];
    for (const token of tokens) {
      const headers = { authorization: `Bearer ${token}` };
      const answer = await fetch(`http://127.0.0.1:${port}/`, { headers });
      found.push([answer.status, await answer.json()]);
    }
    return found;
  } finally {
    child.kill('SIGKILL');
    await closed;
  }
}

describe.skipIf(program === undefined)('Workers', () => {
  it.each<[title: string, keyset: () => object, requests: number]>([
    ['in the options', () => ({ jwks: issuer.jwks }), 0],
    ['at a URL', () => ({ jwksUrl: issuer.jwksUrl, allowHttp: true }), 1],
  ])('keys %s verify tokens', async (_, keyset, requests) => {
    const before = issuer.requests.jwks;
    const token = await issuer.mint({ sub: 'alice' });
    const forged = `${token.slice(0, -4)}AAAA`;
    const foreign = await issuer.mint({ aud: 'other' });
    expect(await answers(keyset(), [token, token, forged, foreign, 'none'])).toEqual([
      [200, 'alice'],
      [200, 'alice'],
      [401, 'token_signature_invalid'],
      [401, 'token_audience_mismatch'],
      [401, 'token_malformed'],
    ]);
    expect(issuer.requests.jwks - before).toBe(requests);
  });

  it.each<[option: string, keyset: object]>([
    ['tls', { jwksUrl: 'https://a.example/keys', tls: { fingerprints: ['A'.repeat(43)] } }],
    ['proxy', { jwksUrl: 'https://a.example/keys', proxy: false }],
  ])('%s is refused', async (option, keyset) => {
    const text = expect.stringContaining(`ConfigError keySets[0].${option}: not on Workers`);
    expect(await answers(keyset, [await issuer.mint()])).toEqual([[500, text]]);
  });

  it('a file of keys cannot be read, and no token is accepted', async () => {
    const keyset = { publicKeys: [{ file: '/keys.pem', algorithm: 'ES256' }] };
    expect(await answers(keyset, [await issuer.mint()])).toEqual([[503, 'keyset_unavailable']]);
  });
});
