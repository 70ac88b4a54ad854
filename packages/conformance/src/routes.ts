// The routes that every adapter under test serves, as data, and their handlers. Routes that sign
// are in signing-routes.ts.
import { isDeepStrictEqual } from 'node:util';
import {
  allOf,
  anyOf,
  at,
  exactly,
  fromRequest,
  noneOf,
  optional,
  type Principal,
  pattern,
  present,
  type RouteAccess,
  type Rules,
  reportOnly,
  route as routeNamed,
  tokenOf,
} from '@latchkey/core';
import type { CompiledRules } from '@latchkey/core/adapter';
import type { SignResponseOptions } from '@latchkey/core/signing';

/** The status and headers that a handler sets on its reply. */
export interface ReplyHead {
  readonly status?: number;
  readonly headers?: { readonly [name: string]: string };
}

/** One route. An adapter serves it with the usual means of its framework. */
export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /**
   * `public`: outside authentication. Otherwise: the rules of the route, and the requirements that
   * replace those of the options.
   */
  readonly access: 'public' | ({ readonly claims?: Rules | CompiledRules } & RouteAccess);
  /**
   * Runs the handler: returns the body to send, or throws. The adapter sends a string unchanged and
   * any other value as JSON, with the usual means of its framework, and leaves a thrown error to
   * the framework.
   * @param url the URL as the framework shows it to handlers
   */
  readonly handle: (principal: Principal | undefined, url: string) => unknown;
  /**
   * The status and headers of the reply. Default: status 200, and the headers that the framework
   * sets.
   */
  readonly reply?: ReplyHead;
  /** The fields of the reply to sign, and the signer. Default: none. */
  readonly sign?: SignResponseOptions;
}

/** The audience of some routes. A token for them names it next to the audience of the service. */
export const ORDERS = 'https://orders.example.com';

const whoami = (principal: Principal | undefined): unknown => ({
  subject: principal?.subject ?? null,
  scopes: principal?.scopes ?? null,
  groups: principal?.groups ?? null,
  claims: principal?.claims ?? null,
});

/** What a handler gets of the caller besides its claims. */
const caller = (principal: Principal | undefined): unknown => ({
  clientId: principal?.clientId ?? null,
  expires: Number(principal?.expiresAt) - Number(principal?.claims.iat),
  actor: principal?.actor?.subject ?? null,
  chain: principal?.actor?.chain?.map(({ subject }) => subject) ?? null,
  token: tokenText(principal),
});

/** Whether the token of a principal is the one that its claims are from. */
function tokenText(principal: Principal | undefined): string {
  const token = tokenOf(principal);
  if (token === undefined) return 'none';
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
  return isDeepStrictEqual(JSON.parse(payload), { ...principal?.claims }) ? 'verified' : 'another';
}

/** A Standard Schema that transforms a claim. */
const floorText = {
  '~standard': {
    version: 1,
    vendor: 'conformance',
    validate: (value: unknown) =>
      typeof value === 'number' ? { value: `floor ${value}` } : { issues: [{ message: 'not a number' }] },
  },
} as const;

