// sveltekit.ts: the hook `handle` of src/hooks.server.ts. Each route needs a token.
import type { Guard, Principal, RouteAccess } from '@latchkey/web';

/** What this hook reads of SvelteKit. `Handle` of `@sveltejs/kit` has more. */
interface Given<E extends KitEvent> {
  readonly event: E;
  readonly resolve: (event: E) => Response | Promise<Response>;
}
interface KitEvent {
  readonly request: Request;
  readonly params: Partial<Record<string, string>>;
  readonly route: { readonly id: string | null };
  readonly isRemoteRequest: boolean;
  readonly locals: { auth?: Principal };
}

/**
 * `export const handle = createHandle(guard, access)`. `access` has what routes ask for, by the id
 * of the route, such as `/orders/[id]`: `public`, or access. Any other route needs a good token.
 */
export function createHandle(guard: Guard, access: ReadonlyMap<string, RouteAccess | 'public'> = new Map()) {
  const judges = new Map(
    [...access].map(([id, asked]) => [id, asked === 'public' ? asked : guard.for(asked)] as const),
  );
  const other = guard.for({});
  return async <E extends KitEvent>({ event, resolve }: Given<E>): Promise<Response> => {
    // The client of a remote function says which route its page has.
    const { id } = event.isRemoteRequest ? { id: null } : event.route;
    const judge = judges.get(id ?? '') ?? other;
    if (judge === 'public') return resolve(event);
    const auth = await judge(event.request, { params: event.params });
    if (auth instanceof Response) return auth;
    if (auth !== undefined) event.locals.auth = auth;
    return resolve(event);
  };
}
