// The options of an attack: their types, and the reader that refuses mistakes. What follows from
// the options of the service is in configuration.ts.
import type { RequestListener, Server } from 'node:http';
import { type AuthenticatorOptions, ConfigError, type JsonObject, type JsonValue } from '@latchkey/core';
import { readObject } from '@latchkey/core/adapter';
import type { SigningKey } from '../keys.ts';
import type { MintClaims } from '../mint.ts';

/** A service that takes web-standard requests, such as an application of Hono. */
export interface FetchTarget {
  fetch(request: Request): Response | Promise<Response>;
}

/**
 * The service: the URL of a running one, a Node request listener, a server of `node:http` or
 * `node:https`, or an object with `fetch`. What does not listen yet is started on a free port of
 * 127.0.0.1, and closed at the end. An object with `fetch` gets plain requests, without what a
 * server adds: for Hono, prefer `getRequestListener(app.fetch)` of `@hono/node-server`.
 */
export type AttackTarget = string | URL | RequestListener | Server | FetchTarget;

/** What makes tokens that the service accepts. A `TestIssuer` is one. */
export interface AttackIssuer {
  /**
   * Makes a token of these claims, with defaults for the others; a claim given as undefined is left
   * out. `header` adds members to the JOSE header, and replaces them. An attack for which it writes
   * something else, or throws, is skipped.
   */
  mint(claims: MintClaims, header?: { readonly [name: string]: JsonValue | undefined }): Promise<string>;
  /**
   * The key that `mint` signs with. Without it, the attacks that sign malformed tokens with the
   * right key are skipped.
   */
  readonly key?: Pick<SigningKey, 'alg' | 'kid' | 'privateKey'>;
  /** The published keys, which attacks use as secrets. Those in the options are used too. */
  readonly jwks?: { readonly keys: readonly JsonObject[] };
}

/** A route that needs a token. */
export interface AttackRoute {
  /** Default `GET`. */
  readonly method?: string;
  /** The path, with a query if the route needs one: `/orders/42`. */
  readonly path: string;
  /**
   * The claims that the route and the options require, with values that they accept. Attacks leave
   * each of them out, and change it. Default: none.
   */
  readonly requires?: { readonly [claim: string]: JsonValue };
  /** Other claims of the tokens for this route, which no attack changes. Default: none. */
  readonly claims?: MintClaims;
  /** Headers of each request, such as a `Content-Type`. Default: none. */
  readonly headers?: { readonly [name: string]: string };
  /** The body of each request. Default: none. */
  readonly body?: string;
}

/** The answer to a request of an attack. */
export interface AttackAnswer {
  readonly status: number;
  /** By name in lower case. The values of a repeated header are joined by a comma. */
  readonly headers: { readonly [name: string]: string };
  /** The bytes of the body, as Latin-1. */
  readonly body: string;
}

/** What is attacked, and how. */
export interface AttackOptions {
  readonly target: AttackTarget;
  /** One or more routes that need a token. Each of them gets all attacks. */
  readonly routes: readonly AttackRoute[];
  /**
   * The options of the service: those of its authenticator, or `options` of `loadDescriptor`. The
   * attacks are made for them, and are not judged by them.
   */
  readonly options: AuthenticatorOptions;
  /** Makes the good tokens. The service has to trust it. */
  readonly issuer: AttackIssuer;
  /**
   * A second issuer that the service trusts, for tokens of one that are signed by the other.
   * Default: none, and these attacks are skipped.
   */
  readonly otherIssuer?: AttackIssuer;
  /** Paths that need no token. Attacks hide the routes behind them. Default: none. */
  readonly publicPaths?: readonly string[];
  /**
   * Says whether an answer is one of the handler. Default: its status is 200 to 399. Give it for a
   * service that refuses with a redirect, or whose handlers answer otherwise.
   */
  readonly isAccepted?: (answer: AttackAnswer) => boolean;
  /** The attacks to make, by `id` or by row: `['T-016/none', 'T-018']`. Default: all. */
  readonly only?: readonly string[];
  /** The certificate of the client, for tokens that must be bound to one. Default: none. */
  readonly certificate?: {
    readonly cert: string;
    readonly key: string;
    readonly cnf: JsonObject;
  };
  /** How long an answer may take. Milliseconds, default 5000. */
  readonly timeoutMs?: number;
  /**
   * Attacks a service that is not on loopback. Only for a service of your own, in a network where
   * you may do so. Default false.
   */
  readonly unsafeRemoteTarget?: boolean;
}

