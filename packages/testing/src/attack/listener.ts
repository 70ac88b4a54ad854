// A server on loopback that must stay alone: it offers the keys of an attacker at every path, and
// says who has asked for them.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonObject } from '@latchkey/core';

/** A running listener. */
export interface KeyListener {
  /** A URL of keys, for an attack. */
  urlFor(id: string): string;
  /** True if a request came to the URL of an attack, or to any of them a connection without one. */
  wasAsked(id: string): boolean;
  /** Forgets what came until now. */
  forget(): void;
  close(): Promise<void>;
}

/** Starts a listener on a free port of 127.0.0.1. */
export async function createKeyListener(jwk: JsonObject): Promise<KeyListener> {
  const asked = new Set<string>();
  const given = new Set<string>();
  const server = createServer((request, response) => {
    asked.add(request.url ?? '');
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ keys: [jwk, { ...jwk, kid: 'latchkey-unknown' }] }));
  });
  server.on('clientError', (_, socket) => {
    asked.add('');
    socket.destroy();
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    urlFor(id) {
      given.add(id);
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}/${id}`;
    },
    wasAsked: (id) => given.has(id) && (asked.has(`/${id}`) || asked.has('')),
    forget: () => asked.clear(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
