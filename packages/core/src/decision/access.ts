// What a route asks of a request: checked once, like options. A route says it as data, in code or,
// by name, in the `routes` of the options. Nothing here matches a path.
import { type CompiledRules, compileRules } from '../claims/compile.ts';
import { compileIssuers, type IssuerMatcher, type IssuerRule } from '../claims/issuers.ts';
import type { Rules } from '../claims/rules.ts';
import { ConfigError } from '../errors.ts';
import { isPlainObject, readChoice, readObject } from '../values/readers.ts';

/** What happens to a request without a good token: see `AuthenticatorOptions`. */
export type AuthenticationMode = 'strict' | 'optional' | 'permissive';

/** What a route asks for. What it leaves out, the options say. */
export interface RouteAccess {
  /** What the principal must be: 403 if it is not. Even empty rules ask for a principal. */
  readonly claims?: Rules | CompiledRules | undefined;
  /** The issuers that are welcome here, in addition to having keys: 401 for all others. A token without `iss` is not. */
  readonly issuers?: readonly IssuerRule[] | undefined;
  readonly mode?: AuthenticationMode | undefined;
}

/** A route's access, ready to be asked: made by `compileAccess`. */
export interface CompiledAccess {
  readonly [COMPILED]: true;
  readonly mode: AuthenticationMode | undefined;
  readonly welcomes: IssuerMatcher | undefined;
  /** Undefined: nothing is asked, not even that there is a principal where the mode lets others in. */
  readonly claims: CompiledRules | undefined;
}

/** What a named route asks of a principal. An anonymous request is always refused there. */
export interface NamedRoute {
  /** 403 for a principal that is something else. */
  readonly claims?: Rules | undefined;
  /** The issuers that are welcome here, in addition to having keys: 401 for all others. A token without `iss` is not. */
  readonly issuers?: readonly IssuerRule[] | undefined;
}

/** The named routes of an authenticator's options, ready to be asked. */
export type NamedRoutes = ReadonlyMap<
  string,
  { readonly claims: CompiledRules; readonly welcomes: IssuerMatcher | undefined }
>;

const COMPILED: unique symbol = Symbol('compiled access');

// By the object, which frameworks hand on as it is.
const compiledAccess = new WeakMap<object, CompiledAccess>();

/**
 * Checks what a route asks, and makes it ready: once for each object. Compiled access is returned as it is.
 * @throws ConfigError
 */
export function compileAccess(access: RouteAccess | CompiledAccess, path = 'access'): CompiledAccess {
  if (isCompiledAccess(access)) return access;
  const known = compiledAccess.get(Object(access));
  if (known !== undefined) return known;
  const { claims, issuers, mode } = readObject(access, ['claims', 'issuers', 'mode'], path);
  const compiled = Object.freeze<CompiledAccess>({
    [COMPILED]: true,
    mode: readMode(mode, `${path}.mode`),
    welcomes: compileIssuers(issuers, `${path}.issuers`),
    claims: claims === undefined ? undefined : compileRules(claims as Rules, `${path}.claims`),
  });
  compiledAccess.set(access, compiled);
  return compiled;
}

/** Checks `routes`. @throws ConfigError */
export function readRoutes(value: unknown): NamedRoutes {
  if (value === undefined) return new Map();
  if (!isPlainObject(value))
    throw new ConfigError('routes', 'expected what is asked, by the name of a route');
  return new Map(
    Object.entries(value).map(([name, asked]) => {
      const path = `routes.${name}`;
      const { claims, issuers } = readObject(asked, ['claims', 'issuers'], path);
      if (claims === undefined && issuers === undefined)
        throw new ConfigError(path, 'asks nothing; expected claims or issuers');
      // `claims:` with nothing after it is null, which compileRules refuses.
      const compiled = compileRules((claims === undefined ? {} : claims) as Rules, `${path}.claims`);
      if (compiled.route !== undefined) throw new ConfigError(`${path}.claims`, 'is another route');
      return [
        name,
        Object.freeze({ claims: compiled, welcomes: compileIssuers(issuers, `${path}.issuers`) }),
      ];
    }),
  );
}

/** Reads a mode. @throws ConfigError */
export function readMode(value: unknown, path: string): AuthenticationMode | undefined {
  return readChoice(value, ['strict', 'optional', 'permissive'], path);
}

function isCompiledAccess(value: RouteAccess | CompiledAccess): value is CompiledAccess {
  return typeof value === 'object' && value !== null && COMPILED in value;
}
