// The last decisions of a process: how many are kept, and that none is without `recentDecisions`.
// Who gets them is in the conformance cases, which every adapter passes.
import { channel } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import { compileRules, type RequestView, recentAnswerer } from '../../src/adapter/index.ts';
import { keepRecent } from '../../src/decision/recent.ts';
import { type DecisionEvent, hasListeners, publish } from '../../src/events.ts';
import { ConfigError, type RecentDecisions, reportOnly, route } from '../../src/index.ts';

const LOCAL: RequestView = { headers: { host: 'localhost' }, socket: { remoteAddress: '127.0.0.1' } };

const decision = (durationMs: number): DecisionEvent => ({
  ...{ outcome: 'refused', code: 'token_expired', status: 401, issuer: 'https://login.example.com' },
  ...{ route: '/orders/:id', framework: 'express', durationMs, cached: false },
});

// Other tests of this file would turn it on, so it is the first one.
it('keeps the last hundred, from the first call on and not before', () => {
  expect(hasListeners('latchkey:decision')).toBe(false);
  publish('latchkey:decision', decision(1));
  const { answer } = recentAnswerer('local');
  expect(hasListeners('latchkey:decision')).toBe(true);
  const asked = (): RecentDecisions => JSON.parse(answer(LOCAL, undefined).body);
  const { since, ...empty } = asked();
  expect(empty).toEqual({ total: 0, decisions: [] });
  for (let count = 1; count <= 250; count++) publish('latchkey:decision', decision(count));
  const { total, decisions } = asked();
  expect(total).toBe(250);
  expect(decisions.map(({ durationMs }) => durationMs)).toEqual(
    Array.from({ length: 100 }, (_, index) => 250 - index),
  );
  expect(decisions[0]).toEqual({ ...decision(250), time: expect.any(String) });
  expect(Date.parse(decisions[0]?.time ?? '')).toBeGreaterThanOrEqual(Date.parse(since));
});

it('counts a decision once, however often it is asked for', () => {
  const all = [keepRecent(), keepRecent()];
  recentAnswerer('local');
  const before = all[0]?.().total ?? Number.NaN;
  publish('latchkey:decision', decision(1));
  expect(all.map((recent) => recent().total)).toEqual([before + 1, before + 1]);
});

it('keeps no other member of an event than those it knows', () => {
  const recent = keepRecent();
  channel('latchkey:decision').publish({ ...decision(7), token: 'secret', kid: 'secret' });
  expect(JSON.stringify(recent())).not.toContain('secret');
});

describe('a request of this machine', () => {
  it.each<[string, number, RequestView]>([
    ['HTTP/2', 200, { ...LOCAL, headers: { ':authority': 'localhost:443' } as never }],
    [
      'HTTP/2, by two names',
      403,
      { ...LOCAL, headers: { host: 'localhost', ':authority': 'service.example' } as never },
    ],
    ['HTTP/2, by another name', 403, { ...LOCAL, headers: { ':authority': 'service.example' } as never }],
    ['two names', 403, { ...LOCAL, rawHeaders: ['Host', 'localhost', 'host', 'service.example'] }],
    ['no name', 403, { ...LOCAL, headers: {} }],
    ['a name with a dot', 403, { ...LOCAL, headers: { host: 'localhost.' } }],
    ['no connection', 403, { headers: LOCAL.headers }],
    ['a socket of a file', 403, { ...LOCAL, socket: {} }],
    ['an address that is not text', 403, { ...LOCAL, socket: { remoteAddress: ['127.0.0.1'] } }],
  ])('%s: %i', (_name, status, view) => {
    expect(recentAnswerer('local').answer(view, undefined).status).toBe(status);
  });
});

describe('rules', () => {
  it.each<[string, unknown, string]>([
    ['none', {}, 'expected at least one rule'],
    ['compiled from none', compileRules({}), 'expected at least one rule'],
    ['one that only reports', { scope: reportOnly('operate') }, 'remove enforce'],
    ['a named route, which options can change', route('admin'), 'got route(…)'],
    ['undefined', undefined, "expected 'local', or rules"],
    ['another word', 'everybody', "expected 'local', or rules"],
    ['a request', { ...LOCAL, method: 'GET', [Symbol.iterator]: () => {} }, 'recentDecisions'],
  ])('%s: refused', (_name, readers, message) => {
    expect(() => recentAnswerer(readers as never)).toThrow(ConfigError);
    expect(() => recentAnswerer(readers as never)).toThrow(message);
  });

  it('are judged by core: without a principal, nothing is answered', () => {
    const { answer } = recentAnswerer({ scope: 'operate' });
    expect(() => answer(LOCAL, undefined)).toThrow(expect.objectContaining({ code: 'credentials_missing' }));
    const forged = { subject: 'alice', claims: { scope: 'operate' } };
    expect(() => answer(LOCAL, forged as never)).toThrow(TypeError);
  });
});
