// The access of a route: what the route requires of a request. It is checked once, like options. A
// route gives it as data in code, or by name from `routes` of the options. No path is matched here.

import type { ActorRule } from '../claims/actors.ts';
import { type CompiledRules, compileRules, enforcedFrom } from '../claims/compile.ts';
import { ALWAYS, type Enforcement, enforcement, readEnforcement } from '../claims/enforce.ts';
import type { IssuerRule } from '../claims/issuers.ts';
import type { Rules } from '../claims/rules.ts';
import { ConfigError } from '../errors.ts';
import { checkCopy, type Marked, ofThisCopy } from '../values/copies.ts';
import type { Duration } from '../values/duration.ts';
import {
  byName,
  choice,
  type Kind,
  object,
  optional,
  readTable,
  refined,
  shared,
  type TableOf,
} from '../values/option.ts';
import { readObject } from '../values/readers.ts';
import {
  NO_REQUIREMENTS,
  type RouteRequirements,
  requirementOptions,
  requirementsOf,
} from './requirements.ts';

/** What happens to a request without a valid token: see `AuthenticatorOptions`. */
export type AuthenticationMode = 'strict' | 'optional' | 'permissive';

/** What a route may require of a token besides rules on its claims. */
export interface RequirementOptions {
  /**
   * The only issuers that the route accepts; they also need keys here. 401 for all others, and for
   * a token without `iss`.
   */
  readonly issuers?: readonly IssuerRule[];
  /**
   * The audience of the route, or several: the token must name one of them in `aud`, else 401. It
   * narrows the audience of the options, which the token must name too: a route for one of their
   * audiences, or for one that a token names next to them. With a remote endpoint, its answer has
   * to name the audience. Default: the audience of the options is enough.
   */
  readonly audience?: string | readonly string[];
  /**
   * The name of the resource of the route, in `resources` of the options. The token must name the
   * URL of this resource in `aud`, else 401, and every challenge names the metadata of this
   * resource. With a remote endpoint, its answer has to name the URL, and so has a JWT with `aud`.
   * Default: the `resource` of the options; a token that is only for a resource in `resources` is
   * then refused, also with `audience: null`. Example: `'files'`.
   */
  readonly resource?: string;
  /**
   * The only actors that may act for the subject of a token (`act`, RFC 8693 §4.1): 403 for all
   * others. A string, a RegExp or `{ pattern }` is the subject of an actor that the issuer of the
   * token has named; `{ subject, issuer }` is one that another issuer has named. A token without an
   * actor passes only where `false` is in the list: `[false, 'gateway']`. `actors: false` accepts
   * only tokens without an actor. Earlier actors, inside `act`, and `may_act` do not count. The
   * route needs a token in every mode. Default: every actor, and none.
   */
  readonly actors?: readonly ActorRule[] | false;
  /**
   * `required`: the token must be bound to a key and come with its proof (RFC 9449), else 401. It
   * tightens `dpop.mode` of the options where that is `allowed`, and the route needs a token in
   * every mode. `allowed` says that the route does what the options say: refused at start where
   * these require more. Both are refused at start where `dpop` is off. Default: what the options
   * say. Example: `'required'`.
   */
  readonly dpop?: 'required' | 'allowed';
  /**
   * `required`: the token must be bound to a certificate that the client has (RFC 8705), else 401.
   * In all else as `dpop`, for `mutualTls.mode` of the options. Example: `'required'`.
   */
  readonly mutualTls?: 'required' | 'allowed';
  /**
   * `required`: the token must be bound to a key or to a certificate, and come with its proof, else
   * 401. In all else as `dpop`, for `senderConstrained` of the options. Example: `'required'`.
   */
  readonly senderConstrained?: 'required' | 'allowed';
  /**
   * The accepted values of `acr`, the best first: how the user must have authenticated. For all
   * others, and without `acr`, the answer is a 401 `authentication_insufficient` with `acr_values`
   * in its challenge, so that the client can send the user to authenticate again (RFC 9470 §3).
   * Printable ASCII without spaces, quotes and backslashes, at most 1,000 characters with a space
   * between two. The route needs a token in every mode. Default: any. Example:
   * `['urn:example:mfa']`.
   */
  readonly acr?: readonly string[];
  /**
   * How long ago the user may have authenticated, by `auth_time`, with the `clockSkew` of the
   * options. For an older time, one in the future, and none, the answer is a 401
   * `authentication_insufficient` with `max_age` in its challenge (RFC 9470 §3). Whole seconds, 1s
   * or more. It is judged for each request. The route needs a token in every mode. Default: any
   * time. Example: `'5m'`.
   */
  readonly maxAge?: Duration;
}

