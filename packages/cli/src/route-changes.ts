// Saved route reports: reads them, and compares two of them. What `routes()` of an adapter returns,
// as JSON, is a report.
import type { RouteReport } from '@latchkey/core';
import { misused } from './failure.ts';

/** What one route does more or less than before. */
export interface RouteChange {
  /** `opens`: requests may pass that did not. `closes`: requests may be refused that were not. */
  readonly effect: 'opens' | 'closes' | 'changes';
  /** The method and the path. */
  readonly route: string;
  readonly message: string;
}

const REQUIREMENTS: readonly string[] = ['token', 'optional token', 'public', 'UNDECIDED'];

/** From the strictest on: how a route that everybody reaches came to be so does not matter here. */
const RANKS = { token: 0, 'optional token': 1, public: 2, UNDECIDED: 2 } as const;

/** Reads a report. @throws Failure */
export function parseRoutes(text: string, file: string): readonly RouteReport[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw misused(`${file} is not JSON; save JSON.stringify(routes(app)) there`);
  }
  if (!Array.isArray(parsed) || !parsed.every(isRoute))
    throw misused(`${file} is not a route report; save JSON.stringify(routes(app)) there`);
  return parsed;
}

function isRoute(value: unknown): value is RouteReport {
  if (typeof value !== 'object' || value === null) return false;
  const { method, path, requirement, claims, requires, reportOnly } = value as Partial<RouteReport>;
  return (
    typeof method === 'string' &&
    typeof path === 'string' &&
    REQUIREMENTS.includes(String(requirement)) &&
    isListOf(claims, (claim) => typeof claim === 'string') &&
    isListOf(requires ?? [], (part) => hasTexts(part, 'about', 'expected')) &&
    isListOf(reportOnly ?? [], (part) => hasTexts(part, 'claim'))
  );
}

function isListOf(value: unknown, is: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(is);
}

function hasTexts(value: unknown, ...names: readonly string[]): boolean {
  return names.every((name) => typeof Reflect.get(Object(value), name) === 'string');
}

/** The method and the path. */
export function nameOf({ method, path }: RouteReport): string {
  return `${method} ${path}`;
}

/** Compares two reports. Rules are compared by the claims that they name. */
export function routeChanges(
  before: readonly RouteReport[],
  after: readonly RouteReport[],
): readonly RouteChange[] {
  const [old, current] = [byName(before), byName(after)];
  const changes = [...new Set([...old.keys(), ...current.keys()])].flatMap((route) => {
    const [was, is] = [old.get(route) ?? [], current.get(route) ?? []];
    return Array.from({ length: Math.max(was.length, is.length) }, (_, index) =>
      changesOf(was[index], is[index]).map((change): RouteChange => ({ ...change, route })),
    ).flat();
  });
  const order = ['opens', 'closes', 'changes'];
  return changes.sort((one, other) => order.indexOf(one.effect) - order.indexOf(other.effect));
}

/** A framework may have several routes of one method and path: they are compared in their order. */
function byName(routes: readonly RouteReport[]): ReadonlyMap<string, readonly RouteReport[]> {
  const found = new Map<string, RouteReport[]>();
  for (const route of routes) found.set(nameOf(route), [...(found.get(nameOf(route)) ?? []), route]);
  return found;
}

type Unnamed = Omit<RouteChange, 'route'>;

function changesOf(was: RouteReport | undefined, is: RouteReport | undefined): readonly Unnamed[] {
  if (was === undefined || is === undefined) {
    const [route, word, effect] =
      is === undefined ? ([was, 'is gone', 'closes'] as const) : ([is, 'is new', 'opens'] as const);
    if (route === undefined) return [];
    // A route that needs a token opens nothing to those without one.
    const isOpening = effect === 'closes' || route.requirement !== 'token';
    return [{ effect: isOpening ? effect : 'changes', message: `${word}: ${route.requirement}` }];
  }
  return [
    ...requirementChange(was, is),
    ...listChanges('the rule on', was.claims, is.claims),
    ...listChanges('the requirement', partsOf(was), partsOf(is)),
    ...reportOnlyChanges(was, is),
  ];
}

function requirementChange(was: RouteReport, is: RouteReport): readonly Unnamed[] {
  if (was.requirement === is.requirement) return [];
  const step = RANKS[is.requirement] - RANKS[was.requirement];
  const effect = step > 0 ? 'opens' : step < 0 ? 'closes' : 'changes';
  return [{ effect, message: `${was.requirement} → ${is.requirement}` }];
}

function partsOf({ requires = [] }: RouteReport): readonly string[] {
  return requires.map(({ about, expected }) => `${about}: ${expected}`);
}

/** What is asked more closes, and what is asked less opens. */
function listChanges(thing: string, was: readonly string[], is: readonly string[]): readonly Unnamed[] {
  return [
    ...without(was, is).map((item): Unnamed => ({ effect: 'opens', message: `${thing} ${item} is gone` })),
    ...without(is, was).map((item): Unnamed => ({ effect: 'closes', message: `${thing} ${item} is new` })),
  ];
}

/** The items of a list that the other one does not have as often. */
function without(items: readonly string[], others: readonly string[]): readonly string[] {
  const left = [...others];
  return items.filter((item) => {
    const index = left.indexOf(item);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
}

/** Only of what is asked before and after: the rest is told by the lists. */
function reportOnlyChanges(was: RouteReport, is: RouteReport): readonly Unnamed[] {
  const untilOf = ({ reportOnly = [] }: RouteReport, claim: string) => {
    const part = reportOnly.find((one) => one.claim === claim);
    return part === undefined ? undefined : (part.until ?? 'always');
  };
  const claims = new Set([...(was.reportOnly ?? []), ...(is.reportOnly ?? [])].map(({ claim }) => claim));
  return [...claims].flatMap((claim): readonly Unnamed[] => {
    const [before, after] = [untilOf(was, claim), untilOf(is, claim)];
    if (before === after) return [];
    if (after === undefined) return [{ effect: 'closes', message: `${claim} is enforced` }];
    const message = `${claim} is report only${after === 'always' ? '' : ` until ${after}`}`;
    const isSooner = before === 'always' || (before !== undefined && after !== 'always' && after < before);
    return [{ effect: isSooner ? 'closes' : 'opens', message }];
  });
}