/** All routes whose replies are not signed, by path. */
export const routes: readonly Route[] = [
  { method: 'GET', path: '/public', access: 'public', handle: () => ({ public: true }) },
  { method: 'GET', path: '/token', access: {}, handle: whoami },
  { method: 'POST', path: '/token', access: {}, handle: whoami },
  route('/scope', { scope: 'friends:read' }),
  route('/scopes', { scope: ['friends:read', 'friends:write'] }),
  route('/one-scope', { scope: anyOf('friends:all', 'friends:read') }),
  route('/scope-and-role', { scope: 'friends:read', roles: ['admin'] }),
  route('/role-and-scope', { roles: ['admin'], scope: 'friends:read' }),
  route('/two-scopes', [{ scope: 'friends:read' }, { dept: optional('IT') }, { scp: 'friends:write' }]),
  route('/no-scope', { scope: noneOf('friends:write') }),
  route('/roles', { roles: ['admin', 'dev'] }),
  route('/all-of', { roles: allOf('admin', 'dev') }),
  route('/any-of', { roles: anyOf('admin', 'dev') }),
  route('/literal', { dept: 'IT', internal: true, floor: 4 }),
  route('/pattern', { account: pattern('my-subject-\\d+') }),
  route('/present', { dept: present() }),
  route('/optional', { bldg: optional(4) }),
  route('/none-of', { roles: noneOf('banned') }),
  route('/groups', { groups: ['admins'] }),
  route('/groups/none-of', { groups: noneOf('banned') }),
  route('/groups/optional', { groups: optional(noneOf('banned')) }),
  route('/exactly', { roles: exactly('admin', 'dev') }),
  route('/values', { roles: { values: ['admin', 'dev'] } }),
  route('/path', [at(['realm_access', 'roles'], allOf('admin'))]),
  route('/nested', { 'realm_access.roles': allOf('admin') }),
  route('/rows', [
    { name: 'dept', required: true, validate: true, type: 'STRING', value: 'IT' },
    { name: 'bldg', validate: true, type: 'INTEGER', value: 4 },
  ]),
  {
    method: 'GET',
    path: '/schema',
    access: { claims: { floor: floorText } },
    handle: (principal) => ({ floor: principal?.claims.floor }),
  },
  route('/tenants/:tenant', { tenant: fromRequest('params.tenant') }),
  route('/report-only/rule', { roles: reportOnly(['admin']), scope: reportOnly('friends:read') }),
  route('/report-only/one-of-two', { roles: ['admin'], dept: reportOnly('IT') }),
  route('/report-only/tenants/:tenant', { tenant: reportOnly(fromRequest('params.tenant')) }),
  route('/report-only/soon', { roles: reportOnly(['admin'], { from: '2999-12-31' }) }),
  route('/report-only/past', { roles: reportOnly(['admin'], { from: '2020-01-01' }) }),
  requiring('/report-only/access', {
    claims: { roles: ['admin'] },
    acr: ['urn:example:mfa'],
    enforce: false,
  }),
  requiring('/report-only/past-access', { claims: { roles: ['admin'] }, enforce: { from: '2020-01-01' } }),
  requiring('/report-only/may-be-anonymous', {
    mode: 'optional',
    claims: { roles: ['admin'] },
    enforce: false,
  }),
  requiring('/report-only/may-be-bad', {
    mode: 'permissive',
    claims: { roles: ['admin'] },
    enforce: false,
  }),
  {
    method: 'GET',
    path: '/report-only/rule/may-be-anonymous',
    access: { mode: 'optional', claims: { roles: reportOnly(['admin']) } },
    handle: whoami,
  },
  route('/named/reporting', routeNamed('reporting')),
  route('/named/admin', routeNamed('admin')),
  route('/named/writers', routeNamed('writers')),
  route('/named/partner', routeNamed('partner')),
  route('/named/orders', routeNamed('orders')),
  route('/named/pay', routeNamed('pay')),
  route('/named/acting', routeNamed('acting')),
  route('/named/tenants/:tenant', routeNamed('tenant')),
  {
    method: 'GET',
    path: '/named/may-be-anonymous',
    access: { mode: 'optional', claims: routeNamed('admin') },
    handle: whoami,
  },
  { method: 'GET', path: '/issuers', access: { issuers: ['https://issuer.example'] }, handle: whoami },
  { method: 'GET', path: '/audience', access: { audience: ORDERS }, handle: whoami },
  {
    method: 'GET',
    path: '/audiences',
    access: { audience: [ORDERS, 'https://invoices.example.com'] },
    handle: whoami,
  },
  requiring('/step-up/acr', { acr: ['urn:example:mfa', 'urn:example:hw'] }),
  requiring('/step-up/recent', { maxAge: '1h' }),
  requiring('/step-up/both', { acr: ['urn:example:mfa', 'urn:example:hw'], maxAge: '1h' }),
  requiring('/actors', { actors: ['gateway'] }),
  requiring('/actors/or-none', { actors: [false, 'gateway'] }),
  requiring('/actors/none', { actors: false }),
  { method: 'GET', path: '/caller', access: {}, handle: caller },
  { method: 'GET', path: '/caller/may-be-bad', access: { mode: 'permissive' }, handle: caller },
  { method: 'GET', path: '/may-be-anonymous', access: { mode: 'optional' }, handle: whoami },
  {
    method: 'GET',
    path: '/may-be-anonymous/roles',
    access: { mode: 'optional', claims: { roles: ['admin'] } },
    handle: whoami,
  },
  { method: 'GET', path: '/may-be-bad', access: { mode: 'permissive' }, handle: whoami },
  { method: 'GET', path: '/url', access: {}, handle: (_principal, url) => ({ url }) },
  {
    method: 'GET',
    path: '/fault',
    access: {},
    handle: () => {
      throw new Error('the handler failed');
    },
  },
  {
    method: 'GET',
    path: '/mutate',
    access: {},
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

/** The routes of authenticators with several resources. */
export const resourceRoutes: readonly Route[] = [
  requiring('/files', { resource: 'files' }),
  requiring('/files/may-be-anonymous', { resource: 'files', mode: 'optional' }),
  requiring('/files/readers', { resource: 'files', claims: { scope: 'friends:read' } }),
  requiring('/files/readers/may-be-anonymous', {
    resource: 'files',
    mode: 'optional',
    claims: { scope: 'friends:read' },
  }),
  requiring('/files/orders', { resource: 'files', audience: ORDERS }),
  route('/named/files', routeNamed('files for readers')),
];

/** The routes of authenticators that judge proofs. */
export const possessionRoutes: readonly Route[] = [
  requiring('/bound', { dpop: 'required' }),
  route('/named/bound', routeNamed('bound')),
];

/** The routes of variants with mutual TLS, in addition. */
export const mutualTlsRoutes: readonly Route[] = [
  requiring('/certified', { mutualTls: 'required' }),
  requiring('/constrained', { senderConstrained: 'required' }),
  route('/named/certified', routeNamed('certified')),
];

function requiring(path: string, access: RouteAccess): Route {
  return { method: 'GET', path, access, handle: whoami };
}

function route(path: string, claims: Rules | CompiledRules): Route {
  return { method: 'GET', path, access: { claims }, handle: whoami };
}
