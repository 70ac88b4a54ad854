// What the processes of this run agree on.

/** The route of each service. */
export const PATH = '/soaked';

/** What a service tells of itself, since it was asked last. */
export interface Vitals {
  /** Calls of the handler. */
  readonly handled: number;
  /** The longest pause of the event loop, in ms. */
  readonly pauseMs: number;
  /** The heap after a collection, in bytes. */
  readonly heap: number;
  /** Unhandled rejections and exceptions. */
  readonly faults: readonly string[];
}

/** A message of the service to its parent. */
export type Told = { readonly port: number } | { readonly vitals: Vitals };
