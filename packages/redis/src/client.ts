// What is used of a client of node-redis: the same of a single server, a cluster and sentinels.
// The types are structural, so that any copy of `redis` or `@redis/client` fits.
import { ConfigError } from '@latchkey/core';

/** The commands that are sent. */
export interface RedisCommands {
  set(
    key: string,
    value: string,
    options: {
      readonly condition: 'NX';
      readonly expiration: { readonly type: 'PX'; readonly value: number };
    },
  ): Promise<unknown>;
  info(section: string): Promise<unknown>;
  xAdd(key: string, id: '*', fields: { readonly [name: string]: string }): Promise<unknown>;
  xRead(
    from: { readonly key: string; readonly id: string },
    options: { readonly COUNT: number; readonly BLOCK?: number },
  ): Promise<unknown>;
  xRange(key: string, start: string, end: string, options: { readonly COUNT: number }): Promise<unknown>;
  xDel(key: string, ids: string[]): Promise<unknown>;
  xInfoStream(key: string): Promise<unknown>;
}

/** A connection of its own, made from the options of a client. */
export interface RedisConnection {
  readonly isReady: boolean;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  connect(): Promise<unknown>;
  destroy(): unknown;
  withCommandOptions(options: { readonly timeout: number; readonly typeMapping: object }): RedisCommands;
}

/**
 * A client of node-redis: what `createClient`, `createCluster` or `createSentinel` of the package
 * `redis` gives. Only its options are used, for connections of Latchkey, so it does not have to be
 * connected.
 */
export interface RedisClient {
  duplicate(overrides: object): RedisConnection;
}

/** Checks a client. @throws ConfigError */
export function readClient(value: unknown): RedisClient {
  const isClient =
    typeof value === 'object' &&
    value !== null &&
    ['duplicate', 'connect', 'destroy', 'withCommandOptions'].every(
      (name) => typeof Reflect.get(value, name) === 'function',
    );
  if (isClient) return value as RedisClient;
  throw new ConfigError(
    'client',
    'expected a client of the package redis; pass what createClient, createCluster or createSentinel gives',
  );
}
