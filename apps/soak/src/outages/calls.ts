// Counts the calls to a port when Node starts them, so it also counts calls to a port where no
// server listens. It does not change calls.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import { sharedNow } from './companion.ts';

/** The recorded calls. */
export interface Calls {
  /** The start times of the calls since the last `take`, by `sharedNow()`. */
  take(port: number): readonly number[];
  stop(): void;
}

const CHANNEL = 'http.client.request.start';

/** Starts to count. */
export function watchCalls(): Calls {
  const byPort = new Map<number, number[]>();
  const listener = (event: unknown) => {
    const { request } = event as { readonly request: ClientRequest };
    const port = Number(new URL(`http://${request.getHeader('host')}`).port);
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
