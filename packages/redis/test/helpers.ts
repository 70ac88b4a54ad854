// Helpers that the tests share. There are no tests here.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Closes what a test opened, in the opposite order. */
export interface Closing {
  <T extends { close(): unknown }>(opened: T): T;
  all(): Promise<void>;
}

/** Makes a list of what has to be closed. */
export function createClosing(): Closing {
  const opened: { close(): unknown }[] = [];
  const add = <T extends { close(): unknown }>(one: T): T => {
    opened.push(one);
    return one;
  };
  return Object.assign(add, {
    async all() {
      for (const one of opened.splice(0).reverse()) await one.close();
    },
  });
}

/** Asks again and again until there is an answer. */
export async function eventually<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch {
      await nextTurn();
    }
  }
}

/** Resolves to the message of the next warning with this code. */
export async function nextWarning(code: string): Promise<string> {
  for (;;) {
    const [warning] = (await once(process, 'warning')) as [Error & { readonly code?: string }];
    if (warning.code === code) return warning.message;
  }
}

/** Passes connections on to a port of loopback. */
export interface Relay {
  readonly port: number;
  /** From now on, nothing passes over the connections of before. None of them is closed. */
  silence(): void;
  /** Resolves when the next connection has come. */
  connected(): Promise<unknown>;
  close(): void;
}

/** Starts a relay. */
export async function startRelay(to: number): Promise<Relay> {
  const open = new Set<readonly [Socket, Socket]>();
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) socket.on('error', () => {});
    open.add([near, far]);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    silence() {
      for (const pair of open)
        for (const socket of pair) {
          socket.unpipe();
          socket.pause();
        }
    },
    connected: () => once(server, 'connection'),
    close() {
      server.close();
      for (const pair of open) for (const socket of pair) socket.destroy();
    },
  };
}
