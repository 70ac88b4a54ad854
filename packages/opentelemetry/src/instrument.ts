// Subscribes to the events of core, and passes them to the metrics and the spans.
import { type Channel, channel } from 'node:diagnostics_channel';
import { ConfigError, type LatchkeyEvents } from '@latchkey/core';
import { readBoolean, readObject } from '@latchkey/core/adapter';
import { type MeterProvider, metrics, trace } from '@opentelemetry/api';
import { type DecisionMetrics, decisionMetrics } from './decisions.ts';
import { keyMetrics } from './keys.ts';

/** The options of `instrumentLatchkey`. */
export interface InstrumentationOptions {
  /** What makes the meter. Default: the global one of `@opentelemetry/api`. */
  readonly meterProvider?: MeterProvider;
  /**
   * Sets `latchkey.outcome`, `latchkey.code`, `latchkey.issuer` and `latchkey.cached` on the span
   * that is active at the decision. Default true.
   */
  readonly spans?: boolean;
}

/** What listens to the events. */
export interface Instrumentation {
  /** Ends the listening. What was measured stays in its meter provider. */
  stop(): void;
}

/** A listener for one channel. */
type Listeners = { readonly [Name in keyof LatchkeyEvents]?: (event: LatchkeyEvents[Name]) => void };

const OPTIONS = ['meterProvider', 'spans'] as const;

/**
 * Measures what all authenticators and signers of this process do. Call it once, at start, before
 * the service gets requests, and after the meter provider is set. No attribute has a value of a
 * token, or of a path.
 * @throws ConfigError for wrong options
 * @example
 * ```ts
 * const instrumentation = instrumentLatchkey();
 * process.once('SIGTERM', () => instrumentation.stop());
 * ```
 */
export function instrumentLatchkey(options: InstrumentationOptions = {}): Instrumentation {
  const given = readObject(options, OPTIONS, 'instrumentLatchkey');
  const meter = providerIn(given.meterProvider).getMeter('@latchkey/opentelemetry');
  const hasSpans = readBoolean(given.spans, true, 'instrumentLatchkey.spans');
  const decisions = decisionMetrics(meter);
  const keys = keyMetrics(meter);
  const stops = subscribeAll({
    'latchkey:decision': (event) => {
      decisions.record(event);
      if (hasSpans) mark(decisions, event);
    },
    ...keys.listeners,
  });
  return Object.freeze({
    stop() {
      for (const end of stops) end();
      keys.stop();
    },
  });
}

function mark(decisions: DecisionMetrics, event: LatchkeyEvents['latchkey:decision']): void {
  const span = trace.getActiveSpan();
  if (span?.isRecording() === true) span.setAttributes(decisions.ofSpan(event));
}

function providerIn(given: unknown): MeterProvider {
  if (given === undefined) return metrics.getMeterProvider();
  if (typeof Reflect.get(Object(given), 'getMeter') !== 'function')
    throw new ConfigError(
      'instrumentLatchkey.meterProvider',
      'expected a MeterProvider; make one with @opentelemetry/sdk-metrics, or leave it out',
    );
  return given as MeterProvider;
}

/** The channels are kept, because Bun forgets the subscribers of one that no code keeps. */
function subscribeAll(listeners: Listeners): readonly (() => void)[] {
  return Object.entries(listeners).map(([name, listener]) => {
    const target: Channel = channel(name);
    const listen = (event: unknown) => (listener as (event: unknown) => void)(event);
    target.subscribe(listen);
    return () => void target.unsubscribe(listen);
  });
}