/** When what a route requires is enforced. */
interface EnforcementOptions {
  /**
   * `false`: what `claims`, `actors`, `acr` and `maxAge` of the route would refuse passes, as if
   * they were not there, and is reported: `latchkey:report-only` of `diagnostics_channel`,
   * `explain`, `routes()`. With `{ from: '2026-12-31' }` they are enforced from that time on, by
   * the clock of the options; a date without a time zone is UTC. Everything else is always
   * enforced: not allowed next to `issuers`, `audience`, `resource`, `dpop`, `mutualTls` and
   * `senderConstrained`. Default: they are enforced. Example: `false`.
   */
  readonly enforce?: Enforcement;
}

/** What a route requires. The options apply to members that are left out. */
export interface RouteAccess extends RequirementOptions, EnforcementOptions {
  /** The rules on the principal: 403 if one does not hold. Empty rules require a principal too. */
  readonly claims?: Rules | CompiledRules;
  readonly mode?: AuthenticationMode;
}

/** Checked access, made by `compileAccess`. */
export interface CompiledAccess extends Marked {
  /** @internal Always there. Optional, because it is not in the published types. */
  readonly [COMPILED]?: unknown;
  readonly mode: AuthenticationMode | undefined;
  readonly requires: RouteRequirements;
  /** Undefined: the route has no rules, and accepts anonymous requests if the mode does. */
  readonly claims: CompiledRules | undefined;
}

/** What a named route requires of a principal. Anonymous requests are always refused there. */
export interface NamedRoute extends RequirementOptions, EnforcementOptions {
  /** The rules on the principal: 403 if one does not hold. */
  readonly claims?: Rules;
}

/** The checked named routes of an authenticator. */
export type NamedRoutes = ReadonlyMap<
  string,
  { readonly claims: CompiledRules; readonly requires: RouteRequirements }
>;

const COMPILED: unique symbol = Symbol.for('@latchkey/access');

const REQUIREMENTS = Object.keys(requirementOptions);

const HELP = {
  like: 'access, such as { claims, issuers, audience, mode }',
  also: "; rules are in claims: { claims: { scope: 'read' } }",
} as const;

/**
 * Checks the access of a route, for `authenticate` and `explain`. Returns compiled access as it is.
 * Other access is checked again at each call, because it may have changed: compile constant access
 * once.
 * @throws ConfigError for access that cannot be used
 * @example
 * ```ts
 * const payments = compileAccess({ claims: { scope: 'pay' }, audience: 'payments', maxAge: '5m' });
 * await authenticator.authenticate(request, payments);
 * console.log(await authenticator.explain(request, payments));
 * ```
 */
export function compileAccess(access: RouteAccess | CompiledAccess, path = 'access'): CompiledAccess {
  if (isCompiledAccess(access)) {
    checkCopy(access, path);
    return access;
  }
  const given = readObject(access, ['claims', 'mode', 'enforce', ...REQUIREMENTS], path, HELP);
  const { claims } = given;
  const fromMs = given.enforce === undefined ? ALWAYS : readEnforcement(given.enforce, `${path}.enforce`);
  if (fromMs !== ALWAYS) checkEnforcement(given, path);
  const requires = requirementsOf(readTable(requirementOptions, given, path), fromMs);
  const asked = given.mode === undefined ? undefined : mode.read(given.mode, `${path}.mode`);
  if (requires.needsToken && asked !== undefined && asked !== 'strict')
    throw new ConfigError(
      `${path}.mode`,
      'expected strict, or none: actors, dpop, mutualTls, senderConstrained, acr and maxAge need a token',
    );
  return made({
    mode: asked,
    requires,
    claims:
      claims === undefined
        ? undefined
        : enforcedFrom(compileRules(claims as Rules, `${path}.claims`), fromMs),
  });
}

