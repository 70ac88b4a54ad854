// Token validation by a remote endpoint. An exact contract defines which answer accepts a token and
// which one refuses it; any other answer is a failure (503). Options are in options.ts.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { AuthError, ConfigError } from '../errors.ts';
import { answeredFailure, createBreaker, inconclusive } from '../net/breaker.ts';
import { withDeadline } from '../net/deadline.ts';
import { createJsonCaller, type JsonAnswer, type JsonCall } from '../net/json-call.ts';
import { MAX_CACHED_ANSWERS, MAX_CACHED_BYTES } from '../net/limits.ts';
import { createCallNotice } from '../net/outage.ts';
import { basicAuthorization, readClientSecret } from '../secrets/client-secret.ts';
import type { SecretStore } from '../secrets/store.ts';
import { parseToken } from '../token/parse.ts';
import { type Clock, monotonicOf } from '../values/clock.ts';
import { type JsonObject, type JsonValue, own } from '../values/json.ts';
import { weigh } from '../values/weigh.ts';
import type { RemoteSettings } from './options.ts';

/** Each lane has its own breaker and connections. */
export type RemoteLane = 'signed' | 'any';

/** The state of the endpoint. */
export interface RemoteReport {
  /** Without the query: some endpoints expect an API key there. */
  readonly url: string;
  /** `open`: the endpoint has failed five times in a row, and is called once per second. */
  readonly state: 'closed' | 'open';
  readonly failures: number;
  /** Why the last call failed, without secrets. Undefined if it did not fail. */
  readonly lastError: string | undefined;
}

/** A remote endpoint that validates tokens. */
export interface RemoteEndpoint {
  /**
   * Validates a token.
   * @param lane `signed` for a token that a key has verified. Any client can make up other tokens;
   *   their calls have no effect on this lane
   * @returns the claims of the token; undefined if the endpoint refuses it
   * @throws AuthError `remote_unavailable` if the endpoint fails; see its cause
   */
  validate(token: string, lane: RemoteLane): Promise<JsonObject | undefined>;
  report(): RemoteReport;
  close(): Promise<void>;
}

/** The settings of an endpoint, in addition to its options. */
export interface RemoteEndpointSettings extends RemoteSettings {
  readonly store: SecretStore | undefined;
  readonly clock: Clock;
  readonly maxTokenBytes: number;
}

// RFC 6750 §2.1. Other characters could change the request.
const BEARER_TOKEN = /^[\w.~+/-]+=*$/;

/** True for a token that can be sent to an endpoint. */
export function isBearerToken(token: string, maxTokenBytes: number): boolean {
  return token.length <= maxTokenBytes && BEARER_TOKEN.test(token);
}

