// What a route says instead of the options: checked once, like options.

import { type CompiledRules, compileRules } from '../claims/compile.ts';
import { compileIssuers, type IssuerMatcher, type IssuerRule } from '../claims/issuers.ts';
import type { Rules } from '../claims/rules.ts';
import { ConfigError } from '../errors.ts';
import { isPlainObject, readObject } from '../values/readers.ts';
import type { AuthenticationMode } from './options.ts';
import { readMode } from './read-options.ts';

/** What a route may say for itself. What it does not say, the options say. */
export interface AuthenticateOverrides {
  readonly mode?: AuthenticationMode | undefined;
  /** The issuers that are welcome here, beside having keys. A token without `iss` is not. */
  readonly issuers?: readonly IssuerRule[] | undefined;
}

/** Overrides brought to life by `compileOverrides`. */
export interface CompiledOverrides {
  readonly [COMPILED]: true;
  readonly mode: AuthenticationMode | undefined;
  readonly welcomes: IssuerMatcher | undefined;
}

/** What a route asks of a request, as data: for frameworks whose routes carry some, and for descriptors. */
export interface RouteAccess extends AuthenticateOverrides {
  /** What the principal must be: 403 if it is not. Even empty rules ask for a principal. */
  readonly claims?: Rules | CompiledRules | undefined;
}

/** A route's access, ready to be asked. */
export interface CompiledAccess {
  readonly overrides: CompiledOverrides;
  /** Undefined: nothing is asked, not even that there is a principal where the mode lets others in. */
  readonly claims: CompiledRules | undefined;
}

const COMPILED: unique symbol = Symbol('compiled overrides');

/**
 * Checks overrides and makes them ready. Compiled ones are returned as they are.
 * @throws ConfigError
 */
export function compileOverrides(
  overrides: AuthenticateOverrides | CompiledOverrides = {},
  path = 'overrides',
): CompiledOverrides {
  if (typeof overrides === 'object' && overrides !== null && COMPILED in overrides) return overrides;
  const { mode, issuers } = readObject(overrides, ['mode', 'issuers'], path);
  return Object.freeze<CompiledOverrides>({
    [COMPILED]: true,
    mode: readMode(mode, `${path}.mode`),
    welcomes: compileIssuers(issuers, `${path}.issuers`),
  });
}

// By the object, which frameworks hand on as it is.
const compiledAccess = new WeakMap<object, CompiledAccess>();

/**
 * Checks what a route asks, and makes it ready: once for each object, however often it is asked.
 * @throws ConfigError
 */
export function compileAccess(access: RouteAccess, path: string): CompiledAccess {
  const given: unknown = access;
  if (!isPlainObject(given)) throw new ConfigError(path, 'expected claims, issuers or mode; or false');
  const known = compiledAccess.get(access);
  if (known !== undefined) return known;
  const { claims: rules, ...overrides } = access;
  const compiled = Object.freeze<CompiledAccess>({
    claims: rules === undefined ? undefined : compileRules(rules, `${path}.claims`),
    overrides: compileOverrides(overrides, path),
  });
  compiledAccess.set(access, compiled);
  return compiled;
}
