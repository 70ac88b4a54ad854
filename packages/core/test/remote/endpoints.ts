// What the tests of remote validation share: endpoints on loopback that record what they are asked,
// authenticators that ask them, and verdicts as one text.
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import { createClock, forge } from '@latchkey/testing';
import { afterEach, beforeEach, vi } from 'vitest';
import type { Authenticator } from '../../src/decision/authenticator.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { isAuthError } from '../../src/errors.ts';
import type { IntrospectionRemoteOptions, RemoteOptions } from '../../src/remote/options.ts';
import { createMemoryStore } from '../../src/secrets/store.ts';
import type { JsonValue } from '../../src/values/json.ts';
import { startAuthenticator } from '../support/authenticators.ts';
import { listen } from '../support/servers.ts';

export const NOW = 1_700_000_000;
export const SECRET_KEY = { name: 'idp', key: 'client-secret' };
export const UNAVAILABLE = '503 remote_unavailable';

export const clock = createClock(NOW * 1000);
beforeEach(() => clock.set(NOW * 1000));
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A request that an endpoint got. */
export interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What an endpoint answers. A body that is an object is sent as JSON. */
export interface Answer {
  readonly status?: number;
  readonly type?: string | undefined;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array | object | null;
}

interface Endpoint {
  readonly url: string;
  readonly asked: Asked[];
  /** The answer from now on. */
  says: Answer | ((asked: Asked) => Answer | Promise<Answer>);
}

export async function serve(listener: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(createServer(listener))}`;
}

/** Starts an endpoint. By default it accepts every token as alice's. */
export async function endpoint(says: Endpoint['says'] = { body: { sub: 'alice' } }): Promise<Endpoint> {
  const asked: Asked[] = [];
  const made: Endpoint = { url: '', asked, says };
  const origin = await serve(async (request, response) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk as Uint8Array);
    const { method, url, headers } = request;
    const one = { method, url, headers, body: Buffer.concat(chunks).toString() };
    asked.push(one);
    const answer = typeof made.says === 'function' ? await made.says(one) : made.says;
    const { status = 200, headers: more = {}, body } = answer;
    const type = 'type' in answer ? answer.type : 'application/json';
    response.writeHead(status, { ...(type === undefined ? {} : { 'content-type': type }), ...more });
    const isBytes = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
    response.end(isBytes ? body : JSON.stringify(body));
  });
  return Object.assign(made, { url: `${origin}/validate` });
}

/** An authenticator without keysets, for which the endpoint decides. */
export function alone(
  remote: string | RemoteOptions,
  others: Partial<AuthenticatorOptions> = {},
): Authenticator {
  const options = typeof remote === 'string' ? { url: remote } : remote;
  return startAuthenticator({ keySets: [], audience: null, clock, remote: options, ...others });
}

/** An authenticator that introspects tokens (RFC 7662). The secret of its client is `s3cret`. */
export function introspecting(
  url: string,
  { id = 'me', ...others }: { readonly id?: string } & Partial<AuthenticatorOptions> = {},
  more: Partial<IntrospectionRemoteOptions> = {},
): Authenticator {
  const secrets = createMemoryStore({ idp: { 'client-secret': 's3cret' } });
  const remote = { url, contract: 'introspection', client: { id, secret: SECRET_KEY }, ...more } as const;
  return alone(remote, { secrets, ...others });
}

/** A JWT whose signature is not valid. */
export const jwt = (claims: { readonly [name: string]: JsonValue }) =>
  forge({ header: { alg: 'RS256' }, payload: claims, signature: Buffer.from('signature') });

/** `accepted`, or the status and the code of the refusal. */
export const codeOf = (verdict: Promise<unknown>) =>
  verdict.then(
    () => 'accepted',
    (error: unknown) => {
      if (isAuthError(error)) return `${error.status} ${error.code}`;
      throw error;
    },
  );

/** What `codeOf` says of a token, with these rules. */
export const ask = (authenticator: Authenticator, ...given: [] | Parameters<Authenticator['verify']>) =>
  codeOf(given.length === 0 ? authenticator.verify('t') : authenticator.verify(...given));

/** Stops monotonic time; the returned function moves it and the wall clock. */
export function holdAges(): (ms: number) => void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  let at = Math.round(performance.now());
  vi.spyOn(performance, 'now').mockImplementation(() => at);
  return (ms) => {
    at += ms;
    clock.advance(ms);
    vi.advanceTimersByTime(ms);
  };
}