/** The store of the client's secret, and the time limit for reading it. */
interface Credentials {
  readonly store: SecretStore | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** The estimated size of an entry without its claims: its digest, and its place in the cache. */
const BYTES_PER_ENTRY = 300;

/** Makes an endpoint. @throws ConfigError if its client's secret has no store */
export function createRemoteEndpoint(settings: RemoteEndpointSettings): RemoteEndpoint {
  const { url, client, store, issuer, cacheForMs, clock } = settings;
  if (client !== undefined && store === undefined)
    throw new ConfigError('remote.client', 'expected a secret store for the client; pass one in secrets');
  const monotonic = monotonicOf(clock);
  const lane = () => ({ caller: createJsonCaller(settings), breaker: createBreaker(monotonic) });
  const lanes = { signed: lane(), any: lane() };
  const stopping = new AbortController();
  const { timeoutMs } = settings;
  // Keys are digests: a heap dump must not contain tokens.
  const accepted = new LRUCache<string, JsonObject>({
    max: MAX_CACHED_ANSWERS,
    maxSize: MAX_CACHED_BYTES,
    sizeCalculation: (claims) => BYTES_PER_ENTRY + weigh(claims),
  });
  const asking = new Map<string, Promise<JsonObject | undefined>>();
  // Without the query: some endpoints expect an API key there.
  const place = `${url.origin}${url.pathname}`;
  const notice = createCallNotice(
    `remote: ${place}`,
    settings.onError === 'next' ? 'the keysets decide alone meanwhile' : 'tokens are answered with 503',
    stopping.signal,
    monotonic,
  );

  /** The secret of the client and the call have one deadline together. */
  async function ask(
    token: string,
    { caller }: (typeof lanes)[RemoteLane],
    signal: AbortSignal,
  ): Promise<JsonObject | undefined> {
    const call =
      client === undefined
        ? asBearer(token)
        : await asIntrospection(token, client, { store, timeoutMs, signal });
    const answer = await caller.call(url, call, signal);
    if (answer.status >= 500 || answer.status === 429)
      throw answeredFailure(`answered with status ${answer.status}`);
    // RFC 6750 §3.1: only these statuses refuse a token.
    if (client === undefined && (answer.status === 401 || answer.status === 403)) return undefined;
    const claims = client === undefined ? acceptSubject(answer) : acceptIntrospection(answer);
    if (claims !== undefined && issuer !== undefined && (claims.iss ?? issuer) !== issuer)
      throw inconclusive('answered with another iss');
    return claims;
  }

  async function validate(
    token: string,
    digest: string,
    lane: (typeof lanes)[RemoteLane],
  ): Promise<JsonObject | undefined> {
    let claims: JsonObject | undefined;
    try {
      claims = await lane.breaker.run(
        () =>
          notice.watch(() => withDeadline(timeoutMs, stopping.signal, (signal) => ask(token, lane, signal))),
        digest,
      );
    } catch (cause) {
      throw new AuthError('remote_unavailable', {
        detail: 'the remote endpoint failed',
        cause,
        retryAfterSeconds: 1,
      });
    }
    if (claims === undefined) return undefined;
    const own = unverifiedClaims(token, settings.maxTokenBytes);
    const complete = completeClaims(claims, own, issuer);
    const endMs = typeof complete.exp === 'number' ? complete.exp * 1000 : Number.POSITIVE_INFINITY;
    const ttl = Math.min(cacheForMs, endMs - clock.now());
    if (ttl >= 1) accepted.set(digest, complete, { ttl });
    return complete;
  }

  return {
    validate(token, lane) {
      const digest = createHash('sha256').update(token).digest('base64');
      const known = accepted.get(digest);
      if (known !== undefined) return Promise.resolve(known);
      // Concurrent requests with the same token share one call.
      const pending =
        asking.get(digest) ?? validate(token, digest, lanes[lane]).finally(() => asking.delete(digest));
      asking.set(digest, pending);
      return pending;
    },
    report() {
      const [{ breaker: signed }, { breaker: any }] = [lanes.signed, lanes.any];
      const { state, failures } = signed.failures >= any.failures ? signed : any;
      return { url: place, state, failures, lastError: notice.lastError() };
    },
    async close() {
      stopping.abort();
      accepted.clear();
      await Promise.all([lanes.signed.caller.close(), lanes.any.caller.close()]);
    },
  };
}

function asBearer(token: string): JsonCall {
  return { method: 'POST', headers: { authorization: `Bearer ${token}` } };
}

/** Makes the request of RFC 7662 §2.1, with the client by HTTP Basic (RFC 6749 §2.3.1). */
async function asIntrospection(
  token: string,
  { id, secret }: NonNullable<RemoteSettings['client']>,
  { store, timeoutMs, signal }: Credentials,
): Promise<JsonCall> {
  if (store === undefined) throw new Error('no store');
  const password = await readClientSecret(store, secret, timeoutMs, signal);
  return {
    method: 'POST',
    headers: {
      authorization: basicAuthorization(id, password),
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({ token, token_type_hint: 'access_token' }).toString(),
  };
}

/** Accepts only a JSON object with a string `sub`. */
function acceptSubject({ status, json }: JsonAnswer): JsonObject {
  if (json === undefined) throw inconclusive(`answered with status ${status} and no JSON object`);
  const sub = own(json, 'sub');
  if (typeof sub !== 'string' || sub === '') throw inconclusive('answered without a sub');
  return json;
}

/** RFC 7662 §2.2. `active` must be the JSON value true or false; any other value is a failure. */
function acceptIntrospection({ status, json }: JsonAnswer): JsonObject | undefined {
  if (json === undefined) throw inconclusive(`answered with status ${status} and no JSON object`);
  const { active: _, ...claims } = json;
  const active = own(json, 'active');
  if (active === true) return claims;
  if (active === false) return undefined;
  throw inconclusive('answered without active');
}

/**
 * Makes the claims from the members of the answer. The token's own claims are not verified here, so
 * they only add restrictions: `exp` and `nbf`, of which the stricter counts, and `cnf`, which
 * binds the token to a key. If the token has the same subject as the answer, its groups are added,
 * too: the endpoint has accepted them with the token. `aud` and `iss` of the token are judged with
 * the registered claims.
 */
function completeClaims(
  claims: JsonObject,
  token: JsonObject | undefined,
  issuer: string | undefined,
): JsonObject {
  const complete: Record<string, JsonValue> = { ...claims };
  if (issuer !== undefined) complete.iss = issuer;
  if (token === undefined) return complete;
  const subject = own(token, 'sub');
  const isSame = subject !== undefined && subject === claims.sub;
  for (const name of ['exp', 'nbf', 'cnf', ...(isSame ? ['groups'] : [])]) {
    const value = own(token, name);
    if (value !== undefined && !Object.hasOwn(claims, name)) complete[name] = value;
  }
  for (const [name, stricter] of [
    ['exp', Math.min],
    ['nbf', Math.max],
  ] as const) {
    const [answered, written] = [complete[name], own(token, name)];
    if (typeof answered === 'number' && typeof written === 'number')
      complete[name] = stricter(answered, written);
  }
  return complete;
}

/** The claims of the token, if it is a JWT. It need not be one. Not verified here. */
export function unverifiedClaims(token: string, maxBytes: number): JsonObject | undefined {
  try {
    return parseToken(token, maxBytes).claims;
  } catch {
    return undefined;
  }
}
