// Linear-time patterns. The engine is RE2's, so that no pattern and no claim together can stall the process.
import { RE2JS } from 're2js';
import { ConfigError } from '../errors.ts';

/** Answers whether the whole of a string matches. Keeps no state between calls. */
export type PatternMatcher = (value: string) => boolean;

/**
 * Compiles a pattern. It matches whole strings, whether or not it is anchored. A RegExp's flags `i`, `s`, `u` and `v` count;
 * `i` folds ASCII letters only; `g`, `y` and `d` have no meaning for a whole match.
 * @throws ConfigError for flag `m`, and for what a linear-time engine cannot do (back-references, look-around)
 */
export function compilePattern(pattern: string | RegExp, path: string): PatternMatcher {
  const source = typeof pattern === 'string' ? pattern : pattern.source;
  const flags = typeof pattern === 'string' ? '' : pattern.flags;
  if (flags.includes('m'))
    throw new ConfigError(path, 'flag m has no meaning where the whole string must match');
  const foldsCase = flags.includes('i');
  const compiled = compile(
    source,
    (foldsCase ? RE2JS.CASE_INSENSITIVE : 0) | (flags.includes('s') ? RE2JS.DOTALL : 0),
    path,
  );
  if (!foldsCase) return (value) => compiled.matches(value);
  // U+017F and U+212A fold to s and k: a name that only looks like another must not match it.
  return (value) => !/[\u017f\u212a]/.test(value) && compiled.matches(value);
}

function compile(source: string, flags: number, path: string): RE2JS {
  try {
    return RE2JS.compile(RE2JS.translateRegExp(source), flags);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'not a pattern';
    throw new ConfigError(path, `cannot be matched in linear time: ${reason}`, { cause });
  }
}
