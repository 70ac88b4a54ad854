// One authorization server: where its token endpoint is, and one request there. What is asked for,
// and whether the answer is what was asked, is in exchange.ts and answer.ts.
import { AuthError } from '../errors.ts';
import { metadataUrls } from '../keysets/discovery.ts';
import { isLoopback } from '../net/addresses.ts';
import { answeredFailure, createBreaker, inconclusive } from '../net/breaker.ts';
import { withDeadline } from '../net/deadline.ts';
import { createJsonFetcher, refuseUrl } from '../net/https.ts';
import { createJsonCaller, type JsonAnswer } from '../net/json-call.ts';
import { createCallNotice } from '../net/outage.ts';
import type { SecretStore } from '../secrets/store.ts';
import { type Clock, monotonicOf } from '../values/clock.ts';
import { type JsonObject, own } from '../values/json.ts';
import { authenticateClient } from './client-authentication.ts';
import type { ServerSettings } from './server-options.ts';

/** Form parameters of a request. A name may occur several times, as `resource` may. */
export type Parameters = readonly (readonly [name: string, value: string])[];

/** The state of an authorization server. */
export interface ServerReport {
  /** The token endpoint, or the issuer while its metadata have not been read. Without a query. */
  readonly url: string;
  /** `open`: the server has failed five times in a row, and is called once per second. */
  readonly state: 'closed' | 'open';
  readonly failures: number;
  /** Why the last call failed, without secrets. Undefined if it did not fail. */
  readonly lastError: string | undefined;
}

/** An authorization server. */
export interface AuthorizationServer {
  /**
   * Sends a request to the token endpoint.
   * @param judge reads an answer that is a JSON object; it throws if the answer cannot be used
   * @param subject a digest of what the request is about
   * @throws AuthError `exchange_refused` or `exchange_unavailable`
   */
  request<T>(parameters: Parameters, judge: (answer: JsonObject) => T, subject: string): Promise<T>;
  report(): ServerReport;
  close(): Promise<void>;
}

/** How long the metadata of an issuer are used. */
const METADATA_MS = 3_600_000;

/** Errors about the token, the target or the scopes: RFC 6749 §5.2, RFC 8693 §2.2.2, RFC 9470. */
const REFUSALS: ReadonlySet<unknown> = new Set([
  'invalid_request',
  'invalid_grant',
  'invalid_scope',
  'invalid_target',
  'access_denied',
  'consent_required',
  'interaction_required',
  'login_required',
  'insufficient_user_authentication',
]);
/** Errors about this service or the server: the caller can do nothing about them. */
const FAULTS: ReadonlySet<unknown> = new Set([
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type',
  'server_error',
  'temporarily_unavailable',
]);

/** The error code of a refusal, or what the judge made of the answer. */
type Outcome<T> = { readonly refusal: string } | { readonly made: T };

/** Makes an authorization server. Calls nothing before the first request. */
export function createAuthorizationServer(
  settings: ServerSettings,
  secrets: SecretStore | undefined,
  clock: Clock,
): AuthorizationServer {
  const { issuer, timeoutMs, clientAuthentication, parameters: more } = settings;
  const monotonic = monotonicOf(clock);
  const caller = createJsonCaller(settings);
  const breaker = createBreaker(monotonic);
  const stopping = new AbortController();
  const endpoint = createEndpointFinder(settings, monotonic, stopping.signal);
  const notice = createCallNotice(
    `exchange: ${endpoint.place()}`,
    'calls on behalf of callers fail with 503',
    stopping.signal,
    monotonic,
  );

  /** Asks once. */
  async function ask<T>(parameters: Parameters, judge: (answer: JsonObject) => T): Promise<Outcome<T>> {
    const url = await endpoint.find();
    return withDeadline(timeoutMs, stopping.signal, (signal) => askAt(url, parameters, judge, signal));
  }

  /** The secret of the client and the call have one deadline together. */
  async function askAt<T>(
    url: URL,
    parameters: Parameters,
    judge: (answer: JsonObject) => T,
    signal: AbortSignal,
  ): Promise<Outcome<T>> {
    const client = await authenticateClient(clientAuthentication, issuer ?? url.href, clock.now(), {
      secrets,
      timeoutMs,
      signal,
    });
    const form = new URLSearchParams();
    for (const [name, value] of [...parameters, ...more, ...client.parameters]) form.append(name, value);
    const answer = await caller.call(
      url,
      {
        method: 'POST',
        headers: { ...client.headers, 'content-type': 'application/x-www-form-urlencoded' },
        body: form.toString(),
        readsErrors: true,
      },
      signal,
    );
    const refusal = refusalIn(answer);
    if (refusal !== undefined) return { refusal };
    if (answer.json === undefined)
      throw inconclusive(`answered with status ${answer.status} and no JSON object`);
    return { made: judge(answer.json) };
  }

  return {
    async request(parameters, judge, subject) {
      try {
        const outcome = await breaker.run(() => notice.watch(() => ask(parameters, judge)), subject);
        if ('made' in outcome) return outcome.made;
        throw new AuthError('exchange_refused', {
          detail: `${endpoint.place()} answered with ${outcome.refusal}`,
        });
      } catch (cause) {
        if (cause instanceof AuthError) throw cause;
        throw new AuthError('exchange_unavailable', {
          detail: `no token from ${endpoint.place()}`,
          cause,
          retryAfterSeconds: 1,
        });
      }
    },
    report: () => ({
      url: endpoint.place(),
      state: breaker.state,
      failures: breaker.failures,
      lastError: notice.lastError(),
    }),
    async close() {
      stopping.abort();
      await Promise.all([caller.close(), endpoint.close()]);
    },
  };
}

