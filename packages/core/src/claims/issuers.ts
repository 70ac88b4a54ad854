// The issuers that the options or a route accept, by name or by pattern. Which issuers have keys is
// decided elsewhere.

import { ConfigError } from '../errors.ts';
import { listed } from '../values/judge.ts';
import { type Kind, needed, object, type Schema, shared, text } from '../values/option.ts';
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
  const matchers = readList(value, (item, at) => compileName(item, at, 'an issuer'), path);
  return (issuer) => issuer !== undefined && matchers.some((matches) => matches(issuer));
}

/**
 * Compiles one name or pattern.
 * @param what what the name is of, for messages
 * @throws ConfigError
 */
export function compileName(value: unknown, path: string, what: string): (name: string) => boolean {
  if (typeof value === 'string' && value !== '') return (name) => name === value;
  if (value instanceof RegExp) return compilePattern(value, path);
  if (!isPlainObject(value)) throw new ConfigError(path, `expected ${what} or a pattern`);
  const { pattern } = readObject(value, ['pattern'], path);
  if (typeof pattern === 'string' || pattern instanceof RegExp) return compilePattern(pattern, path);
  throw new ConfigError(`${path}.pattern`, 'expected a pattern');
}

/** A list of issuers, by name or by pattern. */
export const issuers: Kind<IssuerMatcher | undefined> = {
  read: compileIssuers,
  schema: shared('issuers', {
    description: 'The only accepted issuers, by name or by pattern. They also need keys here.',
    type: 'array',
    minItems: 1,
    items: {
      anyOf: nameSchemas('The name of an issuer.', 'All issuers whose whole name matches.'),
    },
  }),
};

/** The schemas of a name, and of a pattern. */
export function nameSchemas(name: string, pattern: string): readonly Schema[] {
  const patternSchema = object({
    pattern: needed(text, 'A regular expression in the syntax of RE2, for the whole name.'),
  }).schema;
  return [
    { description: name, type: 'string', minLength: 1 },
    { ...patternSchema, description: pattern },
  ];
}

/** Judges a change of a list of issuers. */
export const issuersJudge = listed({ more: 'opens', given: 'closes', thing: 'issuer' });
