// The event `latchkey:report-only`: what a request that has passed was not refused for. Decides
// nothing.
import { publish } from '../events.ts';
import type { RequestDecision } from './decision.ts';
import { placeOf } from './outcome.ts';
import type { Report, Reports } from './report-only.ts';
import type { Trace } from './trace.ts';

/**
 * Tells of a request that has passed. Its code is that of the refusal that it would have got.
 * @param key what core keeps notes on the request under
 */
export function publishReports(reports: readonly Report[], key: object | undefined): void {
  const [first] = reports;
  if (first === undefined) return;
  publish('latchkey:report-only', {
    code: first.refusal.code,
    claims: [...new Set(reports.flatMap(({ claims }) => claims))],
    namedRoute: reports.find(({ route }) => route !== undefined)?.route,
    ...placeOf(key),
  });
}

/** Tells what an accepted request was not refused for. With a trace, the trace has told it. */
export function told<D extends RequestDecision>(
  decision: D & { readonly ok: true },
  { trace, reports }: { readonly trace: Trace | undefined; readonly reports: Reports },
  key: object | undefined,
): D {
  if (decision.reports === undefined) {
    if (trace === undefined && reports.length > 0) publishReports(reports, key);
    return decision;
  }
  if (trace === undefined) publishReports([...decision.reports, ...reports], key);
  const { reports: _told, ...others } = decision;
  return others as D;
}
