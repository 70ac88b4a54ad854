// What a route needs, as security requirements of OpenAPI: one of them is enough, and all schemes
// of one are needed.
import { needsOf } from '../claims/compile.ts';
import { PLAIN_SCOPES, type ScopeNeed, scopesToAsk } from '../claims/scopes.ts';
import { sourcesOf } from '../decision/sources.ts';
import type { KeysetSettings } from '../keysets/options.ts';
import { bindingModes } from '../possession/create.ts';
import { type BindingName, bindingNames } from '../possession/route.ts';
import { type Asked, type Guard, type Judge, judgeOf, withRules } from './guards.ts';
import { DPOP, MUTUAL_TLS, type NamedScheme, type SchemeNames, schemesOf, unknownScheme } from './schemes.ts';
import type { SecurityRequirement } from './types.ts';

/** More choices than this are not written one by one: the description of the route has them. */
const MAX_CHOICES = 8;

/** How a document names schemes and scopes. */
export interface Writing {
  readonly names: SchemeNames;
  /** OpenAPI 3.1 and later have mutual TLS, and scopes of every scheme. */
  readonly isModern: boolean;
}

/** The requirements of a route that needs a token of each of its guards. */
export function securityOf(guards: readonly Guard[], writing: Writing): readonly SecurityRequirement[] {
  return allOf(guards.map((guard) => requirementsOf(guard.by, guard, writing)));
}

function requirementsOf(by: object, asked: Asked, writing: Writing): readonly SecurityRequirement[] {
  const sources = sourcesOf(by);
  if (sources === undefined) return requirementsOfJudge(judgeOf(by, asked), writing);
  const each = sources.parts.map(({ authenticator, claims }) =>
    requirementsOf(authenticator, withRules(asked, claims), writing),
  );
  return sources.needs === 'all' ? allOf(each) : distinct(each.flat());
}

function requirementsOfJudge(judge: Judge, writing: Writing): readonly SecurityRequirement[] {
  const { settings } = judge;
  if (settings === undefined) return distinct(written(unknownScheme(), [[]], writing));
  const keysets = settings.keysets.filter((keyset) => isWelcome(keyset, judge));
  const scopes = choicesOf(judge);
  const asBearer = settings.tokens.places.flatMap((place) => schemesOf(place, settings, keysets));
  return distinct(
    waysOf(judge).flatMap(({ byDpop, byCertificate }) =>
      written(byDpop ? [DPOP] : asBearer, scopes, writing).map((one) =>
        byCertificate && writing.isModern ? { ...one, [writing.names.nameOf(MUTUAL_TLS)]: [] } : one,
      ),
    ),
  );
}

/** True if a route accepts tokens of a keyset. One without an issuer may have any. */
function isWelcome({ issuer, tenancy }: KeysetSettings, { requires }: Asked): boolean {
  if (issuer === undefined || tenancy !== undefined) return true;
  const checks = requires.flatMap((one) => one.checks).filter(({ about }) => about === 'iss');
  return checks.every(({ judge }) => judge({ issuer, claims: { iss: issuer } }) === undefined);
}

/** How a token may be bound on a route: in plain, by DPoP, or by a certificate. */
function waysOf({ settings, requires }: Judge): readonly { byDpop: boolean; byCertificate: boolean }[] {
  const modes = bindingModes(settings?.possession);
  const needs = (name: BindingName) =>
    modes[name] === 'required' || requires.some((one) => one[name] === 'required');
  const [needsDpop, needsCertificate, needsAny] = bindingNames.map(needs);
  const ways: { byDpop: boolean; byCertificate: boolean }[] = [];
  if (!needsDpop && !needsCertificate && !needsAny) ways.push({ byDpop: false, byCertificate: false });
  else if (modes.mutualTls !== 'off' && !needsDpop) ways.push({ byDpop: false, byCertificate: true });
  if (modes.dpop !== 'off' && (needsDpop || !needsCertificate))
    ways.push({ byDpop: true, byCertificate: needsCertificate === true });
  return ways;
}

/** The sets of scopes of which one is enough. */
function choicesOf({ settings, rules }: Judge): readonly (readonly string[])[] {
  const always = settings === undefined ? [] : [settings.claims];
  const needs: readonly ScopeNeed[] = [...always, ...rules].flatMap((one) => needsOf(one, Date));
  const count = needs.reduce((product, { names, isOne }) => product * (isOne ? names.length : 1), 1);
  if (count > MAX_CHOICES || count === 0) {
    const asked = scopesToAsk(needs, settings?.scopes ?? PLAIN_SCOPES);
    return [asked?.split(' ') ?? []];
  }
  const sets = needs.reduce<readonly (readonly string[])[]>(
    (found, { names, isOne }) =>
      isOne
        ? found.flatMap((set) => names.map((name) => [...set, name]))
        : found.map((set) => [...set, ...names]),
    [[]],
  );
  return sets.map((set) => [...new Set(set)]);
}

/** In OpenAPI 3.0 only OpenID Connect has scopes; descriptions name those of the others. */
function written(
  schemes: readonly NamedScheme[],
  choices: readonly (readonly string[])[],
  { names, isModern }: Writing,
): readonly SecurityRequirement[] {
  return schemes.flatMap((one) => {
    const hasScopes = isModern || one.scheme.type === 'openIdConnect';
    return (hasScopes ? choices : [[]]).map((scopes) => ({ [names.nameOf(one)]: scopes }));
  });
}

/** One of each, together. */
function allOf(each: readonly (readonly SecurityRequirement[])[]): readonly SecurityRequirement[] {
  return distinct(
    each.reduce<readonly SecurityRequirement[]>(
      (found, more) => found.flatMap((one) => more.map((other) => together(one, other))),
      [{}],
    ),
  );
}

function together(one: SecurityRequirement, other: SecurityRequirement): SecurityRequirement {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  return Object.fromEntries(
    names.map((name) => [name, [...new Set([...(one[name] ?? []), ...(other[name] ?? [])])]]),
  );
}

function distinct(all: readonly SecurityRequirement[]): readonly SecurityRequirement[] {
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}
