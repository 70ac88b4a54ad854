// The draft of a descriptor: its options, their places in the source, and notes about them.
// Rendering is in render.ts.
import { plain } from '../output.ts';
import type { SourceNode } from './source.ts';

/**
 * `safer`: the draft is stricter than the source on purpose, and the text tells how to restore the
 * old behaviour. `no-equivalent`: a descriptor cannot express the setting. `check`: the user must
 * check it, or add something.
 */
export type NoteKind = 'safer' | 'no-equivalent' | 'check';

/** A note about the result. */
export interface Note {
  /** The place in the source. */
  readonly path: string;
  readonly kind: NoteKind;
  readonly text: string;
}

/** A path in `service.jwt`. */
export type Place = readonly (string | number)[];

/** The draft of a descriptor. */
export interface Draft {
  /** The name of the service, if it is known. */
  name: string | undefined;
  /** `service.jwt`. */
  readonly jwt: Record<string, unknown>;
  /** The variables that the environment of the service must set, each with an example value. */
  readonly variables: Map<string, string>;
  readonly notes: readonly (Note & { readonly at: Place })[];
  /** The place in the source of each option, by its path as in errors of core. */
  readonly origins: ReadonlyMap<string, SourceNode>;
  /**
   * Sets an option; its members have the same place. Options keep the order in which they are set.
   */
  set(at: Place, value: unknown, from: SourceNode): void;
  /** Records the place of a part of an option. */
  comesFrom(at: Place, from: SourceNode): void;
  /**
   * Adds a note about an option or, with an empty path, about the whole. Text from the source is
   * made plain.
   */
  note(kind: NoteKind, at: Place, from: SourceNode, text: string): void;
}

/** A rule on a claim, by its path. */
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

/** Formats a path as in errors of core: `keySets[1].jwksUrl`. */
function formatPlace(at: Place): string {
  return at
    .map((name, index) => (typeof name === 'number' ? `[${name}]` : `${index === 0 ? '' : '.'}${name}`))
    .join('');
}

/** Quotes a text of the source for a sentence: plain and shortened. */
export function quoted(text: string): string {
  const shown = plain(text);
  return `"${shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}…` : shown}"`;
}

/** Adds a note for each member that was not read, because its effect is unknown. */
export function noteLeft(draft: Draft, at: Place, node: SourceNode, what: string): void {
  for (const [name, left] of node.left())
    draft.note(
      'no-equivalent',
      at,
      left,
      `${quoted(name)} is an unknown setting of ${what}; check its effect`,
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