/** What `enforce` is about. */
const REPORTED = ['claims', 'actors', 'acr', 'maxAge'] as const;

/**
 * Refuses `enforce` next to what is always enforced, and without anything else.
 * @throws ConfigError
 */
function checkEnforcement(given: { readonly [name: string]: unknown }, path: string): void {
  const always = REQUIREMENTS.find(
    (name) => given[name] !== undefined && !REPORTED.some((one) => one === name),
  );
  if (always !== undefined)
    throw new ConfigError(
      `${path}.enforce`,
      `is not allowed next to ${always}, which is always enforced: a token that it refuses is not for this route; write enforce next to single rules of claims`,
    );
  if (REPORTED.every((name) => given[name] === undefined))
    throw new ConfigError(`${path}.enforce`, `expected ${REPORTED.join(', ')} next to it, got none`);
}

/**
 * Copies compiled access with another mode or other rules. A plain copy would not count as
 * compiled.
 */
export function accessWith(
  { mode: asked, requires, claims }: CompiledAccess,
  changes: Partial<Pick<CompiledAccess, 'mode' | 'claims'>>,
): CompiledAccess {
  return made({ mode: asked, requires, claims, ...changes });
}

function made(parts: Omit<CompiledAccess, typeof COMPILED>): CompiledAccess {
  const strict = parts.requires.needsToken ? ({ mode: 'strict' } as const) : {};
  const compiled = { ...parts, ...strict, ...ofThisCopy, [COMPILED]: undefined as unknown };
  // The object itself, so that a copy with other members does not count as compiled access.
  compiled[COMPILED] = compiled;
  return Object.freeze<CompiledAccess>(compiled);
}

/** `mode`. */
export const mode: Kind<AuthenticationMode> = choice('strict', 'optional', 'permissive');

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
    ...requirementOptions,
    enforce: optional(
      enforcement,
      'false: what claims, actors, acr and maxAge would refuse is reported, and passes. { from: 2026-12-31 }: only before that date.',
    ),
  } satisfies TableOf<NamedRoute>,
  { anyOf: ['claims', ...REQUIREMENTS].map((name) => ({ required: [name] })) },
);

/** `routes`. */
export const routes: Kind<NamedRoutes> = byName(
  refined(
    routeOptions,
    ({ claims, enforce: fromMs = ALWAYS, ...others }, path) => {
      if (fromMs !== ALWAYS) checkEnforcement({ claims, ...others }, path);
      const requires = requirementsOf(others, fromMs);
      if (claims === undefined && requires === NO_REQUIREMENTS)
        throw new ConfigError(path, `expected ${['claims', ...REQUIREMENTS].join(' or ')}, got none`);
      return Object.freeze({
        claims: enforcedFrom(claims ?? compileRules({}, `${path}.claims`), fromMs),
        requires,
      });
    },
    shared('route', {
      ...routeOptions.schema,
      description: 'What one route requires, in addition to the options for all routes.',
    }),
  ),
  'expected an object: route name → { claims, issuers, audience, resource, actors, dpop, mutualTls, senderConstrained, acr, maxAge, enforce }',
);

/** The access of a route that requires nothing. */
export const NOTHING_ASKED: CompiledAccess = compileAccess({});

/** True for access that `compileAccess` made, and not for a copy of it. */
export function isCompiledAccess(value: unknown): value is CompiledAccess {
  return typeof value === 'object' && value !== null && COMPILED in value && value[COMPILED] === value;
}
