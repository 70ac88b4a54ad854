// The access of a route: what the route requires of a request. It is checked once, like options. A
// route gives it as data in code, or by name from `routes` of the options. No path is matched here.
import { type CompiledRules, compileRules } from '../claims/compile.ts';
import { compileIssuers, type IssuerMatcher, type IssuerRule } from '../claims/issuers.ts';
import type { Rules } from '../claims/rules.ts';
import { ConfigError } from '../errors.ts';
import { checkCopy, type Marked, ofThisCopy } from '../values/copies.ts';
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

/** What happens to a request without a valid token: see `AuthenticatorOptions`. */
export type AuthenticationMode = 'strict' | 'optional' | 'permissive';

/** What a route requires. The options apply to members that are left out. */
export interface RouteAccess {
  /** The rules on the principal: 403 if one does not hold. Even empty rules require a principal. */
  readonly claims?: Rules | CompiledRules;
  /**
   * The only issuers that the route accepts; they also need keys here. 401 for all others, and for
   * a token without `iss`.
   */
  readonly issuers?: readonly IssuerRule[];
  readonly mode?: AuthenticationMode;
}

/** Checked access, made by `compileAccess`. */
export interface CompiledAccess extends Marked {
  readonly [COMPILED]: unknown;
  readonly mode: AuthenticationMode | undefined;
  readonly welcomes: IssuerMatcher | undefined;
  /** Undefined: the route has no rules, and accepts anonymous requests if the mode does. */
  readonly claims: CompiledRules | undefined;
}

/** What a named route requires of a principal. Anonymous requests are always refused there. */
export interface NamedRoute {
  /** The rules on the principal: 403 if one does not hold. */
  readonly claims?: Rules;
  /**
   * The only issuers that the route accepts; they also need keys here. 401 for all others, and for
   * a token without `iss`.
   */
  readonly issuers?: readonly IssuerRule[];
}

/** The checked named routes of an authenticator. */
export type NamedRoutes = ReadonlyMap<
  string,
  { readonly claims: CompiledRules; readonly welcomes: IssuerMatcher | undefined }
>;

const COMPILED: unique symbol = Symbol.for('@latchkey/access');

const HELP = {
  like: 'access, such as { claims, issuers, mode }',
  also: "; rules are in claims: { claims: { scope: 'read' } }",
} as const;

/**
 * Checks the access of a route. Returns compiled access as it is. Other access is checked again at
 * each call, because it may have changed: compile constant access once.
 * @throws ConfigError
 */
export function compileAccess(access: RouteAccess | CompiledAccess, path = 'access'): CompiledAccess {
  if (isCompiledAccess(access)) {
    checkCopy(access, path);
    return access;
  }
  const given = readObject(access, ['claims', 'issuers', 'mode'], path, HELP);
  const { claims } = given;
  return made({
    mode: given.mode === undefined ? undefined : mode.read(given.mode, `${path}.mode`),
    welcomes: compileIssuers(given.issuers, `${path}.issuers`),
    claims: claims === undefined ? undefined : compileRules(claims as Rules, `${path}.claims`),
  });
}

/**
 * Copies compiled access with another mode or other rules. A plain copy would not count as
 * compiled.
 */
export function accessWith(
  { mode: asked, welcomes, claims }: CompiledAccess,
  changes: Partial<Pick<CompiledAccess, 'mode' | 'claims'>>,
): CompiledAccess {
  return made({ mode: asked, welcomes, claims, ...changes });
}

function made(parts: Omit<CompiledAccess, typeof COMPILED>): CompiledAccess {
  const compiled = { ...parts, ...ofThisCopy, [COMPILED]: undefined as unknown };
  // The object itself, so that a copy with other members does not count as compiled access.
  compiled[COMPILED] = compiled;
  return Object.freeze<CompiledAccess>(compiled);
}

/** `mode`. */
export const mode: Kind<AuthenticationMode> = choice('strict', 'optional', 'permissive');

/** A list of issuers, by name or by pattern. */
export const issuers: Kind<IssuerMatcher | undefined> = {
  read: compileIssuers,
  schema: shared('issuers', {
    description: 'The only accepted issuers, by name or by pattern. They also need keys here.',
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

/** Judges a change of a list of issuers. */
export const issuersJudge = listed({ more: 'opens', given: 'closes', thing: 'issuer' });

/** The options of one named route. */
export const routeOptions = object(
  {
    claims: optional(
      {
        read(value, path) {
          // compileRules also refuses null: an empty `claims:` must not mean that the route
          // requires nothing.
          const compiled = compileRules(value as Rules, path);
          if (compiled.route !== undefined)
            throw new ConfigError(path, 'expected rules, got route(…); a route cannot refer to another one');
          return compiled;
        },
        schema: { $ref: '#/$defs/rules' },
      },
      'Rules on the token for this route. If one does not hold, the answer is 403.',
    ),
    issuers: optional(issuers, 'The only issuers that this route accepts.', issuersJudge),
  } satisfies TableOf<NamedRoute>,
  { anyOf: [{ required: ['claims'] }, { required: ['issuers'] }] },
);

/** `routes`. */
export const routes: Kind<NamedRoutes> = byName(
  refined(
    routeOptions,
    ({ claims, issuers: welcomes }, path) => {
      if (claims === undefined && welcomes === undefined)
        throw new ConfigError(path, 'expected claims or issuers, got neither');
      return Object.freeze({ claims: claims ?? compileRules({}, `${path}.claims`), welcomes });
    },
    shared('route', {
      ...routeOptions.schema,
      description: 'What one route requires, in addition to the options for all routes.',
    }),
  ),
  'expected an object: route name → { claims, issuers }',
);

/** The access of a route that requires nothing. */
export const NOTHING_ASKED: CompiledAccess = compileAccess({});

function isCompiledAccess(value: RouteAccess | CompiledAccess): value is CompiledAccess {
  return typeof value === 'object' && value !== null && COMPILED in value && value[COMPILED] === value;
}
