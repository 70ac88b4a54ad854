// Scopes: one set for each token, from all claims that providers put scopes in, and with the scopes
// that others imply. Rules on scopes are judged by this set. Challenges are made elsewhere.
import { isScopeToken } from '../challenge.ts';
import { ConfigError } from '../errors.ts';
import { isTexts, type JsonObject, own } from '../values/json.ts';
import { flag, inverse, type Judge, listed, named } from '../values/judge.ts';
import {
  boolean,
  byName,
  defaulted,
  type Kind,
  list,
  object,
  optional,
  refined,
  type TableOf,
  text,
} from '../values/option.ts';

/** How the scopes of a token are read. */
export interface ScopesOptions {
  /**
   * The scopes that a scope implies: with `{ files: ['files:read'] }`, a token with `files` also
   * has `files:read`. An implied scope may imply others. Default: none.
   */
  readonly implies?: { readonly [scope: string]: readonly string[] };
  /** The items of the claim `permissions` are scopes too, as Auth0 issues them. Default false. */
  readonly permissions?: boolean;
}

/** Checked options. */
export interface ScopeSettings {
  /** The claims whose items are scopes. */
  readonly claims: readonly string[];
  /** The scopes that a scope implies, directly or through others. */
  readonly implied: ReadonlyMap<string, ReadonlySet<string>>;
}

/** `scope` by RFC 8693 §4.2 and RFC 9068 §2.2.3; `scp` of Microsoft Entra and Okta. */
const CLAIMS: readonly string[] = ['scope', 'scp'];

/** The settings without options. */
export const PLAIN_SCOPES: ScopeSettings = Object.freeze({ claims: CLAIMS, implied: new Map() });

const scopeToken: Kind<string> = refined(text, (name, path) => {
  if (isScopeToken(name)) return name;
  throw new ConfigError(path, 'expected one scope: printable ASCII without spaces, quotes and backslashes');
});

/** A rule that excludes a scope lets less pass the more scopes a token has. */
const bothWays =
  (judge: Judge): Judge =>
  (before, after, fallback) =>
    judge(before, after, fallback).flatMap((one) => [
      one,
      { ...one, effect: inverse(one.effect), says: `for rules that exclude a scope, ${one.says}` },
    ]);

const added = listed({ more: 'opens', thing: 'implied scope' });

const implies: Kind<ScopeSettings['implied']> = {
  read(value, path) {
    const direct = byName(list(scopeToken), 'expected an object: scope → implied scopes').read(value, path);
    for (const name of direct.keys()) scopeToken.read(name, `${path}.${name}`);
    return new Map([...direct.keys()].map((name) => [name, closureOf(name, direct, path)]));
  },
  schema: { type: 'object', additionalProperties: list(text).schema },
};

/** The options of `scopes`. */
export const scopesOptions = object({
  implies: optional(
    implies,
    'The scopes that a scope implies: a token with the scope has them too.',
    bothWays(named({ added: 'opens', thing: 'scope that implies others' }, added)),
  ),
  permissions: defaulted(
    boolean,
    false,
    'Whether the items of the claim permissions are scopes too, as Auth0 issues them.',
    bothWays(flag('opens', 'permissions count as scopes')),
  ),
} satisfies TableOf<ScopesOptions>);

/** `scopes`. */
export const scopes: Kind<ScopeSettings> = {
  ...refined(
    scopesOptions,
    ({ implies: implied = new Map(), permissions }): ScopeSettings =>
      Object.freeze({ claims: permissions ? [...CLAIMS, 'permissions'] : CLAIMS, implied }),
  ),
};

/** All scopes that a scope implies. @throws ConfigError if it implies itself */
function closureOf(
  name: string,
  direct: ReadonlyMap<string, readonly string[]>,
  path: string,
): ReadonlySet<string> {
  const found = new Set<string>();
  const add = (scope: string) => {
    for (const implied of direct.get(scope) ?? []) {
      if (implied === name)
        throw new ConfigError(`${path}.${name}`, 'implies itself; remove one of the steps');
      if (found.has(implied)) continue;
      found.add(implied);
      add(implied);
    }
  };
  add(name);
  return found;
}

/** Splits a space-delimited list, at U+0020 only. */
export function splitList(items: string): readonly string[] {
  return items.split(' ').filter((item) => item !== '');
}

// Most tokens of a service have the same scopes.
let last: { readonly text: string; readonly settings: ScopeSettings; readonly found: readonly string[] } = {
  text: '',
  settings: PLAIN_SCOPES,
  found: Object.freeze([]),
};

/**
 * Returns all scopes of a token, frozen. Undefined if it has none of the claims, or if one of them
 * is malformed: see `malformedScopes`.
 */
export function scopesOf(claims: JsonObject, settings: ScopeSettings): readonly string[] | undefined {
  let single: string | undefined;
  let all: string[] | undefined;
  for (const name of settings.claims) {
    const value = own(claims, name);
    if (value === undefined || value === null) continue;
    if (typeof value === 'string' && single === undefined && all === undefined) {
      single = value;
      continue;
    }
    all ??= single === undefined ? [] : [...splitList(single)];
    if (typeof value === 'string') all.push(...splitList(value));
    else if (isTexts(value)) all.push(...value);
    else return undefined;
  }
  if (all !== undefined) return withImplied(all, settings);
  if (single === undefined) return undefined;
  if (last.text !== single || last.settings !== settings)
    last = { text: single, settings, found: withImplied(splitList(single), settings) };
  return last.found;
}

/** Returns the name of a scope claim that is neither a string nor a list of strings. */
export function malformedScopes(claims: JsonObject, settings: ScopeSettings): string | undefined {
  return settings.claims.find((name) => {
    const value = own(claims, name);
    return value !== undefined && value !== null && typeof value !== 'string' && !isTexts(value);
  });
}

function withImplied(given: readonly string[], { implied }: ScopeSettings): readonly string[] {
  const found = new Set(given);
  if (implied.size > 0)
    for (const scope of given) for (const other of implied.get(scope) ?? []) found.add(other);
  return Object.freeze([...found]);
}

/** What a rule on scopes needs. */
export interface ScopeNeed {
  readonly names: readonly string[];
  /** One of the names is enough. */
  readonly isOne: boolean;
}

/**
 * Returns the scopes to ask for, space-delimited, so that all needs are met; undefined if they name
 * none. Where one of several is enough, it is one that the token has, or else the one that implies
 * least.
 * @param held the scopes of the token
 */
export function scopesToAsk(
  needs: readonly ScopeNeed[],
  { implied }: ScopeSettings,
  held: readonly string[] = [],
): string | undefined {
  const weight = (name: string) => (held.includes(name) ? -1 : (implied.get(name)?.size ?? 0));
  const asked = needs.flatMap(({ names, isOne }) =>
    isOne ? names.toSorted((one, other) => weight(one) - weight(other)).slice(0, 1) : names,
  );
  return asked.length === 0 ? undefined : [...new Set(asked)].join(' ');
}
