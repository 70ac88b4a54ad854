// Which issuers are welcome, beside the question of whose keys are known: by name, or by pattern.

import { ConfigError } from '../errors.ts';
import { isPlainObject, readList, readObject } from '../values/readers.ts';
import { compilePattern } from './pattern.ts';
import type { PatternRule } from './rules.ts';

/** An issuer: exactly this one, or those whose whole name matches. */
export type IssuerRule = string | RegExp | Pick<PatternRule, 'pattern'>;

/** Answers whether an issuer is welcome. A token without one never is. */
export type IssuerMatcher = (issuer: string | undefined) => boolean;

/** Checks a list of issuers. @throws ConfigError */
export function compileIssuers(value: unknown, path: string): IssuerMatcher | undefined {
  if (value === undefined) return undefined;
  const matchers = readList(value, compileIssuer, path);
  return (issuer) => issuer !== undefined && matchers.some((matches) => matches(issuer));
}

function compileIssuer(value: unknown, path: string): (issuer: string) => boolean {
  if (typeof value === 'string' && value !== '') return (issuer) => issuer === value;
  if (value instanceof RegExp) return compilePattern(value, path);
  if (!isPlainObject(value)) throw new ConfigError(path, 'expected an issuer or a pattern');
  const { pattern } = readObject(value, ['pattern'], path);
  if (typeof pattern === 'string' || pattern instanceof RegExp) return compilePattern(pattern, path);
  throw new ConfigError(`${path}.pattern`, 'expected a pattern');
}
