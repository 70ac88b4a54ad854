// Prototype pollution for tests of adapters: requests over a socket while every object inherits a
// member.
import { once } from 'node:events';
import { connect } from 'node:net';

/** The names of what adapters read of routes and options. */
export const NAMES = [
  'auth',
  'claims',
  'mode',
  'issuers',
  'kind',
  'config',
  'notFound',
  'authenticator',
] as const;
/** What is put under these names: what opens, and what is of the wrong type. */
export const VALUES: readonly unknown[] = [undefined, false, true, 'optional', {}];

/** What the applications of these tests serve, and a path that they do not. */
const PATHS = ['/plain', '/admin', '/open', '/missing'] as const;

/**
 * The status of a GET request that is answered while every object inherits this member.
 * @param name undefined: none
 */
async function askPolluted(
  port: number,
  path: string,
  authorization: string | undefined,
  name?: string,
  value?: unknown,
): Promise<number> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const shared: object = Object.prototype;
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = once(socket, 'end');
  const header = authorization === undefined ? '' : `Authorization: ${authorization}\r\n`;
  if (name !== undefined)
    Object.defineProperty(shared, name, { value, configurable: true, writable: true, enumerable: true });
  try {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: me.example\r\nConnection: close\r\n${header}\r\n`);
    await ended;
  } finally {
    if (name !== undefined) Reflect.deleteProperty(shared, name);
    socket.destroy();
  }
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(Buffer.concat(chunks).toString())?.[1]);
}

/**
 * The statuses of every path with every token, in this order, while every object inherits this
 * member.
 * @param tokens values of the header Authorization; undefined: none
 * @param name undefined: no object inherits anything
 */
export async function statusesOf(
  port: number,
  tokens: readonly (string | undefined)[],
  name?: string,
  value?: unknown,
): Promise<readonly number[]> {
  const found: number[] = [];
  for (const path of PATHS)
    for (const token of tokens) found.push(await askPolluted(port, path, token, name, value));
  return found;
}

/** Runs something while every object inherits this member. */
export function whilePolluted<T>(name: string, value: unknown, run: () => T): T {
  const shared: object = Object.prototype;
  Object.defineProperty(shared, name, { value, configurable: true, writable: true, enumerable: true });
  try {
    return run();
  } finally {
    Reflect.deleteProperty(shared, name);
  }
}
