// Sends requests by the fetch of the runtime, on Bun and Workers. It ignores the options of
// connections, so runtime.ts refuses them there.
import { isLoopback } from './addresses.ts';
import type { Received, Sent } from './send.ts';

/** Members that only Bun knows. */
interface OwnInit extends RequestInit {
  readonly tls: { readonly rejectUnauthorized: true };
  readonly proxy?: false;
}

/** Sends a request. The certificate of the server is always checked. */
export async function ownFetch(url: URL, request: Sent): Promise<Received> {
  const init: OwnInit = {
    ...request,
    redirect: 'manual',
    // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED=0 has no effect here.
    tls: { rejectUnauthorized: true },
    // Plain http to loopback is allowed because it does not leave this machine.
    ...(isLoopback(url.hostname) ? { proxy: false } : {}),
  };
  return globalThis.fetch(url, init);
}
