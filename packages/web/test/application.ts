// The application of the conformance suite, for a server that calls `fetch`.
import type { FetchApplication, Harness, Route } from '@latchkey/conformance';
import {
  createGuard,
  type Guard,
  healthCheck,
  type Principal,
  publishKeys,
  publishResource,
  type RequestExtras,
  recentDecisions,
  signResponse,
  withAuth,
} from '../src/index.ts';

type Handle = (request: Request, extras: RequestExtras) => Response | Promise<Response>;

/** One route, and the path that matches it. */
interface Entry {
  readonly method: string;
  readonly path: RegExp;
  readonly handle: Handle;
}

/** Serves the harness of the suite. */
export function application(harness: Harness): FetchApplication {
  const { authenticator, health, recent, routes, published, isResource, trustsProxy } = harness;
  const guard = createGuard(authenticator);
  const metadata = isResource ? publishResource(authenticator) : () => undefined;
  const entries: Entry[] = published.map(({ path, signer }) => entryOf('GET', path, publishKeys(signer)));
  entries.push(entryOf('GET', health, healthCheck(authenticator)));
  entries.push(entryOf('GET', recent.local, recentDecisions('local')));
  entries.push(entryOf('GET', recent.restricted, recentDecisions(recent.rules, guard)));
  for (const route of routes) entries.push(...entriesOf(route, guard));
  return {
    async fetch(request, { socket }) {
      const { method, url, headers } = request;
      const { pathname } = new URL(url);
      const here = entries.filter(({ path }) => path.test(pathname));
      const entry = here.find((one) => one.method === (method === 'HEAD' ? 'GET' : method));
      const protocol = trustsProxy && headers.get('x-forwarded-proto') === 'https' ? 'https' : 'http';
      const params = entry?.path.exec(pathname)?.groups ?? {};
      return (
        metadata(request) ??
        (await entry?.handle(request, { params, protocol, socket })) ??
        new Response('Not Found', { status: 404 })
      );
    },
  };
}

function entriesOf({ method, path, access, handle, reply, sign }: Route, guard: Guard): readonly Entry[] {
  const answer = (request: Request, auth?: Principal, _extras?: RequestExtras) => {
    const { pathname, search } = new URL(request.url);
    const body = handle(auth, `${pathname}${search}`);
    const init = { status: reply?.status ?? 200, headers: reply?.headers ?? {} };
    return typeof body === 'string' ? new Response(body, init) : Response.json(body, init);
  };
  const guarded: Handle =
    access === 'public'
      ? (request) => answer(request)
      : withAuth(guard, answer, access, (_request: Request, extras: RequestExtras) => extras);
  const signed = sign === undefined ? undefined : signResponse(sign);
  const whole: Handle =
    signed === undefined ? guarded : async (request, extras) => signed(await guarded(request, extras));
  const entry = entryOf(method, path, whole);
  if (access === 'public') return [entry];
  // Other methods of the path are guarded too, and have no handler.
  const judge = guard.for(access);
  const options: Handle = async (request, extras) => {
    const auth = await judge(request, extras);
    return auth instanceof Response ? auth : new Response(null, { status: 204 });
  };
  return [entry, entryOf('OPTIONS', path, options)];
}

function entryOf(method: string, path: string, handle: Handle): Entry {
  return {
    method,
    path: new RegExp(`^${path.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)').replaceAll('.', '\\.')}$`),
    handle,
  };
}
