// `latchkey inspect --service`: how the last decisions of a running service are read, and that
// nothing of its answer is trusted. A browser reads the table in `pnpm inspector:walk`.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createAuthenticator } from '@latchkey/core';
import { recentAnswerer } from '@latchkey/core/adapter';
import { generateSigningKey } from '@latchkey/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { run } from '../src/index.ts';
import { createAskedClock } from '../src/inspector/clock.ts';
import { serveInspector } from '../src/inspector/server.ts';
import { type InspectedService, inspectedService } from '../src/inspector/service.ts';
import { temporaryFolder } from './temporary.ts';
import { createTerminal } from './terminal.ts';

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/decisions`;
}

const answering = (status: number, body: unknown) =>
  serve((_request, response) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    response.writeHead(status, { location: 'https://elsewhere.example' }).end(text);
  });

const ONE = {
  ...{ time: '2026-11-30T16:00:09.120Z', outcome: 'refused', code: 'claims_insufficient', status: 403 },
  ...{ issuer: 'https://login.example.com', route: '/admin', framework: 'express' },
  ...{ durationMs: 0.2, cached: true },
};
const recentOf = (...decisions: readonly object[]) => ({
  since: '2026-11-30T16:00:00.000Z',
  total: decisions.length,
  decisions,
});

describe('what is read', () => {
  it('the decisions of a service with recentDecisions', async () => {
    const { answer } = recentAnswerer('local');
    const seen: unknown[] = [];
    const url = await serve((request, response) => {
      seen.push(request.headers);
      const { status, headers, body } = answer(request, undefined);
      response.writeHead(status, headers).end(body);
    });
    expect(await inspectedService(url).read()).toEqual({
      recent: { since: expect.any(String), total: 0, decisions: [] },
    });
    expect(seen).toEqual([
      {
        accept: 'application/json',
        connection: expect.any(String),
        host: new URL(url).host,
        'user-agent': 'latchkey',
      },
    ]);
  });

  it('the members that are known, at most a hundred, with bounded texts and no control characters', async () => {
    const long = { ...ONE, issuer: 'i'.repeat(1_000), route: '\u001b[2J/x', more: 'x', code: undefined };
    const url = await answering(200, recentOf(long, ...Array.from({ length: 120 }, () => ONE)));
    const { recent } = await inspectedService(url).read();
    expect(recent?.decisions).toHaveLength(100);
    expect(recent?.decisions[1]).toEqual(ONE);
    const [first] = recent?.decisions ?? [];
    expect(first?.issuer).toHaveLength(300);
    expect(first?.route).not.toContain('\u001b');
    expect(first).not.toHaveProperty('more');
  });

  it.each<[string, unknown]>([
    ['no JSON', '<html>'],
    ['null', null],
    ['a list', []],
    ['no decisions', { since: ONE.time, total: 0 }],
    ['another outcome', recentOf({ ...ONE, outcome: '<b>' })],
    ['an issuer that is not a text', recentOf({ ...ONE, issuer: { toString: 1 } })],
    ['a time that is none', recentOf({ ...ONE, time: '<script>' })],
    ['a status that is text', recentOf({ ...ONE, status: '403' })],
    ['a duration that is none', recentOf({ ...ONE, durationMs: null })],
    ['more than 256 KiB', `${' '.repeat(262_144)}${JSON.stringify(recentOf())}`],
  ])('not %s', async (_what, body) => {
    const url = await answering(200, body);
    expect(await inspectedService(url).read()).toEqual({
      problem: `${url} gives other data than recentDecisions; check the path`,
    });
  });
});

describe('what is said when nothing is read', () => {
  const problemOf = async (service: InspectedService) => (await service.read()).problem;

  it.each([
    [403, 'run this command on the machine of the service, without a proxy between them'],
    [401, 'or give a token in --service-token'],
    [404, 'add recentDecisions to the service'],
    [302, 'give --service the URL that it redirects to'],
    [500, 'see the log of the service'],
  ])('%i', async (status, advice) => {
    const url = await answering(status, recentOf(ONE));
    const problem = await problemOf(inspectedService(url));
    expect(problem).toContain(`${url} answers ${status}; `);
    expect(problem).toContain(advice);
  });

  it('403 with a token', async () => {
    const service = inspectedService(await answering(403, ''), async () => 'token');
    expect(await problemOf(service)).toContain('give a token that satisfies the rules of recentDecisions');
  });

  it('no service', async () => {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    expect(await problemOf(inspectedService(`http://127.0.0.1:${port}/d`))).toBe(
      `http://127.0.0.1:${port}/d does not answer (ECONNREFUSED); start the service, and check the URL`,
    );
  });

  it.each<[string, RequestListener]>([
    ['before its head', () => {}],
    ['within its body', (_request, response) => void response.writeHead(200).write('{')],
  ])('a service that hangs %s, after 5 seconds', async (_where, listener) => {
    const deadline = new AbortController();
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(deadline.signal);
    const isAsked = Promise.withResolvers<void>();
    const url = await serve((request, response) => {
      listener(request, response);
      isAsked.resolve();
    });
    const problem = problemOf(inspectedService(url));
    await isAsked.promise;
    deadline.abort(new DOMException('late', 'TimeoutError'));
    expect(await problem).toContain('does not answer within 5 s; start the service');
    expect(timeout).toHaveBeenCalledExactlyOnceWith(5_000);
    timeout.mockRestore();
  });
});

