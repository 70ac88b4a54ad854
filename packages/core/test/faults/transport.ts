// The client of node:http, replaced: requests of core are answered by the scenario that runs, and
// each of its answers is a step. A test file puts it in place with `vi.mock`.
import type { createClient as createHttpClient } from '../../src/net/node-http.ts';
import type { Received, Send, Sent } from '../../src/net/send.ts';
import type { Boundary } from './steps.ts';
import type { World } from './world.ts';

/** A server of a scenario. A body other than a text is sent as JSON. */
interface Reply {
  readonly status?: number;
  readonly type?: string;
  readonly body?: unknown;
}

type Handler = (url: URL, sent: Sent) => Reply | Promise<Reply>;

const servers = new Map<string, { readonly world: World; readonly name: string; readonly handle: Handler }>();

/** Answers all requests to an origin from here on. Its name is that of its steps. */
export function serve(world: World, name: string, origin: string, handle: Handler): void {
  servers.set(origin, { world, name, handle });
}

/** Takes the place of `createClient` of net/node-http.ts. */
export const createClient: typeof createHttpClient = () => {
  let isClosed = false;
  const send: Send = async (url, sent) => {
    if (isClosed) throw new TypeError('fetch failed', { cause: new Error('closed') });
    const server = servers.get(url.origin);
    if (server === undefined) throw new TypeError('fetch failed', { cause: new Error('ENOTFOUND') });
    const { world, name, handle } = server;
    return world.take(headOf(name, url), async () => received(world, name, url, await handle(url, sent)));
  };
  return {
    sender: () => send,
    close() {
      isClosed = true;
    },
  };
};

const HTML = '<!doctype html><p>Sign in';

function headOf(name: string, url: URL): Boundary {
  const bare = (status: number, type: string, body: unknown) => plainly({ status, type, body });
  return {
    name: `${name} ${url.pathname}`,
    deadlineMs: 5_000,
    wrong: [
      undefined,
      {},
      bare(500, 'application/json', {}),
      bare(404, 'text/plain', 'no'),
      bare(204, 'application/json', ''),
      bare(200, 'text/html', HTML),
      bare(200, 'application/json', {}),
      bare(200, 'application/json', { keys: null, issuer: 'https://other.example', sub: 7, active: 'true' }),
    ],
  };
}

function bodyOf(name: string, url: URL): Boundary {
  return {
    name: `${name} ${url.pathname} body`,
    deadlineMs: 5_000,
    wrong: [undefined, Buffer.alloc(0), Buffer.from('{"keys":[{"kty"'), Buffer.from('null'), 'a text'],
  };
}

function received(world: World, name: string, url: URL, reply: Reply): Received {
  const { body: _body, ...head } = plainly(reply);
  return {
    ...head,
    body: {
      async *[Symbol.asyncIterator]() {
        yield await world.take(bodyOf(name, url), () => Promise.resolve(bytesOf(reply)));
      },
      cancel: () => world.take({ ...bodyOf(name, url), wrong: [] }, () => Promise.resolve()),
    },
  };
}

/** An answer whose body is no step. */
function plainly(reply: Reply): Received {
  const { status = 200, type = 'application/json' } = reply;
  return {
    status,
    headers: { get: (name) => (name === 'content-type' ? type : null) },
    body: {
      async *[Symbol.asyncIterator]() {
        yield bytesOf(reply);
      },
      cancel: async () => {},
    },
  };
}

function bytesOf({ body = {} }: Reply): Uint8Array {
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}
