// What the tests of service tokens share: token files in a real folder, real servers that record
// what arrives, and both clocks moved by hand. Each test that imports this has a fresh folder.
import { rename, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { createClock, type TestClock } from '@latchkey/testing';
import { Agent, Dispatcher1Wrapper } from 'undici';
import { afterEach, beforeEach, onTestFinished, vi } from 'vitest';
import type { LatchkeyEvents } from '../../src/events.ts';
import {
  createServiceFetch,
  type ServiceFetch,
  type ServiceFetchOptions,
} from '../../src/signing/service-fetch.ts';
import type { ServiceTokenOptions } from '../../src/signing/service-token-options.ts';
import { closing, temporaryFolder } from '../support/closing.ts';
import { eventsOf } from '../support/observed.ts';
import { listen } from '../support/servers.ts';

export const START = 2_000_000_000;
export const DAY = 86_400;
export const LIFE = 2 * DAY;
export const FRIENDS = 'urn:friends';

export let folder: string;
export let clock: TestClock;
export let refreshed: LatchkeyEvents['latchkey:service-token:refreshed'][];
export let failed: LatchkeyEvents['latchkey:service-token:failed'][];

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  clock = createClock(START * 1000);
  folder = await temporaryFolder();
  refreshed = eventsOf('latchkey:service-token:refreshed');
  failed = eventsOf('latchkey:service-token:failed');
});
afterEach(() => void vi.useRealTimers());

export const at = (name: string) => join(folder, name);

export function encode(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

/** A token with these claims. Its signature is not verified here. */
export function tokenOf(claims: object = {}, signature = 'signature-of-the-first'): string {
  const all = { aud: FRIENDS, sub: 'okera', exp: START + LIFE, ...claims };
  return `${encode({ alg: 'RS512' })}.${encode(all)}.${encode(signature)}`;
}

export const FIRST = tokenOf();
export const SECOND = tokenOf({ exp: START + 2 * LIFE }, 'signature-of-the-second');
export const WITH_FIRST = { authorization: `Bearer ${FIRST}` };
export const WITHOUT_TOKEN = { authorization: undefined };

/** Replaces a whole file at once, as deployments do. */
export async function put(name: string, content: string): Promise<void> {
  await writeFile(at(`${name}.tmp`), content);
  await rename(at(`${name}.tmp`), at(name));
}

export interface Arrived {
  readonly host: string;
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

interface Served {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly arrived: Arrived[];
}

type Answer = (path: string, response: ServerResponse) => void;

/** Records what arrives; a request to `redirecting()` is redirected. */
export function recorder(
  arrived: Arrived[],
  answer: Answer = (_, response) => response.end('ok'),
): RequestListener {
  return async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { host = '', authorization, ...headers } = request.headers;
    const path = request.url ?? '';
    const body = Buffer.concat(chunks).toString('utf8');
    arrived.push({ host, method: request.method ?? '', path, authorization, headers, body });
    const [, status, location] = /^\/to\?(\d+)&(.*)$/.exec(path) ?? [];
    if (location === undefined) answer(path, response);
    else response.writeHead(Number(status), { location: decodeURIComponent(location) }).end();
  };
}

export function redirecting(to: string, status: number): string {
  return `/to?${status}&${encodeURIComponent(to)}`;
}

export async function serve(answer?: Answer): Promise<Served> {
  const arrived: Arrived[] = [];
  const port = await listen(createServer(recorder(arrived, answer)));
  return { host: `127.0.0.1:${port}`, port, url: `http://127.0.0.1:${port}`, arrived };
}

/**
 * A dispatcher that resolves every name to loopback and trusts one more authority. The wrapper is
 * there because the global fetch has an older undici than this repository.
 */
export function resolvingAll(ca?: string): RequestInit {
  const agent = new Agent({
    connect: {
      ...(ca === undefined ? {} : { ca }),
      lookup: (_name, options, callback) => {
        if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }]);
        else callback(null, '127.0.0.1', 4);
      },
    },
  });
  onTestFinished(() => agent.destroy());
  return { dispatcher: new Dispatcher1Wrapper(agent) as never };
}

export function create(options: Partial<ServiceFetchOptions>): ServiceFetch {
  return closing(createServiceFetch({ tokens: [], clock, ...options }));
}

/** Calls with one token for a host: the file `token`. */
export function createFor(
  host: string,
  token: Partial<ServiceTokenOptions> = {},
  allowHttp = false,
): ServiceFetch {
  return create({ tokens: [{ file: at('token'), audience: FRIENDS, hosts: [host], ...token }], allowHttp });
}

/** A server, and calls with one token for it. Writes the token, if there is one, into `token`. */
export async function mapped(token?: string, more: Partial<ServiceTokenOptions> = {}) {
  if (token !== undefined) await put('token', token);
  const friends = await serve();
  return { friends, calls: createFor(friends.host, more) };
}

/** What arrives of one call: `none`, or the Authorization. */
export async function sent(
  calls: ServiceFetch,
  { url, arrived }: Pick<Served, 'url' | 'arrived'>,
): Promise<string> {
  await (await calls.fetch(url)).text();
  return arrived.at(-1)?.authorization ?? 'none';
}
