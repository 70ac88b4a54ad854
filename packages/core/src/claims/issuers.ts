// The issuers that the options or a route accept, by name or by pattern. Which issuers have keys is
// decided elsewhere.

import { ConfigError } from '../errors.ts';
import { isPlainObject, readList, readObject } from '../values/readers.ts';
import { compilePattern } from './pattern.ts';
import type { PatternRule } from './rules.ts';

/** An issuer: exactly this name, or every name that matches as a whole. */
export type IssuerRule = string | RegExp | Pick<PatternRule, 'pattern'>;

/** True for an accepted issuer. A token without an issuer is never accepted. */
export type IssuerMatcher = (issuer: string | undefined) => boolean;

/** Compiles a list of issuers. @throws ConfigError */
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
