// The metrics of decisions, and the attributes of their spans.
import type { DecisionEvent } from '@latchkey/core';
import type { Attributes, Meter } from '@opentelemetry/api';

/** Records decisions. */
export interface DecisionMetrics {
  record(event: DecisionEvent): void;
  /** The attributes of the span of a request. */
  ofSpan(event: DecisionEvent): Attributes;
}

/**
 * In seconds: a cached token takes microseconds, a new one less than a millisecond, and one whose
 * keys are fetched as long as the issuer takes.
 */
const BUCKETS = [
  0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
  0.5, 1, 2.5, 5, 10,
];

/** Makes the metrics of decisions. */
export function decisionMetrics(meter: Meter): DecisionMetrics {
  const count = meter.createCounter('latchkey.decisions', {
    description: 'Requests by what was decided on them.',
    unit: '{decision}',
  });
  const duration = meter.createHistogram('latchkey.decision.duration', {
    description: 'How long the decisions on requests took.',
    unit: 's',
    advice: { explicitBucketBoundaries: BUCKETS },
  });
  return {
    record(event) {
      const { outcome, code, status, issuer, route, framework, durationMs, cached } = event;
      count.add(1, {
        'latchkey.outcome': outcome,
        ...named('error.type', code),
        ...named('http.response.status_code', status),
        ...named('latchkey.issuer', issuer),
        ...named('http.route', route),
        ...named('latchkey.framework', framework),
      });
      duration.record(durationMs / 1000, {
        'latchkey.outcome': outcome,
        'latchkey.cached': cached,
        ...named('latchkey.framework', framework),
      });
    },
    ofSpan: ({ outcome, code, issuer, cached }) => ({
      'latchkey.outcome': outcome,
      'latchkey.cached': cached,
      ...named('latchkey.code', code),
      ...named('latchkey.issuer', issuer),
    }),
  };
}

function named(name: string, value: string | number | undefined): Attributes {
  return value === undefined ? {} : { [name]: value };
}
