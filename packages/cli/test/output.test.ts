// The output: its streams, its formats, colour and progress only on a terminal, and no control
// characters.
import { describe, expect, it } from 'vitest';
import { createOutput, formatTable, plain } from '../src/output.ts';
import { createTerminal, type TerminalOptions } from './terminal.ts';

const ESCAPE = '\u001b';

function outputOf(options: Partial<TerminalOptions> = {}) {
  const { terminal, stdout, stderr } = createTerminal({ cwd: '/', ...options });
  return { output: createOutput(terminal), stdout, stderr };
}

describe('streams', () => {
  it('a result goes to stdout, and messages go to stderr', () => {
    const { output, stdout, stderr } = outputOf();
    output.result('text', () => 'result', {});
    output.note('a note');
    output.warn('a warning');
    output.fail('a fault');
    expect(stdout()).toBe('result\n');
    expect(stderr()).toBe('a note\nwarning: a warning\nerror: a fault\n');
  });

  it('JSON is one value, and the text is not formatted', () => {
    const { output, stdout } = outputOf();
    output.result(
      'json',
      () => {
        throw new Error('not asked for');
      },
      { keys: ['a', 1, null] },
    );
    expect(JSON.parse(stdout())).toEqual({ keys: ['a', 1, null] });
  });
});

describe('colour', () => {
  it.each<[string, Partial<TerminalOptions>, boolean]>([
    ['on a terminal', { isTTY: true }, true],
    ['on a terminal with an empty NO_COLOR', { isTTY: true, env: { NO_COLOR: '' } }, true],
    ['on a terminal with NO_COLOR', { isTTY: true, env: { NO_COLOR: '1' } }, false],
    ['in a pipe', {}, false],
    ['in a pipe with FORCE_COLOR', { env: { FORCE_COLOR: '1' } }, false],
  ])('%s', (_where, options, isColoured) => {
    const { output, stdout, stderr } = outputOf(options);
    output.result('text', () => output.style('green', 'fine'), {});
    output.warn('careful');
    output.fail('no');
    expect([stdout(), stderr()].map((text) => text.includes(ESCAPE))).toEqual([isColoured, isColoured]);
  });

  it('each stream separately: stdout may be a pipe while stderr is a terminal', () => {
    const { terminal } = createTerminal({ cwd: '/' });
    const output = createOutput({ ...terminal, stderr: { isTTY: true, write: () => true } });
    expect(output.style('green', 'fine')).toBe('fine');
  });
});

describe('progress', () => {
  it('is shown on a terminal, and removed when the operation ends', async () => {
    const { output, stdout, stderr } = outputOf({ isTTY: true });
    expect(await output.waitFor('Asking the issuer', Promise.resolve(7))).toBe(7);
    expect(stderr()).toMatch(/^.*Asking the issuer …/);
    expect(stderr().endsWith(`\r${ESCAPE}[K`)).toBe(true);
    expect(stdout()).toBe('');
  });

  it('is removed also when the operation fails', async () => {
    const { output, stderr } = outputOf({ isTTY: true });
    await expect(output.waitFor('Asking', Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(stderr().endsWith(`\r${ESCAPE}[K`)).toBe(true);
  });

  it('is not shown in a pipe', async () => {
    const { output, stdout, stderr } = outputOf();
    await output.waitFor('Asking', Promise.resolve());
    expect(stdout() + stderr()).toBe('');
  });
});

describe('T-168 plain', () => {
  it.each([
    ['ESC', '\u001b[31mred', '\\u{1b}[31mred'],
    ['OSC', '\u001b]0;x\u0007', '\\u{1b}]0;x\\u{7}'],
    ['C1', '\u009b31m', '\\u{9b}31m'],
    ['bidirectional', 'a\u202eb\u2066c', 'a\\u{202e}b\\u{2066}c'],
    ['zero width', 'a\u200bb\ufeff', 'a\\u{200b}b\\u{feff}'],
    ['lines', 'a\nb\rc\u2028d\u0085', 'a\\u{a}b\\u{d}c\\u{2028}d\\u{85}'],
    ['tags beyond the BMP', '\u{e0041}', '\\u{e0041}'],
    ['lone surrogates', '\ud800', '\\u{d800}'],
  ])('escapes %s', (_what, text, expected) => {
    expect(plain(text)).toBe(expected);
  });

  it('keeps ordinary text', () => {
    const text = 'Ærøskøbing, 日本語, עברית, 👩 – "quoted" \\ https://example.com/?a=b';
    expect(plain(text)).toBe(text);
  });
});

describe('tables', () => {
  it('are as wide as their content, without trailing spaces', () => {
    const rows = [
      ['https://example.com', 'secret: a'],
      ['', 'b'],
    ];
    expect(formatTable(['ISSUER', 'SOURCE'], rows)).toBe(
      'ISSUER                SOURCE\nhttps://example.com   secret: a\n                      b',
    );
  });

  it('T-168 have one line for each row, with any content', () => {
    expect(formatTable(['A'], [['x\ny\u001b[2J']]).split('\n')).toEqual(['A', 'x\\u{a}y\\u{1b}[2J']);
  });
});
