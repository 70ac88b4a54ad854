// The service that is attacked: found at its URL, or started on a free port of loopback. A host
// that is not on loopback is refused.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigError } from '@latchkey/core';
import { listenerOf } from './fetch-listener.ts';
import type { AttackTarget, CheckedAttack } from './options.ts';
import type { Endpoint } from './send.ts';

/** A service that accepts requests. */
export interface OpenTarget {
  readonly endpoint: Endpoint;
  /** Closes what was started. */
  close(): Promise<void>;
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;
/** Longer than by default, so that the service refuses a long token, and not Node. */
const MAX_HEADER_BYTES = 128 * 1024;

/** Finds or starts the service. @throws ConfigError */
export async function openTarget({
  target,
  unsafeRemoteTarget = false,
}: Pick<CheckedAttack, 'target' | 'unsafeRemoteTarget'>): Promise<OpenTarget> {
  if (typeof target === 'string' || target instanceof URL)
    return { endpoint: endpointOf(target, unsafeRemoteTarget), close: async () => {} };
  if (isServer(target)) return target.listening ? running(target) : started(target);
  const listener = listenerFor(target);
  return started(createServer({ maxHeaderSize: MAX_HEADER_BYTES }, listener));
}

function listenerFor(target: Exclude<AttackTarget, string | URL | Server>): RequestListener {
  if (typeof target === 'function') return target;
  if (typeof target === 'object' && target !== null && typeof target.fetch === 'function')
    return listenerOf(target);
  throw new ConfigError(
    'target',
    'expected a URL, a request listener, a server, or an object with fetch; give app.callback() of Koa, app.getHttpServer() of Nest, app.routing of Fastify',
  );
}

function isServer(target: AttackTarget): target is Server {
  return typeof target === 'object' && 'listen' in target && 'address' in target && 'listening' in target;
}

function endpointOf(given: string | URL, isRemoteAllowed: boolean): Endpoint {
  if (!URL.canParse(String(given))) throw new ConfigError('target', 'expected a URL, got another text');
  const { protocol, hostname, port, host, pathname } = new URL(given);
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new ConfigError('target', 'expected an http or https URL');
  if (pathname !== '/') throw new ConfigError('target', 'must have no path; write it in the paths of routes');
  if (!LOOPBACK.test(hostname) && !isRemoteAllowed)
    throw new ConfigError(
      'target',
      'expected a host on loopback: this sends attacks; start the service on this machine, or set unsafeRemoteTarget if it is yours',
    );
  const isSecure = protocol === 'https:';
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (isSecure ? 443 : 80) : Number(port),
    isSecure,
    authority: host,
  };
}

function running(server: Server): OpenTarget {
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new ConfigError('target', 'expected a server that listens on a port');
  const { port } = address;
  const host = new Map([
    ['::', '127.0.0.1'],
    ['0.0.0.0', '127.0.0.1'],
  ]).get(address.address);
  return {
    endpoint: { host: host ?? address.address, port, ...secured(server), authority: `localhost:${port}` },
    close: async () => {},
  };
}

async function started(server: Server): Promise<OpenTarget> {
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: { host: '127.0.0.1', port, ...secured(server), authority: `localhost:${port}` },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A server of node:https. */
function secured(server: Server): { readonly isSecure: boolean } {
  return { isSecure: 'setSecureContext' in server };
}
