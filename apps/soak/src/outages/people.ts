// The people in the directory of the outages and their right groups. No lookup is made here.
import { GROUPS, group, PEOPLE, person } from '@latchkey/test-kit/directory';
import type { LdifEntry } from '@latchkey/test-kit/slapd';

/** A person with known groups. */
export interface Person {
  readonly subject: string;
  /** Sorted. */
  readonly groups: readonly string[];
}

/** Enough groups for several pages, so that a connection may end between two pages. */
const MANY = 30;

/**
 * Fifty people in groups and in nested groups; every tenth is in many groups, and every tenth in no
 * group.
 */
export const PERSONS: readonly Person[] = Array.from({ length: 50 }, (_, index) => ({
  subject: `bench-${index}`,
  groups: groupsOf(index),
}));

/** Subjects that the directory does not have. */
export const STRANGERS: readonly string[] = Array.from({ length: 10 }, (_, index) => `stranger-${index}`);

/** The entries of all people, in addition to those of the tests. */
export const PERSON_ENTRIES: readonly LdifEntry[] = [
  ...PERSONS.map(({ subject }) => person(subject)),
  ...[0, 1, 2, 3, 4].map((team) =>
    group(
      `team-${team}`,
      members((index) => index % 5 === team),
    ),
  ),
  ...[0, 1, 2].map((floor) =>
    group(
      `floor-${floor}`,
      members((index) => index % 3 === floor),
    ),
  ),
  ...[0, 1].map((division) =>
    group(
      `division-${division}`,
      [0, 1, 2, 3, 4].filter((team) => team % 2 === division).map((team) => dnOf(`team-${team}`)),
    ),
  ),
  group('bench-company', [dnOf('division-0'), dnOf('division-1')]),
  ...Array.from({ length: MANY }, (_, list) =>
    group(
      `list-${list}`,
      members((index) => index % 10 === 3),
    ),
  ),
];

function groupsOf(index: number): readonly string[] {
  if (isInNone(index)) return [];
  const team = index % 5;
  const lists = index % 10 === 3 ? Array.from({ length: MANY }, (_, list) => `list-${list}`) : [];
  return [`team-${team}`, `floor-${index % 3}`, `division-${team % 2}`, 'bench-company', ...lists].sort();
}

function isInNone(index: number): boolean {
  return index % 10 === 9;
}

function members(are: (index: number) => boolean): readonly string[] {
  return PERSONS.flatMap(({ subject }, index) =>
    are(index) && !isInNone(index) ? [`cn=${escaped(subject)},${PEOPLE}`] : [],
  );
}

function dnOf(name: string): string {
  return `cn=${escaped(name)},${GROUPS}`;
}

function escaped(name: string): string {
  return name.replaceAll('-', '\\2d');
}
