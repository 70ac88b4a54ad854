// Tells whether the global fetch sends a plain HTTP request to a proxy. The proxies of own calls
// are in connections.ts.
import { otherRuntime } from './runtime.ts';

/** Where undici, also the one in Node, keeps the dispatcher of `fetch`. */
const GLOBAL_DISPATCHERS = ['undici.globalDispatcher.1', 'undici.globalDispatcher.2'].map((name) =>
  Symbol.for(name),
);

/**
 * True if a proxy reads a `fetch` request to this plain HTTP URL. The proxy may come from Node's
 * own variables (`NODE_USE_ENV_PROXY`) or from a dispatcher that the application has set. Returns
 * true if it is unknown for this host.
 */
export function isProxied(url: URL, environment: NodeJS.ProcessEnv): boolean {
  if (otherRuntime() !== undefined) return isProxiedElsewhere(url, environment);
  const kinds = globalKinds();
  const byVariables = kinds.includes('EnvHttpProxyAgent') || usesVariables(environment);
  if (byVariables && proxyOf(environment) !== undefined && !isExempt(url, environment)) return true;
  return kinds.some((kind) => kind.endsWith('ProxyAgent') && kind !== 'EnvHttpProxyAgent');
}

/**
 * `isProxied` for Bun and Deno, whose fetch always reads the variables. They read `NO_PROXY`
 * differently; they agree on a host name between commas.
 */
function isProxiedElsewhere({ hostname }: URL, environment: NodeJS.ProcessEnv): boolean {
  const proxies = ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'];
  if (!proxies.some((name) => environment[name])) return false;
  const exempt = [environment.no_proxy, environment.NO_PROXY].filter((names) => names !== undefined);
  const isListed = (names: string) =>
    names
      .toLowerCase()
      .split(/\s*,\s*/)
      .includes(hostname);
  return exempt.length === 0 || !exempt.every(isListed) || hostname.startsWith('[');
}

/** True if the application has made a proxy the dispatcher of every `fetch`. */
export function hasGlobalProxy(): boolean {
  return globalKinds().some((kind) => kind.endsWith('ProxyAgent'));
}

function globalKinds(): readonly string[] {
  return GLOBAL_DISPATCHERS.map((name) => String(Reflect.get(globalThis, name)?.constructor?.name));
}

/**
 * True if the `dispatcher` of a call (an undici option) is a proxy, or may be: the `proxy` of Bun,
 * and the `client` of Deno. What is inside a `Request` is not visible.
 */
export function isProxiedBy(init: object | undefined): boolean {
  if (init === undefined) return false;
  if (otherRuntime() !== undefined) return ['proxy', 'client'].some((name) => Reflect.has(init, name));
  const dispatcher: unknown = Reflect.get(init, 'dispatcher');
  return String(Object(dispatcher).constructor?.name).endsWith('ProxyAgent');
}

/** Before its first fetch, Node has no dispatcher yet. */
function usesVariables({ NODE_USE_ENV_PROXY: variable, NODE_OPTIONS = '' }: NodeJS.ProcessEnv): boolean {
  return variable === '1' || [...process.execArgv, ...NODE_OPTIONS.split(' ')].includes('--use-env-proxy');
}

function proxyOf(environment: NodeJS.ProcessEnv): string | undefined {
  return environment.http_proxy || environment.HTTP_PROXY || undefined;
}

/**
 * Reads `NO_PROXY`, only as far as all versions of Node agree: whole host names, with or without
 * port, and `*`.
 */
function isExempt({ host, hostname }: URL, { no_proxy, NO_PROXY }: NodeJS.ProcessEnv): boolean {
  const names = (no_proxy ?? NO_PROXY ?? '').toLowerCase().split(/[,\s]+/);
  return [host, hostname, '*'].some((name) => names.includes(name));
}
