// The routes that every adapter under test serves, as data, and what their handlers do.
import { allOf, anyOf, optional, type Principal, pattern, present, type Rules } from '@latchkey/core';

/** One route. An adapter serves it in its framework's own manner. */
export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** `public`: outside authentication. `token`: any principal. Otherwise: the rules of the route. */
  readonly access: 'public' | 'token' | { readonly claims: Rules };
  /**
   * What the handler does with the principal: returns what is to be sent as JSON, with status 200, or throws. The adapter lets
   * what is thrown go where its framework sends any handler's error.
   */
  readonly handle: (principal: Principal | undefined) => unknown;
}

const whoami = (principal: Principal | undefined): unknown => ({
  subject: principal?.subject ?? null,
  scopes: principal?.scopes ?? null,
  claims: principal?.claims ?? null,
});

/** All routes, by path. */
export const routes: readonly Route[] = [
  { method: 'GET', path: '/public', access: 'public', handle: () => ({ public: true }) },
  { method: 'GET', path: '/token', access: 'token', handle: whoami },
  { method: 'POST', path: '/token', access: 'token', handle: whoami },
  route('/scope', { scope: 'friends:read' }),
  route('/scopes', { scope: ['friends:read', 'friends:write'] }),
  route('/roles', { roles: ['admin', 'dev'] }),
  route('/all-of', { roles: allOf('admin', 'dev') }),
  route('/any-of', { roles: anyOf('admin', 'dev') }),
  route('/literal', { dept: 'IT', internal: true, floor: 4 }),
  route('/pattern', { account: pattern('my-subject-\\d+') }),
  route('/present', { dept: present() }),
  route('/optional', { bldg: optional(4) }),
  {
    method: 'GET',
    path: '/fault',
    access: 'token',
    handle: () => {
      throw new Error('the handler failed');
    },
  },
  {
    method: 'GET',
    path: '/mutate',
    access: 'token',
    handle: (principal) => {
      const claims = principal?.claims as { roles?: string[]; sub: string };
      const outcomes = [
        () => Object.assign(claims, { sub: 'root' }),
        () => claims.roles?.push('admin'),
        () => Object.assign(principal as object, { subject: 'root' }),
      ].map((attempt) => {
        try {
          attempt();
          return 'changed';
        } catch {
          return 'refused';
        }
      });
      return { outcomes, subject: principal?.subject };
    },
  },
];

function route(path: string, claims: Rules): Route {
  return { method: 'GET', path, access: { claims }, handle: whoami };
}