/**
 * The error code of an answer that refuses the request; undefined for a 200.
 * @throws Error for any other answer
 */
function refusalIn({ status, json }: JsonAnswer): string | undefined {
  if (status >= 500 || status === 429) throw answeredFailure(`answered with status ${status}`);
  if (status === 200) return undefined;
  const error = json === undefined ? undefined : own(json, 'error');
  if (typeof error === 'string' && REFUSALS.has(error)) return error;
  // Another subject would get the same answer: the breaker counts it.
  if (FAULTS.has(error)) throw answeredFailure(`answered with ${String(error)}`);
  throw inconclusive(`answered with status ${status} and no known error`);
}

/** Finds the token endpoint. */
interface EndpointFinder {
  find(): Promise<URL>;
  /** The endpoint for messages, without its query; or the issuer, until it is known. */
  place(): string;
  close(): Promise<void>;
}

function createEndpointFinder(
  settings: ServerSettings,
  monotonic: () => number,
  signal: AbortSignal,
): EndpointFinder {
  const { issuer, tokenEndpoint, allowHttp } = settings;
  const placeOf = (url: URL) => `${url.origin}${url.pathname}`;
  if (tokenEndpoint !== undefined || issuer === undefined) {
    if (tokenEndpoint === undefined) throw new Error('no token endpoint');
    return { find: async () => tokenEndpoint, place: () => placeOf(tokenEndpoint), close: async () => {} };
  }
  const fetcher = createJsonFetcher(settings);
  // An issuer on this machine may name an endpoint there, and none by plain HTTP elsewhere.
  const isHere = new URL(issuer).protocol === 'http:';
  let found: { readonly url: URL; readonly at: number } | undefined;
  let finding: Promise<URL> | undefined;

  async function read(): Promise<URL> {
    let missing: unknown;
    for (const place of metadataUrls(issuer ?? '', 'any')) {
      try {
        const { json } = await fetcher.fetch(place, signal);
        return endpointIn(json, issuer ?? '', (host) => allowHttp || (isHere && isLoopback(host)));
      } catch (error) {
        // With these, the server has no document at this place.
        if (![404, 410].includes(Number(Object(error).status))) throw error;
        missing = error;
      }
    }
    throw new Error('the issuer has no metadata', { cause: missing });
  }

  return {
    async find() {
      if (found !== undefined && monotonic() - found.at < METADATA_MS) return found.url;
      // Concurrent requests share one reading.
      finding ??= read()
        .then((url) => {
          found = { url, at: monotonic() };
          return url;
        })
        .finally(() => {
          finding = undefined;
        });
      return finding;
    },
    place: () => (found === undefined ? issuer : placeOf(found.url)),
    close: () => fetcher.close(),
  };
}

/** RFC 8414 §3.3: the metadata of another issuer must not be used. */
function endpointIn(metadata: JsonObject, issuer: string, allowsHttp: (host: string) => boolean): URL {
  if (own(metadata, 'issuer') !== issuer) throw new Error('the metadata are of another issuer');
  const endpoint = own(metadata, 'token_endpoint');
  if (typeof endpoint !== 'string' || !URL.canParse(endpoint))
    throw new Error('the metadata have no token_endpoint');
  const url = new URL(endpoint);
  const refusal = refuseUrl(url, allowsHttp(url.hostname));
  if (refusal !== undefined) throw new Error(`token_endpoint ${refusal}`);
  return url;
}
