// `routes` of the options: what a route asks of a principal, by a name that code refers to. Which request is on which route is the
// framework's to know: nothing here matches a path.

import { type CompiledRules, compileRules } from '../claims/compile.ts';
import { compileIssuers, type IssuerMatcher, type IssuerRule } from '../claims/issuers.ts';
import type { Rules } from '../claims/rules.ts';
import { ConfigError } from '../errors.ts';
import { isPlainObject, readObject } from '../values/readers.ts';

/** What a named route asks of a principal. That nobody is anonymous there goes without saying. */
export interface NamedRoute {
  /** 403 for a principal that is something else. */
  readonly claims?: Rules | undefined;
  /** The issuers that are welcome here, beside having keys: 401 for all others. A token without `iss` is not. */
  readonly issuers?: readonly IssuerRule[] | undefined;
}

/** The named routes of an authenticator's options, ready to be asked. */
export type NamedRoutes = ReadonlyMap<
  string,
  { readonly claims: CompiledRules; readonly welcomes: IssuerMatcher | undefined }
>;

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
      // What is no rule is refused in there, null too: `claims:` with nothing after it is no leave to ask nothing.
      const compiled = compileRules((claims === undefined ? {} : claims) as Rules, `${path}.claims`);
      if (compiled.route !== undefined) throw new ConfigError(`${path}.claims`, 'is another route');
      return [
        name,
        Object.freeze({ claims: compiled, welcomes: compileIssuers(issuers, `${path}.issuers`) }),
      ];
    }),
  );
}
