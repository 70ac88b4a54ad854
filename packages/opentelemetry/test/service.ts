// A service on Express, its issuer, and the metrics that Prometheus would scrape, over HTTP.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { authenticate, createAuthenticator, requireClaims } from '@latchkey/express';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import express from 'express';
import { onTestFinished } from 'vitest';
import { instrumentLatchkey } from '../src/index.ts';

/** Starts the endpoint that Prometheus scrapes, and the instrumentation. */
export async function startMetrics() {
  const exporter = new PrometheusExporter({ host: '127.0.0.1', port: 0, preventServerStart: true });
  const provider = new MeterProvider({ readers: [exporter] });
  const { createServer } = await import('node:http');
  const server = createServer((request, response) => exporter.getMetricsRequestHandler(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
  const instrumentation = instrumentLatchkey({ meterProvider: provider });
  onTestFinished(async () => {
    instrumentation.stop();
    await new Promise((resolve) => server.close(resolve));
    await provider.shutdown();
  });
  return { scrape: async () => (await fetch(url)).text(), instrumentation };
}

/** Starts a service with one route that needs a role. */
export async function startService(given: { issuer?: TestIssuer } = {}) {
  const issuer = given.issuer ?? (await createIssuer());
  const authenticator = createAuthenticator({
    keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
    audience: issuer.audience,
  });
  const app = express();
  app.use(authenticate(authenticator));
  app.get('/friends/:id', (_request, response) => void response.json({}));
  app.get(
    '/admin',
    requireClaims({ roles: ['admin'] }, (_request, response) => response.json({})),
  );
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  onTestFinished(async () => {
    await new Promise((resolve) => server.close(resolve));
    await authenticator.close();
    await issuer.close();
  });
  const ask = async (path: string, token?: string) => {
    const headers: Record<string, string> = { connection: 'close' };
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
    return { status: answer.status, body: await answer.text() };
  };
  return { issuer, authenticator, ask };
}

/** One line of the text that Prometheus scrapes. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads the text format of Prometheus. */
export function samplesIn(text: string): readonly Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', written = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
      const labels = [...written.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', text = '']) => [
        label,
        text,
      ]);
      return { name, labels: Object.fromEntries(labels) as Record<string, string>, value: Number(value) };
    });
}
