// Warns if Redis is set up so that it may forget what it has been told.
import { warn } from '@latchkey/core/adapter';
import type { RedisCommands } from './client.ts';

/** What is kept in Redis, as the warnings name it. */
export type Kept = 'used proofs' | 'revocations';

const MEANING: { readonly [Name in Kept]: string } = {
  'used proofs': 'they can be used again',
  revocations: 'processes that start afterwards accept the tokens again',
};

/**
 * Gives a function that looks at the settings of a server by INFO, and warns once for each of them.
 * A user that may not send INFO is not warned.
 */
export function warnOfForgetting(kept: Kept): (redis: RedisCommands) => void {
  const warned = new Set<string>();
  const warnOnce = (when: string, fix: string) => {
    if (warned.has(when)) return;
    warned.add(when);
    warn('LATCHKEY_UNSAFE', `Redis forgets ${kept} ${when}, and ${MEANING[kept]}; ${fix}`);
  };
  return (redis) => {
    look(redis, 'memory', (field) => {
      const policy = field('maxmemory_policy');
      if (policy === undefined || policy === 'noeviction' || field('maxmemory') === '0') return;
      // A stream has no time to live, so these policies leave it alone.
      if (kept === 'revocations' && policy.startsWith('volatile-')) return;
      warnOnce(`when its memory is full (maxmemory-policy ${policy})`, 'set noeviction');
    });
    if (kept === 'used proofs') return;
    look(redis, 'persistence', (field) => {
      // While Redis loads its data, it says that nothing is appended.
      if (field('aof_enabled') !== '0' || field('loading') === '1') return;
      warnOnce('when it restarts (appendonly no)', 'set appendonly yes');
    });
  };
}

type Fields = (name: string) => string | undefined;

function look(redis: RedisCommands, section: string, judge: (field: Fields) => void): void {
  redis.info(section).then(
    (text) => {
      if (typeof text !== 'string') return;
      const lines = text.split('\r\n').map((line) => line.split(':', 2));
      judge((name) => lines.find(([key]) => key === name)?.[1]);
    },
    () => {},
  );
}
