// Text from outside: nothing in it commands a terminal, in warnings as well.
import { afterEach, expect, it, vi } from 'vitest';
import { warn } from '../src/events.ts';
import { causeText, plain } from '../src/plain-text.ts';

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

it('a cause is one line of bounded length, without what may be secret', () => {
  const token = `eyJ${'a'.repeat(80)}.eyJ9.sig`;
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' });
  const circle = new Error('a');
  circle.cause = circle;
  expect(
    [
      new TypeError('fetch failed', { cause: refused }),
      new TypeError('fetch failed', { cause: new AggregateError([refused], '') }),
      new Error('store', { cause: new Error(`at https://ann:geheim@a.example/x?key=geheim,\n${token}`) }),
      new Error(`Headers.append: "Bearer geheim" is an invalid header value`),
      new Error('-----BEGIN PRIVATE KEY-----\ngeheim'),
      circle,
      new Error('a b '.repeat(1_000)),
      'geheim',
      undefined,
    ].map(causeText),
  ).toEqual([
    'connect ECONNREFUSED 127.0.0.1:1',
    'AggregateError: connect ECONNREFUSED 127.0.0.1:1',
    'store: at https://a.example/x …',
    'Headers.append: "…" is an invalid header value',
    '…',
    'a',
    'a b '.repeat(75),
    'an unknown error',
    'an unknown error',
  ]);
});
