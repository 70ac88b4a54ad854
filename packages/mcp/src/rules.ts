// The rules of tools, resources and prompts: how they are read, and which of them an operation has
// to satisfy.
import { type CompiledRules, ConfigError, type Rules } from '@latchkey/core';
import { compileRules, readObject } from '@latchkey/core/adapter';
import type { Kind, Operation } from './operations.ts';

/** Rules by name. A key that ends with `*` is for all names that begin with the rest of it. */
export type RulesByName = { readonly [name: string]: Rules | CompiledRules };

/**
 * What a principal needs for each tool, resource and prompt. An operation is judged by the rules of
 * its exact name, or else by those of the longest key with `*` that fits, or else by none: `'*'`
 * alone is for all that no other key names.
 */
export interface OperationRules {
  /** By the name of the tool. */
  readonly tools?: RulesByName;
  /** By URI, or by the text of a URI template. */
  readonly resources?: RulesByName;
  /** By the name of the prompt. */
  readonly prompts?: RulesByName;
}

/** Finds the rules that an operation has to satisfy, all of them. */
export type RuleFinder = (operation: Operation) => readonly CompiledRules[];

const KINDS: readonly Kind[] = ['tools', 'resources', 'prompts'];
const LIKE = "rules, such as { tools: { delete_file: { scope: 'files:write' } } }";

/** Reads rules. @throws ConfigError */
export function readRules(rules: OperationRules): RuleFinder {
  const given = readObject(rules, KINDS, 'scopeChallenge', { like: LIKE });
  if (Object.keys(given).length === 0) throw new ConfigError('scopeChallenge', `expected ${LIKE}, got none`);
  const tables = new Map(KINDS.map((kind) => [kind, tableOf(given[kind], kind)]));
  return ({ kind, name }) => {
    const find = tables.get(kind);
    if (find === undefined) return [];
    const own = find(name);
    if (kind !== 'resources') return own === undefined ? [] : [own.rules];
    // The SDK finds a resource by the normal form of its URI, and other servers by the text.
    const found = [name, normalUri(name)].flatMap((each) => find(each) ?? []);
    // A handler may use only the path. The rules for that count where they are closer.
    const ofPath = find(pathUri(name));
    if (ofPath !== undefined && found.every(({ length }) => length < ofPath.length)) found.push(ofPath);
    return [...new Set(found.map((each) => each.rules))];
  };
}

/** Rules, and how many characters of a name they are for: all of them for an exact name. */
interface Found {
  readonly length: number;
  readonly rules: CompiledRules;
}

function tableOf(rules: unknown, kind: Kind): (name: string) => Found | undefined {
  const path = `scopeChallenge.${kind}`;
  const exact = new Map<string, Found>();
  const starts: (Found & { readonly start: string })[] = [];
  const known = typeof rules === 'object' && rules !== null ? Object.keys(rules) : [];
  const given = rules === undefined ? {} : readObject(rules, known, path, { like: 'rules by name' });
  for (const [key, value] of Object.entries(given)) {
    // compileRules says what is wrong with it.
    const compiled = compileRules(value as Rules, `${path}['${key}']`);
    const spellings = kind === 'resources' ? [key, normalUri(key)] : [key];
    for (const spelling of new Set(spellings)) {
      const length = spelling.length - 1;
      if (spelling.endsWith('*')) starts.push({ start: spelling.slice(0, -1), length, rules: compiled });
      else exact.set(spelling, { length: Number.POSITIVE_INFINITY, rules: compiled });
    }
  }
  starts.sort((one, other) => other.length - one.length);
  return (name) => exact.get(name) ?? starts.find(({ start }) => name.startsWith(start));
}

/** RFC 3986 §6.2.2: dot segments, upper case of schemes and needless escapes hide no resource. */
function normalUri(uri: string): string {
  if (!URL.canParse(uri)) return uri;
  return new URL(uri).href.replaceAll(/%[0-9a-f]{2}/gi, (escaped) => {
    const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
    return /[\w.~-]/.test(character) ? character : escaped.toUpperCase();
  });
}

/** The URI without query and fragment, its path with single slashes and without escapes. */
function pathUri(uri: string): string {
  if (!URL.canParse(uri)) return uri;
  const url = new URL(uri);
  url.search = '';
  url.hash = '';
  try {
    url.pathname = decodeURIComponent(url.pathname).replaceAll(/[/\\]+/g, '/');
  } catch {
    // An escape that is not UTF-8 cannot be decoded by a handler either.
  }
  return normalUri(url.href);
}
