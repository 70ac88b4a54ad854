// Calling somebody else's endpoint for a JSON object: one deadline, few bytes, no redirects. What
// the answer means is the caller's.

import { type JsonObject, parseJsonObject } from '../values/json.ts';
import { MAX_UNDER_WAY } from './breaker.ts';
import { withDeadline } from './deadline.ts';
import { createConnections, readBounded } from './https.ts';
import type { TlsSettings } from './tls.ts';

/** What is asked. */
export interface JsonCall {
  readonly method: 'GET' | 'POST';
  readonly headers: { readonly [name: string]: string };
  readonly body?: string | undefined;
}

/** A whole answer. */
export interface JsonAnswer {
  readonly status: number;
  /** Strict JSON that says that it is JSON; undefined for anything else. */
  readonly json: JsonObject | undefined;
}

/** Calls endpoints, over connections of its own. */
interface JsonCaller {
  /** Rejects unless an answer has come whole in time. Nothing of call or answer is in the error. */
  call(url: URL, call: JsonCall, signal: AbortSignal): Promise<JsonAnswer>;
  close(): Promise<void>;
}

/** Bytes of one answer. */
export const MAX_ANSWER_BYTES = 64 * 1024;

/** Makes a caller. Its URLs must have passed `refuseUrl`. */
export function createJsonCaller({
  tls,
  timeoutMs,
}: {
  readonly tls: TlsSettings;
  readonly timeoutMs: number;
}): JsonCaller {
  const connections = createConnections({
    connect: { ...tls, timeout: timeoutMs },
    // As many as the breaker lets through: a call that waits for a connection looks like a server
    // that is slow.
    connections: MAX_UNDER_WAY,
    keepAliveTimeout: 4_000,
  });
  return {
    call: (url, { method, headers, body }, outer) =>
      withDeadline(timeoutMs, outer, async (signal) => {
        const { agent, fetch } = await connections.open();
        const response = await fetch(url, {
          dispatcher: agent,
          signal,
          method,
          // Wherever it leads, the token was not meant to go there.
          redirect: 'manual',
          headers: { accept: 'application/json', ...headers },
          ...(body === undefined ? {} : { body }),
        });
        const type = response.headers.get('content-type') ?? '';
        if (response.status !== 200 || !/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
          await response.body?.cancel();
          return { status: response.status, json: undefined };
        }
        return { status: response.status, json: parse(await readBounded(response, MAX_ANSWER_BYTES)) };
      }),
    close: connections.close,
  };
}

function parse(bytes: Uint8Array): JsonObject | undefined {
  try {
    return parseJsonObject(bytes);
  } catch {
    return undefined;
  }
}
