// What the library tells a process: events on diagnostics channels, and warnings.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { LatchkeyEvents } from '../../src/events.ts';

/** The next event of a name, or the last of so many. */
export function nextEvent<Name extends keyof LatchkeyEvents>(
  name: Name,
  times = 1,
): Promise<LatchkeyEvents[Name]> {
  return new Promise((resolve) => {
    let seen = 0;
    const listener = (event: unknown) => {
      if (++seen < times) return;
      unsubscribe(name, listener);
      resolve(event as LatchkeyEvents[Name]);
    };
    subscribe(name, listener);
  });
}

/** All events of a name from here to the end of the test: a list that grows. */
export function eventsOf<Name extends keyof LatchkeyEvents>(name: Name): LatchkeyEvents[Name][] {
  const events: LatchkeyEvents[Name][] = [];
  const listener = (event: unknown) => events.push(event as LatchkeyEvents[Name]);
  subscribe(name, listener);
  onTestFinished(() => void unsubscribe(name, listener));
  return events;
}

/** The warnings of this library that an action causes, each as `NAME CODE: message`. */
export async function warningsOf(action: () => unknown): Promise<readonly string[]> {
  const warnings: string[] = [];
  const listener = (warning: Error & { readonly code?: string }) =>
    warnings.push(`${warning.name} ${warning.code}: ${warning.message}`);
  // Node emits a warning in the next turn: first those from before, then those of the action.
  await nextTurn();
  process.on('warning', listener);
  try {
    await action();
    await nextTurn();
  } finally {
    process.off('warning', listener);
  }
  return warnings.filter((text) => text.includes('LATCHKEY'));
}
