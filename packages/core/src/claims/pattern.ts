// Patterns that match in linear time. The engine is RE2, so that no pattern and no claim can block
// the process.
import { RE2JS } from 're2js';
import { ConfigError } from '../errors.ts';

/**
 * The largest program of a pattern, in instructions of RE2. Each character of a claim can take a
 * step for each of them: with this many, nearly all patterns take less than 10 ms on 1,024.
 */
const MAX_INSTRUCTIONS = 100;

/** True if the whole string matches. Keeps no state between calls. */
export type PatternMatcher = (value: string) => boolean;

/**
 * Compiles a pattern. It matches whole strings, whether or not it is anchored.
 *
 * A string has the syntax of RE2. A RegExp is read as JavaScript reads it, with two differences:
 * `\s` is ASCII white space, and `.` is anything but a line feed. The flags `i`, `s` and `u` are
 * supported, and `i` folds ASCII letters only; `g`, `y` and `d` have no meaning for a whole match.
 * @param search true: it is enough that a part of the string matches
 * @throws ConfigError for features that a linear-time engine does not have (back-references,
 *   look-around), for a pattern that could take long on a long text, for the flags `m` and `v` and
 *   inline flags, and for escapes of a RegExp that RE2 would read differently
 */
export function compilePattern(pattern: string | RegExp, path: string, search = false): PatternMatcher {
  const source = typeof pattern === 'string' ? pattern : pattern.source;
  const flags = typeof pattern === 'string' ? '' : pattern.flags;
  refuseDifferences(source, path);
  if (typeof pattern !== 'string') refuseForeignSyntax(pattern, path);
  const foldsCase = flags.includes('i');
  const engineFlags = (foldsCase ? RE2JS.CASE_INSENSITIVE : 0) | (flags.includes('s') ? RE2JS.DOTALL : 0);
  const compiled = compile(
    typeof pattern === 'string' ? source : RE2JS.translateRegExp(source),
    engineFlags,
    path,
  );
  const size = compiled.programSize();
  if (size > MAX_INSTRUCTIONS) {
    throw new ConfigError(
      path,
      `is too large: ${size} instructions, at most ${MAX_INSTRUCTIONS}; ` +
        'write + or * where it repeats up to a count, such as {1,64}, or write several patterns',
    );
  }
  // `test` accepts a match of a part of the string, `matches` only of the whole.
  const matches: PatternMatcher = search
    ? (value) => compiled.test(value)
    : (value) => compiled.matches(value);
  if (!foldsCase) return matches;
  if (!isAscii(source))
    throw new ConfigError(path, 'flag i folds ASCII letters only, and the pattern has others');
  // U+017F and U+212A fold to s and k. They are replaced by a letter that folds to no other, so
  // that a name that only looks like another name does not match.
  return (value) => matches(value.replace(/[\u017f\u212a]/g, '\u0138'));
}

/** Refuses patterns that would compile with another meaning than the written one. */
function refuseDifferences(source: string, path: string): void {
  const plain = source.replace(/\\\\/g, '');
  if (/\\k[<{']/.test(plain))
    throw new ConfigError(path, 'cannot be matched in linear time: a back-reference');
  // Outside of escapes and classes; `(?:`, `(?<name>` and `(?P<name>` are not flags.
  if (/\(\?[a-zA-Z-]+[:)]/.test(plain.replace(/\\./g, '').replace(/\[[^\]]*\]/g, ''))) {
    throw new ConfigError(path, 'inline flags are not supported; give a RegExp with the flag');
  }
}

/** Refuses syntax that RE2 reads differently from JavaScript. */
function refuseForeignSyntax({ source, flags }: RegExp, path: string): void {
  for (const [flag, reason] of [
    ['m', 'flag m has no meaning where the whole string must match'],
    ['v', 'flag v is not supported'],
  ] as const) {
    if (flags.includes(flag)) throw new ConfigError(path, reason);
  }
  if (source.includes('[[:')) throw new ConfigError(path, '[[: is a class in RE2; escape the second bracket');
  for (const [written, letter] of source.matchAll(/\\(\\|[a-zA-Z]\{?)/g)) {
    if (
      /^(?:\\|[bBdDfnrstSvwWxu]\{?)$/.test(letter ?? '') ||
      (/^[pP]\{$/.test(letter ?? '') && flags.includes('u'))
    )
      continue;
    throw new ConfigError(path, `${written} means something else in RE2`);
  }
}

function compile(source: string, flags: number, path: string): RE2JS {
  try {
    return RE2JS.compile(source, flags);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'not a pattern';
    const isLookAround = /\(\?<?[=!]/.test(source);
    const fix = isLookAround ? '; patterns have no look-around: write noneOf, or a pattern without it' : '';
    throw new ConfigError(path, `cannot be matched in linear time: ${reason}${fix}`, { cause });
  }
}

function isAscii(text: string): boolean {
  return /^\p{ASCII}*$/u.test(text) && !/\\[ux]/.test(text);
}
