// Linear-time patterns. The engine is RE2's, so that no pattern and no claim together can stall the
// process.
import { createRequire } from 'node:module';
import type * as re2js from 're2js';
import { ConfigError } from '../errors.ts';

/** Answers whether the whole of a string matches. Keeps no state between calls. */
export type PatternMatcher = (value: string) => boolean;

/**
 * Compiles a pattern. It matches whole strings, whether or not it is anchored.
 *
 * A string is RE2's syntax. A RegExp is read as JavaScript's, with two differences: `\s` is ASCII
 * white space, and `.` is anything but a line feed. Its flags `i`, `s` and `u` count, and `i` folds
 * ASCII letters only; `g`, `y` and `d` have no meaning for a whole match.
 * @param search whether a part of the string will do
 * @throws ConfigError for what a linear-time engine cannot do (back-references, look-around), for
 *   flags `m` and `v` and inline flags, and for escapes of a RegExp that RE2 would read as
 *   something else
 */
export function compilePattern(pattern: string | RegExp, path: string, search = false): PatternMatcher {
  const source = typeof pattern === 'string' ? pattern : pattern.source;
  const flags = typeof pattern === 'string' ? '' : pattern.flags;
  refuseDifferences(source, path);
  if (typeof pattern !== 'string') refuseForeignSyntax(pattern, path);
  const foldsCase = flags.includes('i');
  const { RE2JS } = loadEngine();
  const engineFlags = (foldsCase ? RE2JS.CASE_INSENSITIVE : 0) | (flags.includes('s') ? RE2JS.DOTALL : 0);
  const compiled = compile(
    typeof pattern === 'string' ? source : RE2JS.translateRegExp(source),
    engineFlags,
    path,
  );
  // `test` looks for a part of the string, `matches` at the whole of it.
  const matches: PatternMatcher = search
    ? (value) => compiled.test(value)
    : (value) => compiled.matches(value);
  if (!foldsCase) return matches;
  if (!isAscii(source))
    throw new ConfigError(path, 'flag i folds ASCII letters only, and the pattern has others');
  // U+017F and U+212A fold to s and k. A letter that folds to nothing stands in for them: a name
  // that only looks like another must not match it.
  return (value) => matches(value.replace(/[\u017f\u212a]/g, '\u0138'));
}

/** What would compile, and mean something else than it says. */
function refuseDifferences(source: string, path: string): void {
  const plain = source.replace(/\\\\/g, '');
  if (/\\k[<{']/.test(plain))
    throw new ConfigError(path, 'cannot be matched in linear time: a back-reference');
  // Outside of escapes and classes; `(?:`, `(?<name>` and `(?P<name>` are no flags.
  if (/\(\?[a-zA-Z-]+[:)]/.test(plain.replace(/\\./g, '').replace(/\[[^\]]*\]/g, ''))) {
    throw new ConfigError(path, 'inline flags are not supported; give a RegExp with the flag');
  }
}

/** What RE2 reads differently from JavaScript. */
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

function compile(source: string, flags: number, path: string): re2js.RE2JS {
  try {
    return loadEngine().RE2JS.compile(source, flags);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'not a pattern';
    throw new ConfigError(path, `cannot be matched in linear time: ${reason}`, { cause });
  }
}

let engine: typeof re2js | undefined;

/**
 * With the first pattern, and at once: most services have none, and would wait for it when they
 * start.
 */
function loadEngine(): typeof re2js {
  engine ??= createRequire(import.meta.url)('re2js') as typeof re2js;
  return engine;
}

function isAscii(text: string): boolean {
  return /^\p{ASCII}*$/u.test(text) && !/\\[ux]/.test(text);
}
