// What a route asks of a request: checked once, like options. A route says it as data, in code or,
// by name, in the `routes` of the options. Nothing here matches a path.
import { type CompiledRules, compileRules } from '../claims/compile.ts';
import { compileIssuers, type IssuerMatcher, type IssuerRule } from '../claims/issuers.ts';
import type { Rules } from '../claims/rules.ts';
import { ConfigError } from '../errors.ts';
import { listed } from '../values/judge.ts';
import {
  byName,
  choice,
  type Kind,
  needed,
  object,
  optional,
  refined,
  shared,
  type TableOf,
  text,
} from '../values/option.ts';
import { readObject } from '../values/readers.ts';

/** What happens to a request without a good token: see `AuthenticatorOptions`. */
export type AuthenticationMode = 'strict' | 'optional' | 'permissive';

/** What a route asks for. What it leaves out, the options say. */
export interface RouteAccess {
  /** What the principal must be: 403 if it is not. Even empty rules ask for a principal. */
  readonly claims?: Rules | CompiledRules;
  /**
   * The issuers that are welcome here, in addition to having keys: 401 for all others. A token
   * without `iss` is not.
   */
  readonly issuers?: readonly IssuerRule[];
  readonly mode?: AuthenticationMode;
}

/** A route's access, ready to be asked: made by `compileAccess`. */
export interface CompiledAccess {
  readonly [COMPILED]: unknown;
  readonly mode: AuthenticationMode | undefined;
  readonly welcomes: IssuerMatcher | undefined;
  /**
   * Undefined: nothing is asked, not even that there is a principal where the mode lets others in.
   */
  readonly claims: CompiledRules | undefined;
}

/** What a named route asks of a principal. An anonymous request is always refused there. */
export interface NamedRoute {
  /** 403 for a principal that is something else. */
  readonly claims?: Rules;
  /**
   * The issuers that are welcome here, in addition to having keys: 401 for all others. A token
   * without `iss` is not.
   */
  readonly issuers?: readonly IssuerRule[];
}

/** The named routes of an authenticator's options, ready to be asked. */
export type NamedRoutes = ReadonlyMap<
  string,
  { readonly claims: CompiledRules; readonly welcomes: IssuerMatcher | undefined }
>;

const COMPILED: unique symbol = Symbol('compiled access');

/**
 * Checks what a route asks, and makes it ready. Compiled access is returned as it is; what is not
 * compiled is read anew at each call, since it may have changed. Compile it once where it is
 * constant.
 * @throws ConfigError
 */
export function compileAccess(access: RouteAccess | CompiledAccess, path = 'access'): CompiledAccess {
  if (isCompiledAccess(access)) return access;
  const given = readObject(access, ['claims', 'issuers', 'mode'], path);
  const { claims } = given;
  return made({
    mode: given.mode === undefined ? undefined : mode.read(given.mode, `${path}.mode`),
    welcomes: compileIssuers(given.issuers, `${path}.issuers`),
    claims: claims === undefined ? undefined : compileRules(claims as Rules, `${path}.claims`),
  });
}

/**
 * The same access with another mode, or other rules. A copy with other members would be refused.
 */
export function accessWith(
  { mode: asked, welcomes, claims }: CompiledAccess,
  changes: Partial<Pick<CompiledAccess, 'mode' | 'claims'>>,
): CompiledAccess {
  return made({ mode: asked, welcomes, claims, ...changes });
}

function made(parts: Omit<CompiledAccess, typeof COMPILED>): CompiledAccess {
  const compiled = { ...parts, [COMPILED]: undefined as unknown };
  // The object itself: a copy that something was added to is not compiled access.
  compiled[COMPILED] = compiled;
  return Object.freeze<CompiledAccess>(compiled);
}

/** `mode`. */
export const mode: Kind<AuthenticationMode> = choice('strict', 'optional', 'permissive');

/** A list of issuers, by name or by pattern. */
export const issuers: Kind<IssuerMatcher | undefined> = {
  read: compileIssuers,
  schema: shared('issuers', {
    description: 'The only issuers that are welcome, by name or by pattern, besides having keys here.',
    type: 'array',
    minItems: 1,
    items: {
      anyOf: [
        { description: 'The name of an issuer.', type: 'string', minLength: 1 },
        {
          ...object({
            pattern: needed(text, 'A regular expression in the syntax of RE2, for the whole name.'),
          }).schema,
          description: 'All issuers whose whole name matches.',
        },
      ],
    },
  }),
};

/** What a change of a list of issuers does. */
export const issuersJudge = listed({ more: 'opens', given: 'closes', thing: 'issuer' });

/** The options of one named route. */
export const routeOptions = object(
  {
    claims: optional(
      {
        read(value, path) {
          // What is not a rule is refused here, null too: an empty `claims:` must not mean that
          // nothing is asked.
          const compiled = compileRules(value as Rules, path);
          if (compiled.route !== undefined) throw new ConfigError(path, 'is another route');
          return compiled;
        },
        schema: { $ref: '#/$defs/rules' },
      },
      'What a token has to say here. If it does not, the answer is 403.',
    ),
    issuers: optional(issuers, 'The only issuers that are welcome here.', issuersJudge),
  } satisfies TableOf<NamedRoute>,
  { anyOf: [{ required: ['claims'] }, { required: ['issuers'] }] },
);

/** `routes`. */
export const routes: Kind<NamedRoutes> = byName(
  refined(
    routeOptions,
    ({ claims, issuers: welcomes }, path) => {
      if (claims === undefined && welcomes === undefined)
        throw new ConfigError(path, 'asks nothing; expected claims or issuers');
      return Object.freeze({ claims: claims ?? compileRules({}, `${path}.claims`), welcomes });
    },
    shared('route', { ...routeOptions.schema, description: 'What one route asks, beyond what all do.' }),
  ),
  'expected what is asked, by the name of a route',
);

/** What a route asks that says nothing. */
export const NOTHING_ASKED: CompiledAccess = compileAccess({});

function isCompiledAccess(value: RouteAccess | CompiledAccess): value is CompiledAccess {
  return typeof value === 'object' && value !== null && COMPILED in value && value[COMPILED] === value;
}
