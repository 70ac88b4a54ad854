// Whether a program of this machine has sent a request, to this machine, by itself. A header never
// makes a request local; it can only show that it is not.
import { countHeader, memberOf, type RequestView } from '../credentials/request.ts';
import { isLoopback, isLoopbackAddress } from '../net/addresses.ts';

/** Headers by which proxies and tunnels say whose request they pass on. */
const OF_PROXIES = /^(?:x[-_].*|.*forwarded.*|via|cdn-loop|.*-ip|cf-.*)$/;

/**
 * True for a request over a connection from this machine, for a loopback name of it, which no proxy
 * has passed on and no page of another site has sent. A proxy on this machine that keeps all of
 * that to itself cannot be recognized.
 */
export function isLocalRequest(view: RequestView): boolean {
  const socket = memberOf(view, 'socket');
  const address =
    typeof socket === 'object' && socket !== null ? memberOf(socket, 'remoteAddress') : undefined;
  if (typeof address !== 'string' || !isLoopbackAddress(address)) return false;
  const headers = new Map(Object.entries(view.headers));
  if ([...headers.keys()].some((name) => OF_PROXIES.test(name.toLowerCase()))) return false;
  // Otherwise a site could point its own name at this machine, and read the answer.
  const hosts = ['host', ':authority'].flatMap((name) => headers.get(name) ?? []);
  if (hosts.length === 0 || !hosts.every(isLoopbackHost)) return false;
  if (countHeader(view, 'host') > 1) return false;
  const site = headers.get('sec-fetch-site');
  return !headers.has('origin') && (site === undefined || site === 'none' || site === 'same-origin');
}

function isLoopbackHost(host: unknown): boolean {
  if (typeof host !== 'string') return false;
  return isLoopback(host.replace(/:\d{1,5}$/, '').toLowerCase());
}
