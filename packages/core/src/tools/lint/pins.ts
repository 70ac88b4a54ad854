// What takes the place of the audience: rules that fix the client of a token. And issuers that give
// tokens to everyone, where that is what keeps strangers out.
import type { UncheckedOptions } from '../../values/readers.ts';
import { isInherited, itemsOf, keysetsOf, type LintRule, membersOf, type Part, partsIn } from './rule.ts';

/** The claims that name the client of a token: in general, of Entra version 1, and of Okta. */
const CLIENT_CLAIMS = ['client_id', 'azp', 'appid', 'cid'] as const;

/** An issuer whose tokens anyone can get. */
interface SharedIssuer {
  /** Of `issuer`; without an issuer, of `jwksUrl`. */
  readonly is: RegExp;
  /** A rule on one of these claims keeps tokens of others out. */
  readonly claims: readonly string[];
  /** The audience keeps them out, too. */
  readonly byAudience: boolean;
}

const SHARED: readonly SharedIssuer[] = [
  {
    is: /^(?:https:\/\/)?accounts\.google\.com\/?$|^https:\/\/www\.googleapis\.com\/oauth2\/v\d\/certs/,
    claims: ['aud', 'azp'],
    byAudience: true,
  },
  // With an issuer, the project is in it.
  { is: /\/securetoken@system\.gserviceaccount\.com/, claims: ['aud'], byAudience: true },
  {
    is: /^https:\/\/cloud\.google\.com\/iap$|^https:\/\/www\.gstatic\.com\/iap\//,
    claims: ['aud'],
    byAudience: true,
  },
  {
    is: /^https:\/\/login\.microsoftonline\.com\/(?:common|organizations|consumers|\{)/,
    claims: ['aud', 'azp', 'appid', 'tid'],
    byAudience: true,
  },
  // A workflow asks for its audience, so every workflow can have it.
  {
    is: /^https:\/\/token\.actions\.githubusercontent\.com(?:\/|$)/,
    claims: [
      'sub',
      'repository',
      'repository_id',
      'repository_owner',
      'repository_owner_id',
      'job_workflow_ref',
      'enterprise',
      'enterprise_id',
    ],
    byAudience: false,
  },
];

/** The rule about these issuers. */
export const sharedIssuerRule: LintRule = {
  id: 'issuer-shared',
  severity: 'error',
  message: 'anyone can get tokens of this issuer, and nothing here tells yours from others',
  fix: 'write the `audience:` of this service, or `claims:` with a rule on a claim that only your tokens have; for GitHub Actions a rule on repository or repository_owner_id, because a workflow chooses its audience',
  find: (jwt) =>
    keysetsOf(jwt).flatMap((keyset) =>
      isOpen(jwt, keyset) ? [{ path: keyset.path, about: sourceOf(keyset.value) }] : [],
    ),
};

/** True if tokens of everyone are accepted. An audience that is not set here may be in the code. */
export function isOpen(jwt: UncheckedOptions, { value }: Part): boolean {
  const shared = sharedOf(value);
  if (shared === undefined) return false;
  if ([jwt.claims, value.claims].some((rules) => pins(rules, shared.claims, true))) return false;
  return !shared.byAudience || (value.audience === undefined ? jwt.audience : value.audience) === null;
}

/** The shared issuers among the keysets without an audience of their own. */
export function sharedIn(jwt: UncheckedOptions): readonly string[] {
  return keysetsOf(jwt).flatMap(({ value }) =>
    value.audience === undefined && sharedOf(value) !== undefined ? [sourceOf(value)] : [],
  );
}

/** With `tenants`, the tokens of others are refused. */
function sharedOf(value: UncheckedOptions): SharedIssuer | undefined {
  if (value.tenants !== undefined) return undefined;
  return SHARED.find(({ is }) => is.test(sourceOf(value)));
}

function sourceOf({ issuer, jwksUrl }: UncheckedOptions): string {
  return String(issuer ?? jwksUrl ?? '');
}

/** True if the audience of the options is for tokens whose client no rule fixes. */
export function needsAudience(jwt: UncheckedOptions): boolean {
  if (!isInherited(jwt, 'audience') || pinsClient(jwt)) return false;
  const heirs = keysetsOf(jwt).filter(({ value }) => value.audience === undefined);
  const hasOthers = jwt.keys !== undefined || jwt.remote !== undefined || heirs.length === 0;
  return hasOthers || heirs.some(({ value }) => !pinsClient(jwt, value));
}

/** True if rules fix the client, for the tokens of one keyset or for all. */
export function pinsClient(jwt: UncheckedOptions, keyset: UncheckedOptions = {}): boolean {
  return [jwt.claims, keyset.claims].some((rules) => pins(rules, CLIENT_CLAIMS, false));
}

/**
 * True if rules let pass only fixed values of one of these claims.
 * @param orPattern patterns count, too, unless every text matches them
 */
function pins(rules: unknown, claims: readonly string[], orPattern: boolean): boolean {
  const fixes = (rule: unknown) => isFixed(rule) || (orPattern && isPattern(rule));
  const byName = [rules, ...itemsOf(rules)].map(membersOf);
  if (byName.some((members) => claims.some((claim) => fixes(members[claim])))) return true;
  return partsIn(rules, '').some(({ value: { name, path, rule, required, validate, value, enforce } }) => {
    if (enforce !== undefined) return false;
    const claim = name ?? (itemsOf(path).length === 1 ? itemsOf(path)[0] : undefined);
    if (!claims.some((known) => known === claim)) return false;
    return name === undefined ? fixes(rule) : required === true && validate === true && value !== undefined;
  });
}

/** True for a literal, for a list of them, and for a form that has one. */
function isFixed(rule: unknown): boolean {
  if (['string', 'number', 'boolean'].includes(typeof rule) || itemsOf(rule).length > 0) return true;
  const form = membersOf(rule);
  return ['anyOf', 'allOf', 'exactly', 'values'].some((name) => itemsOf(form[name]).length > 0);
}

function isPattern(rule: unknown): boolean {
  const { pattern, match } = membersOf(rule);
  return typeof pattern === 'string' && match === undefined && !matchesAll(pattern);
}

/** True for a pattern that every text matches. */
export function matchesAll(source: string): boolean {
  return /^\^?\(?\.[*+]\)?\$?$/.test(source);
}
