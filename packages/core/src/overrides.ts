// What a route says instead of the options: checked once, like options.
import { readObject } from './checks.ts';
import { compileIssuers, type IssuerMatcher, type IssuerRule } from './claims/issuers.ts';
import { type AuthenticationMode, readMode } from './options.ts';

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
