// Runs remote endpoints on loopback that accept the tokens they know or show a fault, and record
// the requests. It is a process of its own, so that its work is not measured.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { acceptanceOf } from './acceptance.ts';
import { serve, sharedNow } from './companion.ts';
import { type Fault, misbehave } from './misbehave.ts';

/** A request: its time, by `sharedNow()`, and its token. */
export interface Arrival {
  readonly at: number;
  readonly token: string;
}

interface Endpoint {
  readonly server: Server;
  readonly port: number;
  readonly known: Set<string>;
  fault: Fault | undefined;
  arrivals: Arrival[];
  accepted: number;
}

const PATH = '/validate';
const endpoints: Endpoint[] = [];
/** The number of requests that followed a redirect. */
let astray = 0;
let turn = 0;

const elsewhere = createServer((_, response) => {
  astray++;
  response.writeHead(200, { 'content-type': 'application/json' }).end('{"sub":"mallory"}');
});
const elsewherePort = await listen(elsewhere, 0);

const moves = {
  /** Starts an endpoint. */
  async create(): Promise<{ readonly id: number; readonly port: number; readonly url: string }> {
    const server = createServer((request, response) => {
      if (request.url !== PATH) astray++;
      const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
      endpoint.arrivals.push({ at: sharedNow(), token });
      const genuine = JSON.stringify(acceptanceOf(token));
      response.on('error', () => {});
      if (endpoint.fault !== undefined && endpoint.fault !== 'down') {
        misbehave(endpoint.fault, turn++, response, genuine, `http://127.0.0.1:${elsewherePort}${PATH}`);
        return;
      }
      const isKnown = endpoint.known.has(token);
      if (isKnown) endpoint.accepted++;
      response.writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json' });
      response.end(isKnown ? genuine : '{}');
    });
    const port = await listen(server, 0);
    const endpoint: Endpoint = {
      server,
      port,
      known: new Set(),
      fault: undefined,
      arrivals: [],
      accepted: 0,
    };
    return { id: endpoints.push(endpoint) - 1, port, url: `http://127.0.0.1:${port}${PATH}` };
  },
  /** Adds tokens that the endpoint accepts. */
  know(id: number, tokens: readonly string[]): void {
    for (const token of tokens) endpointOf(id).known.add(token);
  },
  /**
   * Answers every request with this fault. Call it without a fault to end that.
   * @returns the time of the change, by `sharedNow()`
   */
  async behave(id: number, fault?: Fault): Promise<number> {
    const endpoint = endpointOf(id);
    const { server, port } = endpoint;
    if (endpoint.fault === 'down' && fault !== 'down') await listen(server, port);
    endpoint.fault = fault;
    if (fault === 'down') {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    }
    return sharedNow();
  },
  /** The requests since the last `takeArrivals`. */
  takeArrivals(id: number): readonly Arrival[] {
    const endpoint = endpointOf(id);
    const { arrivals } = endpoint;
    endpoint.arrivals = [];
    return arrivals;
  },
  counts: (): { readonly accepted: number; readonly astray: number } => ({
    accepted: endpoints.reduce((sum, { accepted }) => sum + accepted, 0),
    astray,
  }),
};

/** The functions of this process. */
export type EndpointMoves = typeof moves;

serve(moves);

function endpointOf(id: number): Endpoint {
  const endpoint = endpoints[id];
  if (endpoint === undefined) throw new Error(`expected the id of an endpoint, got ${id}`);
  return endpoint;
}

async function listen(server: Server, port: number): Promise<number> {
  // Longer than a run, because closing a connection while the client reuses it would count as a
  // failure of the authenticator.
  server.keepAliveTimeout = 600_000;
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
