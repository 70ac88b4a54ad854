// The dashboard and the alert rules name only metrics and labels that the Prometheus exporter has
// printed.
import { channel } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import type { LatchkeyEvents } from '@latchkey/core';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Sample, samplesIn, startMetrics, startService } from './service.ts';

const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
  readonly templating: { readonly list: readonly { readonly query: string }[] };
}

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly labels: { readonly severity: string };
      readonly annotations: { readonly summary: string; readonly description: string };
    }[];
  }[];
}

const dashboard = JSON.parse(read('grafana/latchkey.json')) as Dashboard;
const rules = (parse(read('prometheus/latchkey.yaml')) as Rules).groups.flatMap((group) => group.rules);

/** What is printed after requests, and after an outage of each kind. */
async function printed(): Promise<readonly Sample[]> {
  const { scrape } = await startMetrics();
  const { issuer, ask } = await startService();
  const token = await issuer.mint({});
  await ask('/friends/1', token);
  await ask('/admin', token);
  const tell = <Name extends keyof LatchkeyEvents>(name: Name, event: LatchkeyEvents[Name]) =>
    channel(name).publish(event);
  const error = new Error('unreachable');
  const keyset = { keyset: 'keySets[0]', issuer: issuer.issuer };
  tell('latchkey:keyset:failed', { ...keyset, error, failures: 1, retryInMs: 1 });
  tell('latchkey:signer:refreshed', { signer: 'secret: signing', keys: 1, lifetimeMs: 1 });
  tell('latchkey:signer:failed', { signer: 'secret: signing', error, failures: 1, retryInMs: 1 });
  tell('latchkey:signer:stale', { signer: 'secret: signing', ageMs: 1 });
  tell('latchkey:revocation:failed', { source: 'file revocations.jsonl', error });
  tell('latchkey:revocation:stale', { source: 'file revocations.jsonl', ageMs: 1 });
  tell('latchkey:descriptor:refused', { file: 'service.yaml', error });
  tell('latchkey:descriptor:applied', { file: 'service.yaml', keysets: [], removed: [] });
  tell('latchkey:keyset:stale', { ...keyset, ageMs: 1 });
  return samplesIn(await scrape());
}

/** The metrics and the labels in an expression of PromQL or in the text of a legend. */
function namesIn(text: string): readonly string[] {
  return [...text.matchAll(/\b(?:latchkey|error|http)_\w+/g)].map(([name]) => name);
}

it('names only what the exporter has printed, and all of it', async () => {
  const samples = await printed();
  const metrics = new Set(samples.map(({ name }) => name).filter((name) => name.startsWith('latchkey_')));
  const labels = new Set(samples.flatMap((sample) => Object.keys(sample.labels)));
  const expressions = [
    ...dashboard.panels.flatMap(({ targets }) =>
      targets.flatMap(({ expr, legendFormat }) => [expr, legendFormat]),
    ),
    ...dashboard.templating.list.map(({ query }) => query),
    ...rules.flatMap(({ expr, annotations }) => [expr, annotations.summary, annotations.description]),
  ];
  const named = new Set(expressions.flatMap(namesIn));
  expect([...named].filter((name) => !metrics.has(name) && !labels.has(name))).toEqual([]);
  // The sum and the count belong to the buckets, and a failure of a signer to its stale keys.
  const unused = [...metrics].filter((name) => !named.has(name));
  expect(unused.toSorted()).toEqual([
    'latchkey_decision_duration_count',
    'latchkey_decision_duration_sum',
    'latchkey_signer_age',
    'latchkey_signer_failures_total',
    'latchkey_signer_refreshes_total',
  ]);
});

it('the panels have titles, fill the width, and do not overlap', () => {
  const cells = new Set<string>();
  for (const { title, gridPos } of dashboard.panels) {
    expect(title).not.toBe('');
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(cells.has(`${x} ${y}`), title).toBe(false);
        cells.add(`${x} ${y}`);
      }
  }
  expect(cells.size % 24).toBe(0);
});

it('each alert has a severity, a summary and a description', () => {
  expect(rules.map(({ alert }) => alert)).toEqual([
    'LatchkeyKeysStale',
    'LatchkeyKeysFailing',
    'LatchkeyRefusalsJump',
    'LatchkeyUnavailable',
    'LatchkeyRevocationsOld',
    'LatchkeySigningKeysStale',
  ]);
  for (const { labels, annotations } of rules) {
    expect(['critical', 'warning']).toContain(labels.severity);
    expect(annotations.summary).not.toBe('');
    expect(annotations.description).not.toBe('');
  }
});