const NAMES = [
  'target',
  'routes',
  'options',
  'issuer',
  'otherIssuer',
  'publicPaths',
  'isAccepted',
  'only',
  'certificate',
  'timeoutMs',
  'unsafeRemoteTarget',
] as const satisfies readonly (keyof AttackOptions)[];
const ROUTE_NAMES = ['method', 'path', 'requires', 'claims', 'headers', 'body'] as const;
const DEFAULT_TIMEOUT_MS = 5_000;

/** A checked route, with its defaults. */
export type CheckedRoute = Required<Omit<AttackRoute, 'body'>> & {
  readonly body: string | undefined;
  /** `GET /orders` */
  readonly name: string;
};

/** Checked options. */
export interface CheckedAttack extends Omit<AttackOptions, 'routes' | 'only'> {
  readonly routes: readonly CheckedRoute[];
  readonly publicPaths: readonly string[];
  readonly isAccepted: (answer: AttackAnswer) => boolean;
  readonly timeoutMs: number;
  isChosen(id: string): boolean;
}

/**
 * Checks the options of an attack.
 * @param ids those of all attacks
 * @throws ConfigError
 */
export function readAttack(given: AttackOptions, ids: readonly string[]): CheckedAttack {
  readObject(given, NAMES, '');
  const { options, issuer, otherIssuer, routes, only, publicPaths = [] } = given;
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = given;
  if (!Array.isArray(routes) || routes.length === 0)
    throw new ConfigError('routes', "expected at least one route, such as [{ path: '/orders' }]");
  if (typeof options !== 'object' || options === null)
    throw new ConfigError('options', 'expected the options of the service');
  if ('descriptor' in options)
    throw new ConfigError(
      'options',
      'expected options, got a descriptor; give loadDescriptor(options).options',
    );
  checkIssuer(issuer, 'issuer');
  if (otherIssuer !== undefined) checkIssuer(otherIssuer, 'otherIssuer');
  if (!(Number.isFinite(timeoutMs) && timeoutMs > 0))
    throw new ConfigError('timeoutMs', 'expected milliseconds, more than 0');
  for (const [index, path] of publicPaths.entries()) checkPath(path, `publicPaths[${index}]`);
  for (const [index, id] of (only ?? []).entries())
    if (!ids.some((each) => isSelected(each, id)))
      throw new ConfigError(`only[${index}]`, 'no attack has this id; the report lists the ids of all');
  return {
    ...given,
    routes: routes.map(readRoute),
    publicPaths,
    timeoutMs,
    isAccepted: given.isAccepted ?? (({ status }) => status >= 200 && status <= 399),
    isChosen: (id) => only === undefined || only.some((each) => isSelected(id, each)),
  };
}

/** True for an attack that is selected by its id, or by its row. */
function isSelected(id: string, by: string): boolean {
  return id === by || id.startsWith(`${by}/`);
}

function readRoute(route: AttackRoute, index: number): CheckedRoute {
  const at = `routes[${index}]`;
  readObject(route, ROUTE_NAMES, at);
  const { method = 'GET', path, requires = {}, claims = {}, headers = {}, body } = route;
  checkPath(path, `${at}.path`);
  if (!/^[A-Z]+$/.test(method)) throw new ConfigError(`${at}.method`, "expected a method, such as 'GET'");
  return { method, path, requires, claims, headers, body, name: `${method} ${path}` };
}

function checkPath(path: unknown, at: string): void {
  if (typeof path !== 'string' || !/^\/[!-~]*$/.test(path))
    throw new ConfigError(at, "expected a path as clients send it, such as '/orders'");
}

function checkIssuer(issuer: unknown, at: string): void {
  if (typeof issuer !== 'object' || issuer === null || typeof Reflect.get(issuer, 'mint') !== 'function')
    throw new ConfigError(at, 'expected a TestIssuer, or an object with mint(claims, header)');
}
