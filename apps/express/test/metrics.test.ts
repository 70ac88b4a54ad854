// The sample service under mixed load: what Prometheus scrapes equals what the client has counted,
// and there is one refresh for each fetch that the issuer has seen.
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instrumentLatchkey } from '@latchkey/opentelemetry';
import { createIssuer } from '@latchkey/testing';
import { createSample } from '@latchkey-apps/friends';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { expect, it, onTestFinished } from 'vitest';
import { createApp } from '../src/app.ts';

/** How often each request is sent, ten at a time. */
const TIMES = 30;

it('counts what the client counts, and one refresh for each fetch', async () => {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [exporter] });
  const instrumentation = instrumentLatchkey({ meterProvider: provider });
  const issuer = await createIssuer();
  const directory = await mkdtemp(join(tmpdir(), 'latchkey-sample-'));
  const sample = await createSample({
    keySets: [{ issuer: issuer.issuer, useOidcDiscovery: true, allowHttp: true }],
    audience: issuer.audience,
    publicUrl: 'http://localhost',
    realm: 'friends',
    authDirectory: directory,
    friendsUrl: undefined,
    host: '127.0.0.1',
    port: 0,
  });
  await sample.authenticator.ready();
  const service = createServer(await createApp(sample));
  const metrics = createServer((request, response) => exporter.getMetricsRequestHandler(request, response));
  for (const server of [service, metrics]) await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(async () => {
    instrumentation.stop();
    for (const server of [service, metrics]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    await provider.shutdown();
    await sample.close();
    await issuer.close();
    await rm(directory, { recursive: true, force: true });
  });
  const urlOf = (server: typeof service, path: string) =>
    `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  sample.listening(urlOf(service, ''));

  const open = new Set<Promise<unknown>>();
  service.on('request', (_request, response) => void open.add(once(response, 'close')));
  const tokens = {
    none: undefined,
    malformed: 'not-a-token',
    reader: await issuer.mint({ sub: 'alice', scope: 'friends:read' }),
    admin: await issuer.mint({ sub: 'root', roles: ['admin', 'dev'] }),
    expired: await issuer.mint({ sub: 'alice', exp: 1_000_000_000 }),
    stranger: await issuer.mint({ sub: 'alice', iss: 'https://elsewhere.example' }),
    audience: await issuer.mint({ sub: 'alice', aud: 'another' }),
  };
  const counted = new Map<string, number>();
  const ask = async (path: string, token: string | undefined) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(urlOf(service, path), { headers });
    const body = (await answer.json().catch(() => ({}))) as { code?: string };
    const name = answer.status < 300 ? 'accepted' : `${answer.status} ${body.code}`;
    counted.set(name, (counted.get(name) ?? 0) + 1);
  };
  const paths = ['/friends', '/admin', '/internal/friends/alice'];
  const load = Array.from({ length: TIMES }).flatMap(() =>
    paths.flatMap((path) => Object.values(tokens).map((token) => [path, token] as const)),
  );
  const worker = async () => {
    for (let next = load.pop(); next !== undefined; next = load.pop()) await ask(...next);
  };
  await Promise.all(Array.from({ length: 10 }, worker));
  // Public routes are not decisions.
  for (let time = 0; time < 5; time++) await fetch(urlOf(service, '/health'));
  await Promise.all(open);

  const text = await (await fetch(urlOf(metrics, '/metrics'))).text();
  const measured = new Map<string, number>();
  for (const [, labels = '', value] of text.matchAll(/^latchkey_decisions_total\{(.*)\} (\d+)/gm)) {
    const label = (name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(labels)?.[1];
    const isAccepted = label('latchkey_outcome') === 'accepted';
    const name = isAccepted ? 'accepted' : `${label('http_response_status_code')} ${label('error_type')}`;
    measured.set(name, (measured.get(name) ?? 0) + Number(value));
  }
  expect(new Map([...measured].toSorted())).toEqual(new Map([...counted].toSorted()));
  expect([...counted.values()].reduce((sum, count) => sum + count, 0)).toBe(TIMES * 21);
  expect(counted.size).toBeGreaterThan(5);

  const ofIssuer = new RegExp(`^latchkey_keyset_refreshes_total\\{.*${issuer.issuer}.*\\} (\\d+)`, 'm');
  expect(Number(ofIssuer.exec(text)?.[1])).toBe(issuer.requests.jwks);
  expect(text).not.toContain('alice');
});
