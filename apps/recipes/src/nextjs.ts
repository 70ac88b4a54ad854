// nextjs.ts: a route handler and proxy.ts of Next.js 16.
import { fromRequest, type Guard, type Principal, withAuth } from '@latchkey/web';

/** app/tenants/[tenant]/orders/route.ts: `export const { GET, POST } = createRoute(guard);` */
export function createRoute(guard: Guard<Principal>) {
  const access = { claims: { tenant: fromRequest('params.tenant') } } as const;
  type Context = { params: Promise<{ tenant: string }> };
  const paramsOf = async (_request: Request, { params }: Context) => ({ params: await params });
  return {
    GET: withAuth(
      guard,
      async (_request, auth, _context: Context) => Response.json({ subject: auth.subject }),
      access,
      paramsOf,
    ),
    POST: withAuth(
      guard,
      async (request, _auth, _context: Context) => Response.json({ order: await request.json() }),
      access,
      paramsOf,
    ),
  };
}

/** proxy.ts: `export const proxy = createProxy(guard);`. Undefined lets the request go on. */
export function createProxy(guard: Guard) {
  return async (request: Request): Promise<Response | undefined> => {
    const auth = await guard(request);
    return auth instanceof Response ? auth : undefined;
  };
}
