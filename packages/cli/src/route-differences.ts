// Tells which named routes of a descriptor require more than the service does of every token. All
// other routes inherit the settings of the service.
import type { DescriptorDocument } from '@latchkey/core/tools';
import { plain } from './output.ts';

/** A named route, and its members that differ from the settings of the service. */
export interface RouteDifference {
  readonly name: string;
  /** Empty: the route is the same as the service. */
  readonly differs: readonly string[];
}

/** Compares the named routes with the service. */
export function routeDifferences({ jwt }: Pick<DescriptorDocument, 'jwt'>): readonly RouteDifference[] {
  const service = new Map(Object.entries(jwt));
  return membersOf(jwt.routes).map(([name, route]) => ({
    name,
    differs: membersOf(route)
      .filter(([member, value]) => !isNothing(value) && !isSame(value, service.get(member)))
      .map(([member]) => member),
  }));
}

/** One line about the routes; undefined if the descriptor names none. */
export function describeDifferences(routes: readonly RouteDifference[]): string | undefined {
  if (routes.length === 0) return undefined;
  const all = routes.map(({ name, differs }) =>
    plain(`${name} (${differs.length === 0 ? 'the same' : differs.join(', ')})`),
  );
  return `routes that differ from the service: ${all.join(', ')}; all other routes have its settings`;
}

/** True for rules that ask for nothing: `claims: {}`. */
function isNothing(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function isSame(value: unknown, other: unknown): boolean {
  return JSON.stringify(value) === JSON.stringify(other);
}

function membersOf(value: unknown): readonly (readonly [name: string, value: unknown])[] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
}