describe('the page', () => {
  it('gets the decisions with the secret of the URL, and no token', async () => {
    const { publicJwk } = await generateSigningKey('ES256', 'one');
    const clock = createAskedClock();
    const keySets = [{ issuer: 'i', jwks: { keys: [publicJwk] } }];
    const authenticator = createAuthenticator({ keySets, audience: 'me', clock });
    const sent: unknown[] = [];
    const url = await serve(({ headers }, response) => {
      sent.push(headers.authorization);
      response.end(JSON.stringify(recentOf(ONE)));
    });
    const service = inspectedService(`${url}?key=hidden`, async () => 'service.token');
    const inspected = { authenticator, clock, routes: [], file: 'service.yaml' };
    for (const [more, expected] of [
      [{ service }, [url, { recent: recentOf(ONE) }]],
      [{}, [undefined, { message: 'start latchkey inspect with --service' }]],
    ] as const) {
      const inspector = await serveInspector({ ...inspected, ...more }, 0);
      onTestFinished(() => inspector.close());
      const page = new URL(inspector.url);
      const asked = async (path: string, secret = page.hash.slice(1)) => {
        const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json' };
        const answer = await fetch(new URL(path, page), { method: 'POST', headers, body: '{}' });
        return answer.json();
      };
      expect([((await asked('/state')) as { service?: string }).service, await asked('/decisions')]).toEqual(
        expected,
      );
      expect(await asked('/decisions', 'x')).toEqual({
        message: 'open the URL that latchkey inspect has printed',
      });
    }
    // Only the page that has the secret, and the service, led to a request.
    expect(sent).toEqual(['Bearer service.token']);
  });
});

describe('the options', () => {
  it.each<[readonly string[], string]>([
    [['--service', 'service'], '--service: expected a URL'],
    [['--service', 'http://service.example/d'], 'expected https, or http to this machine'],
    [['--service', 'http://127.0.0.1.service.example/d'], 'expected https, or http to this machine'],
    [['--service', 'file:///etc/passwd'], 'expected https, or http to this machine'],
    [['--service', 'https://a:b@service.example/d'], 'expected a URL without a password'],
    [['--service-token', 'token'], '--service-token: expected --service next to it'],
    [['--service', 'http://localhost/d', '--service-token', 'none'], 'none cannot be read: ENOENT'],
    [['--service', 'http://localhost/d', '--service-token', 'two'], 'expected a file with a token'],
    [['--service', 'http://localhost/d', '--service-token', '-'], 'standard input is empty'],
  ])('%j is refused', async (options, message) => {
    const cwd = temporaryFolder('service');
    writeFileSync(join(cwd, 'two'), 'secret-one\nsecret-two');
    const { terminal, stdout, stderr } = createTerminal({ cwd });
    expect(await run(['inspect', ...options], terminal)).toBe(2);
    expect(stderr()).toContain(message);
    expect(stdout() + stderr()).not.toContain('secret-');
  });
});
