// Runs the cases that every adapter must pass on the server of the runtime that executes this:
// `Deno.serve` or `Bun.serve`. On Node there is none. `pnpm conformance` starts it.
import {
  describeAdapter,
  type FetchApplication,
  type KnownGaps,
  type ServedApplication,
} from '@latchkey/conformance';
import { expect, it } from 'vitest';
import { application } from './application.ts';

/** What the servers give next to a request: Deno the connection, Bun the server. */
interface Known {
  readonly remoteAddr?: { readonly hostname: string };
  requestIP?(request: Request): { readonly address: string } | null;
}
type Serve = (request: Request, known: Known) => Promise<Response>;

/** The parts of the servers that are used. */
interface Servers {
  readonly Deno?: {
    serve(
      options: { readonly port: 0; readonly hostname: string; onListen(): void },
      fetch: Serve,
    ): { readonly addr: { readonly port: number }; shutdown(): Promise<void> };
  };
  readonly Bun?: {
    serve(options: {
      readonly port: 0;
      readonly hostname: string;
      readonly development: false;
      readonly error: () => Response;
      readonly fetch: Serve;
    }): { readonly port: number; stop(closes: true): Promise<void> };
  };
}

const { Deno, Bun } = globalThis as Servers;
const hostname = '127.0.0.1';
const failed = () => new Response(null, { status: 500 });

const JOINED =
  'a Request joins repeated headers, so the answer is a 400 for several credentials, and not for a malformed one';
const TOO_LONG = 'Bun.serve answers 431 to headers of more than 16 KiB, before any handler';
const gaps: KnownGaps = {
  'T-075: two tokens, comma-joined': JOINED,
  ...(Bun === undefined
    ? {}
    : { 'T-006: token_malformed, too long': TOO_LONG, 'RFC 9449: dpop: a huge proof': TOO_LONG }),
};

function listen(fetch: Serve): { readonly port: number; readonly close: () => Promise<void> } {
  if (Deno !== undefined) {
    const answer: Serve = async (request, known) => {
      try {
        return await fetch(request, known);
      } catch {
        return failed();
      }
    };
    const server = Deno.serve({ port: 0, hostname, onListen: () => {} }, answer);
    return { port: server.addr.port, close: () => server.shutdown() };
  }
  if (Bun === undefined) throw new Error('expected Deno or Bun');
  const server = Bun.serve({ port: 0, hostname, development: false, error: failed, fetch });
  return { port: server.port, close: () => server.stop(true) };
}

function served({ fetch }: FetchApplication): ServedApplication {
  return {
    async listen(properties) {
      const open = new Set<unknown>();
      const { port, close } = listen(async (request, known) => {
        const remoteAddress = known.remoteAddr?.hostname ?? known.requestIP?.(request)?.address;
        const answer = Promise.resolve(
          fetch(Object.assign(request, properties), { socket: { remoteAddress } }),
        );
        open.add(answer);
        try {
          return await answer;
        } finally {
          open.delete(answer);
        }
      });
      const openRequests = async () => void (await Promise.allSettled(open));
      return { port, openRequests, close };
    },
  };
}

const server = Deno === undefined ? (Bun === undefined ? undefined : 'Bun.serve') : 'Deno.serve';
if (server === undefined) it('Node has no such server', () => expect('Bun' in process.versions).toBe(false));
else describeAdapter(`web, on ${server}`, (harness) => served(application(harness)), gaps);
