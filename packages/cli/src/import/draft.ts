// A descriptor in the making: what is said in it, where in the source that came from, and what has
// to be said about it.
import { plain } from '../output.ts';
import type { SourceNode } from './source.ts';

/**
 * `safer`: decides more strictly than the source, on purpose, and the text says how to have it as
 * it was. `no-equivalent`: the source says it, the descriptor cannot. `check`: somebody has to
 * look, or to put something in its place.
 */
export type NoteKind = 'safer' | 'no-equivalent' | 'check';

/** Something to know about the result. */
export interface Note {
  /** Where in the source. */
  readonly path: string;
  readonly kind: NoteKind;
  readonly text: string;
}

/** A way into `service.jwt`. */
export type Place = readonly (string | number)[];

/** A descriptor in the making. */
export interface Draft {
  /** What the service is called, as far as it is known. */
  name: string | undefined;
  /** `service.jwt`. */
  readonly jwt: Record<string, unknown>;
  /**
   * The variables that have to be set where the descriptor is loaded, and something that could
   * stand in each.
   */
  readonly variables: Map<string, string>;
  readonly notes: readonly (Note & { readonly at: Place })[];
  /** Where each option came from, by its path as errors of the core have it. */
  readonly origins: ReadonlyMap<string, SourceNode>;
  /**
   * Says an option; its members are from the same place. Options come in the order in which they
   * are said.
   */
  set(at: Place, value: unknown, from: SourceNode): void;
  /** Remembers where something came from that is a part of what was said. */
  comesFrom(at: Place, from: SourceNode): void;
  /**
   * Says something about an option, or with an empty place about the whole. What stands in the text
   * of the source is made plain.
   */
  note(kind: NoteKind, at: Place, from: SourceNode, text: string): void;
}

/** A rule on a claim, by the way to it. */
export interface PathRule {
  readonly path: readonly string[];
  readonly rule: unknown;
}

const MAX_SHOWN = 80;

/** Makes an empty draft. */
export function createDraft(): Draft {
  const notes: (Note & { readonly at: Place })[] = [];
  const origins = new Map<string, SourceNode>();
  const jwt: Record<string, unknown> = {};
  return {
    name: undefined,
    jwt,
    variables: new Map(),
    notes,
    origins,
    set(at, value, from) {
      put(jwt, at, value);
      origins.set(formatPlace(at), from);
    },
    comesFrom: (at, from) => void origins.set(formatPlace(at), from),
    note(kind, at, from, text) {
      notes.push({ path: from.path === '' ? '(top)' : from.path, kind, text: plain(text), at });
    },
  };
}

/** A place as errors of the core have it: `keySets[1].jwksUrl`. */
function formatPlace(at: Place): string {
  return at
    .map((name, index) => (typeof name === 'number' ? `[${name}]` : `${index === 0 ? '' : '.'}${name}`))
    .join('');
}

/** A text of the source for a sentence: plain, in quotes, and not long. */
export function quoted(text: string): string {
  const shown = plain(text);
  return `"${shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}…` : shown}"`;
}

/** The members that nobody asked for: each is said, and what they do is not known. */
export function noteLeft(draft: Draft, at: Place, node: SourceNode, what: string): void {
  for (const [name, left] of node.left())
    draft.note(
      'no-equivalent',
      at,
      left,
      `${quoted(name)} is no setting of ${what} that is known here; look at what it does`,
    );
}

function put(root: Record<string, unknown>, at: Place, value: unknown): void {
  let inside: Record<string | number, unknown> = root;
  for (const [index, name] of at.slice(0, -1).entries()) {
    if (!Object.hasOwn(inside, name)) inside[name] = typeof at[index + 1] === 'number' ? [] : {};
    const next = inside[name];
    if (typeof next !== 'object' || next === null) throw new TypeError('an option inside of a text');
    inside = next as Record<string | number, unknown>;
  }
  const last = at.at(-1);
  if (last !== undefined) inside[last] = value;
}
