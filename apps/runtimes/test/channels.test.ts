// Events of core, and the announcement of Fastify by which the plugin finds all routes, reach their
// subscribers after a garbage collection.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { RUNTIMES } from '../src/runtimes.ts';

const PROCESS = fileURLToPath(new URL('../src/channels-process.ts', import.meta.url));

describe.each(RUNTIMES)('$name', ({ program = '', args }) => {
  it.skipIf(program === '')('keeps the subscribers of channels', async () => {
    const { stdout } = await promisify(execFile)(program, [...args, PROCESS]);
    expect(JSON.parse(stdout)).toEqual([
      'latchkey:keyset:refreshed',
      'latchkey:signer:failed',
      'latchkey:descriptor:refused',
      'fastify.initialization',
    ]);
  });
});
