// Text from outside: nothing in it commands a terminal, in warnings as well.
import { afterEach, expect, it, vi } from 'vitest';
import { plain, warn } from '../src/events.ts';

afterEach(() => vi.restoreAllMocks());

const evil = 'a\u001b[2K\r\n\u009b1m\u202e\u2028\ue000\ud800é漢😀';
const shown = 'a\\u{1b}[2K\\u{d}\\u{a}\\u{9b}1m\\u{202e}\\u{2028}\\u{e000}\\u{d800}é漢😀';

it('T-168: what commands a terminal is written out, and the rest stays', () => {
  expect(plain(evil)).toBe(shown);
  expect(plain(plain(evil))).toBe(shown);
});

it('T-168: a warning is one line, and commands no terminal', () => {
  const emitted = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  warn('LATCHKEY_UNSAFE', `${evil}.yaml: no audience`);
  expect(emitted.mock.calls[0]?.[0]).toBe(`${shown}.yaml: no audience`);
});
