// Checks the event `latchkey:decision` of the request of a case: there is one, and it tells what
// the client got.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { AuthError, type DecisionEvent, type LatchkeyEvents } from '@latchkey/core';
import { expect } from 'vitest';
import type { ConformanceCase, Expectation } from './cases.ts';
import type { Route } from './routes.ts';
import type { World } from './tokens.ts';
import { HAS_CACHE } from './variants.ts';

const CHANNEL = 'latchkey:decision';

/** What the events of an adapter say of its framework. */
export interface AdapterEvents {
  readonly framework: string;
  /** The framework has patterns of routes. */
  readonly hasRoutes: boolean;
}

/** Listens to the events of all requests of this process. */
export function listenToDecisions(): { readonly events: DecisionEvent[]; readonly stop: () => void } {
  const events: DecisionEvent[] = [];
  const listener = (event: unknown) => events.push(event as DecisionEvent);
  subscribe(CHANNEL, listener);
  return { events, stop: () => unsubscribe(CHANNEL, listener) };
}

/**
 * Checks the events of one request.
 * @param ran the route whose handler ran; `public` for keys that are published
 * @param adapter undefined: the framework is not known
 */
export function expectDecision(
  { expect: expected, decision }: Pick<ConformanceCase, 'expect' | 'decision'>,
  events: readonly DecisionEvent[],
  ran: Route | 'public' | undefined,
  adapter: AdapterEvents | undefined,
  { trusted, down }: World,
): void {
  const told = events.map(({ outcome, code, status }) => ({ outcome, code, status }));
  if (ran === 'public' || ran?.access === 'public') {
    expect(events, 'events').toEqual([]);
  } else if ('code' in expected) {
    const { code, status } = new AuthError(expected.code);
    expect(told, 'events').toEqual([{ outcome: 'refused', code, status }]);
  } else if (ran !== undefined) {
    expect(told.length, 'events').toBe(1);
    for (const { outcome, status } of told) {
      expect(outcome).not.toBe('refused');
      expect(status).toBeUndefined();
    }
  } else expect(told.length, 'events').toBeLessThan(2);
  for (const { framework, route, durationMs } of events) {
    expect(durationMs).toBeGreaterThan(0);
    if (adapter !== undefined) expect(framework).toBe(adapter.framework);
    if (ran !== undefined && ran !== 'public' && route !== undefined) expect(route).toBe(ran.path);
  }
  if (decision === undefined) return;
  const issuers = { trusted: trusted.issuer, down: down.issuer, none: undefined };
  const { issuer = 'trusted', route, cached = false, ...rest } = decision;
  expect(events).toMatchObject([{ ...rest, issuer: issuers[issuer], cached: cached && HAS_CACHE }]);
  if (adapter !== undefined) expect(events[0]?.route).toBe(adapter.hasRoutes ? route : undefined);
}

/** Checks the events `latchkey:report-only` of one request. */
export function expectReported(
  events: readonly LatchkeyEvents['latchkey:report-only'][],
  wouldRefuse: Extract<Expectation, { readonly status: number }>['wouldRefuse'],
  ran: Route | 'public' | undefined,
  adapter: AdapterEvents | undefined,
): void {
  const told = events.map(({ route: _route, framework: _framework, ...event }) => event);
  expect(told, 'events of latchkey:report-only').toEqual(wouldRefuse === undefined ? [] : [wouldRefuse]);
  if (adapter === undefined || ran === undefined || ran === 'public') return;
  const route = adapter.hasRoutes ? ran.path : undefined;
  for (const event of events) expect(event).toMatchObject({ framework: adapter.framework, route });
}
