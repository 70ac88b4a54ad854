// What Prometheus scrapes from a service: decisions, keys, outages. Nothing in it is of a token.
import { channel } from 'node:diagnostics_channel';
import { createIssuer } from '@latchkey/testing';
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { expect, it, onTestFinished } from 'vitest';
import { instrumentLatchkey } from '../src/index.ts';
import { type Sample, samplesIn, startMetrics, startService } from './service.ts';

const decisions = (samples: readonly Sample[]) =>
  samples
    .filter(({ name }) => name === 'latchkey_decisions_total')
    .map(({ labels, value }) => [
      labels['latchkey_outcome'],
      labels['error_type'],
      labels['http_response_status_code'],
      labels['http_route'],
      value,
    ]);

it('counts decisions by code and by route, and has nothing of a token', async () => {
  const { scrape } = await startMetrics();
  const { issuer, ask } = await startService();
  const token = await issuer.mint({ sub: 'alice-5f1d7c' });
  for (let time = 0; time < 3; time++) expect((await ask('/friends/17', token)).status).toBe(200);
  expect((await ask('/admin', token)).status).toBe(403);
  expect((await ask('/friends/17')).status).toBe(401);
  expect((await ask('/friends/17', await issuer.mint({ exp: 1 }))).status).toBe(401);
  const text = await scrape();
  const samples = samplesIn(text);
  expect(decisions(samples)).toEqual([
    ['accepted', undefined, undefined, '/friends/:id', 3],
    ['refused', 'claims_insufficient', '403', '/admin', 1],
    ['refused', 'credentials_missing', '401', undefined, 1],
    ['refused', 'token_expired', '401', undefined, 1],
  ]);
  const durations = samples.filter(({ name }) => name === 'latchkey_decision_duration_count');
  expect(durations.reduce((sum, { value }) => sum + value, 0)).toBe(6);
  expect(samples.find(({ name }) => name === 'latchkey_keyset_refreshes_total')).toMatchObject({
    labels: { latchkey_keyset: 'keySets[0]', latchkey_issuer: issuer.issuer },
    value: issuer.requests.jwks,
  });
  const age = samples.find(({ name }) => name === 'latchkey_keyset_age')?.value;
  expect(age).toBeGreaterThan(0);
  expect(age).toBeLessThan(60);
  for (const part of ['alice-5f1d7c', ...token.split('.'), '/friends/17']) expect(text).not.toContain(part);
});

it('counts keys that cannot be read, and 503s', async () => {
  const { scrape } = await startMetrics();
  const issuer = await createIssuer();
  issuer.fail({ kind: 'status', status: 503 });
  const { ask } = await startService({ issuer });
  expect((await ask('/admin', await issuer.mint({}))).status).toBe(503);
  const samples = samplesIn(await scrape());
  expect(decisions(samples)).toEqual([['refused', 'keyset_unavailable', '503', undefined, 1]]);
  const failures = samples.find(({ name }) => name === 'latchkey_keyset_failures_total');
  expect(failures?.labels).toMatchObject({ latchkey_issuer: issuer.issuer });
  expect(failures?.value).toBe(issuer.requests.jwks);
  expect(samples.some(({ name }) => name === 'latchkey_keyset_age')).toBe(false);
});

it('writes the units and names of the conventions, and stops', async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  const instrumentation = instrumentLatchkey({ meterProvider: provider });
  onTestFinished(() => provider.shutdown());
  const { issuer, ask } = await startService();
  const token = await issuer.mint({ sub: 'alice' });
  await ask('/friends/1', token);
  instrumentation.stop();
  await ask('/friends/1', token);
  await provider.forceFlush();
  const found = exporter
    .getMetrics()
    .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((one) => one.metrics));
  const units = found.map(({ descriptor: { name, unit } }) => [name, unit]);
  expect(units).toEqual(
    expect.arrayContaining([
      ['latchkey.decisions', '{decision}'],
      ['latchkey.decision.duration', 's'],
      ['latchkey.keyset.refreshes', '{refresh}'],
    ]),
  );
  const counted = found.find(({ descriptor }) => descriptor.name === 'latchkey.decisions');
  expect(counted?.dataPoints.map(({ value }) => value)).toEqual([1]);
  const duration = found.find(({ descriptor }) => descriptor.name === 'latchkey.decision.duration');
  expect(duration?.dataPointType).toBe(DataPointType.HISTOGRAM);
});

it('names a hundred issuers of keysets at most', async () => {
  const { scrape } = await startMetrics();
  for (let index = 0; index < 10_000; index++)
    channel('latchkey:keyset:refreshed').publish({
      keyset: 'keySets[0]',
      issuer: `https://id.example.com/${index}`,
      keys: 1,
      lifetimeMs: 1,
    });
  const samples = samplesIn(await scrape()).filter(({ name }) => name === 'latchkey_keyset_refreshes_total');
  expect(samples).toHaveLength(101);
  expect(samples.at(-1)).toMatchObject({ labels: { latchkey_issuer: '_OTHER' }, value: 9_900 });
});

it.each([
  [{ meterProvider: {} }, 'instrumentLatchkey.meterProvider'],
  [{ spans: 'yes' }, 'instrumentLatchkey.spans'],
  [{ metrics: true }, 'instrumentLatchkey.metrics'],
])('refuses wrong options: %j', (options, path) => {
  expect(() => instrumentLatchkey(options as never)).toThrow(path);
});
