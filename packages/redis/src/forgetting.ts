// Warns if Redis is set up so that it may forget what it has been told.
import { warn } from '@latchkey/core/adapter';
import type { RedisCommands } from './client.ts';

/**
 * Gives a function that looks at the settings of a server by INFO, and warns once for each of them.
 * A user that may not send INFO is not warned.
 */
export function warnOfForgetting(): (redis: RedisCommands) => void {
  const warned = new Set<string>();
  return (redis) => {
    redis.info('memory').then(
      (text) => {
        const policy = field(text, 'maxmemory_policy');
        if (policy === undefined || policy === 'noeviction' || field(text, 'maxmemory') === '0') return;
        if (warned.has(policy)) return;
        warned.add(policy);
        warn(
          'LATCHKEY_UNSAFE',
          `Redis forgets used proofs when its memory is full, and they can be used again: its maxmemory-policy is ${policy}; set noeviction`,
        );
      },
      () => {},
    );
  };
}

/** A line `name:value` of INFO. */
function field(text: unknown, name: string): string | undefined {
  return typeof text === 'string' ? new RegExp(`^${name}:(\\S*)`, 'm').exec(text)?.[1] : undefined;
}
