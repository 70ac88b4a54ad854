// The conformance suite of MCP against the sample. It cannot send a token, so a proxy adds one.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Sample, startSample } from './sample.ts';
import { forClients, lacking, passed, tableRows } from './scenarios.ts';

interface Check {
  readonly status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'INFO' | 'SKIPPED';
  readonly errorMessage?: string;
}

const suite = fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/dist/index.js'));
let sample: Sample;
beforeAll(async () => {
  sample = await startSample();
});
afterAll(() => sample.stop());

/** Runs the suite, and resolves with what it prints. */
async function run(...options: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [suite, ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
  return await text(child.stdout);
}

/** The checks of each scenario that ran. */
async function check(url: string, ...options: readonly string[]): Promise<Map<string, readonly Check[]>> {
  const directory = await mkdtemp(join(tmpdir(), 'latchkey-mcp-'));
  try {
    await run('server', '--url', url, '--output-dir', directory, ...options);
    const results = new Map<string, readonly Check[]>();
    for (const name of await readdir(directory)) {
      const [, scenario = name] = /^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/.exec(name) ?? [];
      results.set(scenario, JSON.parse(await readFile(join(directory, name, 'checks.json'), 'utf8')));
    }
    return results;
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Passes requests on to the sample with the token of a writer. */
async function startProxy() {
  const { hostname, port } = new URL(sample.url);
  const server = createServer((request, response) => {
    const headers = { ...request.headers, authorization: `Bearer ${sample.token('WRITER')}` };
    const passedOn = send(
      { hostname, port, path: request.url, method: request.method, headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    passedOn.on('error', () => response.destroy());
    response.on('close', () => passedOn.destroy());
    request.pipe(passedOn);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** True if a scenario found something, and all of it is right. */
const isPassed = (checks: readonly Check[]) =>
  checks.some(({ status }) => status === 'SUCCESS') &&
  checks.every(({ status }) => status === 'SUCCESS' || status === 'INFO');

const forServers = [...passed, ...lacking.flatMap(({ scenarios }) => scenarios)].sort();

it('names every scenario of the suite', async () => {
  const [, servers = '', clients = ''] = (await run('list')).split(/^(?:Server|Client) scenarios.*$/m);
  const names = (list: string) => [...list.matchAll(/^ {2}- (\S+)/gm)].map(([, name]) => name).sort();
  expect(names(servers)).toEqual(forServers);
  expect(names(clients)).toEqual([...forClients].sort());
});

it('passes the scenarios that apply, and no other', { timeout: 60_000 }, async () => {
  const proxy = await startProxy();
  const results = await check(proxy.url, '--suite', 'all');
  proxy.stop();
  expect([...results.keys()].sort()).toEqual(forServers);
  const wrong = passed.filter((name) => !isPassed(results.get(name) ?? []));
  expect(wrong.map((name) => [name, results.get(name)])).toEqual([]);
  // A scenario that begins to pass belongs to those that apply.
  expect(
    [...results]
      .filter(([, checks]) => isPassed(checks))
      .map(([name]) => name)
      .sort(),
  ).toEqual([...passed].sort());
});

it('lets no scenario pass without a token', async () => {
  const results = await check(sample.url, '--scenario', 'server-initialize');
  expect([...results.values()].flat()).toMatchObject([
    { status: 'FAILURE', errorMessage: expect.stringContaining('credentials_missing') },
  ]);
});

it('docs/mcp.md has the table', async () => {
  const docs = await readFile(new URL('../../../docs/mcp.md', import.meta.url), 'utf8');
  expect(docs).toContain(tableRows().join('\n'));
});
