import { ConfigError } from '@latchkey/core';
import { createClient } from 'redis';
import { describe, expect, it } from 'vitest';
import { createReplayStore, type RedisClient } from '../src/index.ts';

const client = createClient();

describe('what is refused at once', () => {
  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['a URL', 'redis://localhost'],
    ['the options of a client', { url: 'redis://localhost' }],
    ['a client of another package', { duplicate() {}, connect() {}, disconnect() {}, set() {} }],
  ])('%s as client', (_, value) => {
    expect(() => createReplayStore(value as RedisClient)).toThrow(
      new ConfigError(
        'client',
        'expected a client of the package redis; pass what createClient, createCluster or createSentinel gives',
      ),
    );
  });

  it.each<[string, object]>([
    ['prefix', { prefix: '' }],
    ['prefix', { prefix: 7 }],
    ['prefix', { prefix: undefined }],
    ['prefx', { prefx: 'a:' }],
  ])('%s of %o', (path, options) => {
    expect(() => createReplayStore(client, options)).toThrow(expect.objectContaining({ path }));
  });
});
