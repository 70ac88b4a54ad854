// A connection of an anonymous caller, which `mode: 'optional'` accepts.
import { afterEach, expect, it, vi } from 'vitest';
import { whenExpired } from '../../src/index.ts';

afterEach(() => void vi.useRealTimers());

it('has no end by a token: nothing is called, and forgetting it does nothing', () => {
  vi.useFakeTimers();
  const end = vi.fn();
  const forget = whenExpired(undefined, end);
  vi.advanceTimersByTime(100_000_000);
  forget();
  expect(end).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});
