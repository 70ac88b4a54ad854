// Calls to a port as undici begins them: what a breaker lets through, also where nobody listens who
// could count. Changes nothing.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { sharedNow } from './companion.ts';

/** Calls, from the beginning on. */
export interface Calls {
  /** When those since this was last asked began, by `sharedNow()`. */
  take(port: number): readonly number[];
  stop(): void;
}

const CHANNEL = 'undici:request:create';

/** Begins to count. */
export function watchCalls(): Calls {
  const byPort = new Map<number, number[]>();
  const listener = (event: unknown) => {
    const { request } = event as { readonly request: { readonly origin: string | URL } };
    const port = Number(new URL(request.origin).port);
    const begun = byPort.get(port);
    if (begun === undefined) byPort.set(port, [sharedNow()]);
    else begun.push(sharedNow());
  };
  subscribe(CHANNEL, listener);
  return {
    take(port) {
      const taken = byPort.get(port) ?? [];
      byPort.delete(port);
      return taken;
    },
    stop: () => unsubscribe(CHANNEL, listener),
  };
}
