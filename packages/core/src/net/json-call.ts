// Calls the endpoint of another service for a JSON object: one deadline, a small size limit, no
// redirects. The caller interprets the answer.

import { type JsonObject, parseJsonObject } from '../values/json.ts';
import { MAX_UNDER_WAY } from './breaker.ts';
import { type ConnectionSettings, createConnections } from './connections.ts';
import { withDeadline } from './deadline.ts';
import { readBounded } from './https.ts';

/** The request. */
export interface JsonCall {
  readonly method: 'GET' | 'POST';
  readonly headers: { readonly [name: string]: string };
  readonly body?: string | undefined;
  /** Also reads the body of a 400, 401 and 403, as an endpoint of OAuth has it (RFC 6749 §5.2). */
  readonly readsErrors?: boolean;
}

/** A complete answer. */
export interface JsonAnswer {
  readonly status: number;
  /** The body, if it is strict JSON with a JSON content type and an object; else undefined. */
  readonly json: JsonObject | undefined;
}

/** Calls endpoints, over its own connections. */
interface JsonCaller {
  /**
   * Rejects unless a complete answer arrives in time. The error contains no part of the request or
   * the answer.
   */
  call(url: URL, call: JsonCall, signal: AbortSignal): Promise<JsonAnswer>;
  close(): Promise<void>;
}

/** The statuses of an error answer of OAuth. Many servers answer 403 to `access_denied`. */
const ERROR_STATUSES: readonly number[] = [400, 401, 403];
/** The largest size of an answer, in bytes. */
export const MAX_ANSWER_BYTES = 64 * 1024;

/** Makes a caller. The URLs must have been checked with `refuseUrl`. */
export function createJsonCaller({
  tls,
  proxy,
  timeoutMs,
}: Pick<ConnectionSettings, 'tls' | 'proxy' | 'timeoutMs'>): JsonCaller {
  const connections = createConnections({
    tls,
    proxy,
    timeoutMs,
    // As many as the breaker permits: otherwise a call would wait for a connection, which looks
    // like a slow server.
    connections: MAX_UNDER_WAY,
  });
  return {
    call: (url, { method, headers, body, readsErrors = false }, outer) =>
      withDeadline(timeoutMs, outer, async (signal) => {
        const send = await connections.open(url);
        // A redirect is not followed: the token was not meant for its target.
        const response = await send(url, {
          signal,
          method,
          headers: { accept: 'application/json', ...headers },
          ...(body === undefined ? {} : { body }),
        });
        const type = response.headers.get('content-type') ?? '';
        const isRead = response.status === 200 || (readsErrors && ERROR_STATUSES.includes(response.status));
        if (!isRead || !/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
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
