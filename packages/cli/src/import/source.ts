// What is imported, as it was written: YAML or JSON from elsewhere, read with care, each value with
// its place in the file. What it means is for the readers of each format.
import { LineCounter, type ParsedNode, parseAllDocuments, type Document as YamlDocument } from 'yaml';
import { misused } from '../failure.ts';
import { plain } from '../output.ts';

/** One value of the source. Absent and null are the same to a gateway, and here. */
export interface SourceNode {
  readonly value: unknown;
  /** From the top: `endpoints[0].extra_config["auth/validator"].alg`. Fit for a terminal. */
  readonly path: string;
  /** The text does not come from the source, or went through `plain`. */
  refuse(problem: string): never;
  /** A member that is there, of an object. */
  member(name: string): SourceNode | undefined;
  /** The same under several spellings. Refuses two of them beside each other. */
  oneOf(...names: string[]): SourceNode | undefined;
  /** All members that are there, of an object. */
  members(): readonly (readonly [name: string, node: SourceNode])[];
  /** The items of a list. */
  items(): readonly SourceNode[];
  /** A text that is not empty. */
  text(): string;
  boolean(): boolean;
  /** A whole number that is not negative. */
  integer(): number;
  /** A list of texts; one text is a list of one. */
  texts(): readonly string[];
  isObject(): boolean;
  /** The members of an object that nobody has asked for. */
  left(): readonly (readonly [name: string, node: SourceNode])[];
}

/** A file to import. */
export interface Source {
  /** As the user called it, fit for a terminal. */
  readonly name: string;
  /** As it was read: for formats with a reading of their own. */
  readonly text: string;
  /** The documents in it, each from the top. */
  readonly documents: readonly SourceNode[];
}

/** Larger files are no gateway's configuration that a person looks after. */
export const MAX_SOURCE_BYTES = 2 * 1024 * 1024;
const MAX_DEPTH = 40;
const MAX_VALUES = 100_000;

type Path = readonly (string | number)[];

/**
 * Reads a source.
 * @param schema `failsafe` leaves every scalar the text that it is
 * @throws Failure with the place, for what is neither YAML nor JSON, nests too deep, repeats a
 *   member, or leads round in a circle
 */
export function parseSource(text: string, name: string, schema: 'core' | 'failsafe' = 'core'): Source {
  const called = plain(name);
  if (Buffer.byteLength(text) > MAX_SOURCE_BYTES) throw misused(`${called}: is larger than 2 MiB`);
  const whole = wholeOf(text);
  const lines = new LineCounter();
  const placeAt = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${called}:${Math.max(1, line)}:${Math.max(1, col)}`;
  };
  const parsed = parse(whole, lines, schema, called);
  const budget = { values: MAX_VALUES };
  const documents = parsed.flatMap((document) => {
    const fault = document.errors[0];
    // The code and not the message, which may hold a part of the text.
    if (fault !== undefined)
      throw misused(
        `${placeAt(fault.pos[0])}: is not YAML or JSON: ${fault.code.toLowerCase().replaceAll('_', ' ')}`,
      );
    const refuseAt = (path: Path, problem: string): never => {
      const shown = formatPath(path);
      throw misused(
        [placeAt(offsetOf(document, path)), ...(shown === '' ? [] : [shown]), problem].join(': '),
      );
    };
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: 20 });
    } catch {
      return refuseAt([], 'has too many aliases, or one that leads nowhere');
    }
    const copy = copyOf(value, [], budget, refuseAt);
    return copy === null ? [] : [nodeOf(copy, [], refuseAt)];
  });
  if (documents.length === 0) throw misused(`${called}: there is nothing in it`);
  return { name: called, text, documents };
}

/**
 * Documentation shows the members of an object without its braces, and what is left out as three
 * dots.
 */
function wholeOf(text: string): string {
  const body = text.replace(/^\uFEFF/, '');
  return /^\s*"[^"\n]*"\s*:\s*["{[]/.test(body) ? `{${body.replace(/,?\s*(?:\.\.\.\s*)?$/, '')}}` : body;
}

function parse(
  text: string,
  lineCounter: LineCounter,
  schema: 'core' | 'failsafe',
  name: string,
): readonly YamlDocument.Parsed<ParsedNode>[] {
  try {
    const parsed = parseAllDocuments(text, { lineCounter, schema, logLevel: 'silent', prettyErrors: false });
    return Array.isArray(parsed) ? parsed : [];
  } catch {
    throw misused(`${name}: nests too deep`);
  }
}

function offsetOf(document: YamlDocument.Parsed<ParsedNode>, path: Path): number {
  for (let length = path.length; length >= 0; length--) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    const range: unknown = typeof node === 'object' && node !== null ? Reflect.get(node, 'range') : undefined;
    if (Array.isArray(range) && typeof range[0] === 'number') return range[0];
  }
  return 0;
}

/**
 * Plain data of its own: no aliases, no members with a meaning to JavaScript, and not more than can
 * be looked at.
 */
function copyOf(
  value: unknown,
  path: Path,
  budget: { values: number },
  refuseAt: (path: Path, problem: string) => never,
): unknown {
  if (path.length > MAX_DEPTH) refuseAt(path.slice(0, 3), 'nests too deep');
  if (--budget.values < 0) refuseAt([], 'holds too much');
  if (Array.isArray(value))
    return value.map((item: unknown, index) => copyOf(item, [...path, index], budget, refuseAt));
  if (typeof value === 'object' && value !== null) {
    if (value instanceof Map) return refuseAt(path, 'has a member whose name is no text');
    return Object.fromEntries(
      Object.entries(value).map(([name, member]: [string, unknown]) => {
        if (name === '__proto__') refuseAt(path, 'has a member that is called __proto__');
        return [name, copyOf(member, [...path, name], budget, refuseAt)];
      }),
    );
  }
  if (typeof value === 'number' && !Number.isFinite(value)) refuseAt(path, 'is no number');
  return value ?? null;
}

function nodeOf(value: unknown, path: Path, refuseAt: (path: Path, problem: string) => never): SourceNode {
  const shown = formatPath(path);
  const refuse = (problem: string): never => refuseAt(path, problem);
  const asked = new Set<string>();
  // One for each member, so that what has been asked for is known whoever asked.
  const known = new Map<string | number, SourceNode>();
  const child = (name: string | number, inside: unknown): SourceNode => {
    const node = known.get(name) ?? nodeOf(inside, [...path, name], refuseAt);
    known.set(name, node);
    return node;
  };
  const object = (): ReadonlyMap<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? new Map(Object.entries(value))
      : refuse('expected an object');
  const text = (): string =>
    typeof value === 'string' && value.trim() !== '' ? value : refuse('expected a text that is not empty');
  const items = (): readonly SourceNode[] =>
    Array.isArray(value)
      ? value.map((item: unknown, index) => child(index, item))
      : refuse('expected a list');
  const present = () => [...object()].filter(([, inside]) => inside !== null);
  const node: SourceNode = {
    value,
    path: shown,
    refuse,
    member(name) {
      asked.add(name);
      const inside = object().get(name);
      return inside === undefined || inside === null ? undefined : child(name, inside);
    },
    oneOf(...names) {
      const [first, second] = names.flatMap((name) => node.member(name) ?? []);
      if (second !== undefined) second.refuse(`stands beside ${first?.path ?? 'another'}, which is the same`);
      return first;
    },
    members: () =>
      present().map(([name, inside]) => {
        asked.add(name);
        return [name, child(name, inside)] as const;
      }),
    items,
    text,
    boolean: () => (typeof value === 'boolean' ? value : refuse('expected true or false')),
    integer: () =>
      typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
        ? value
        : refuse('expected a whole number'),
    texts: () => (typeof value === 'string' ? [text()] : items().map((item) => item.text())),
    isObject: () => typeof value === 'object' && value !== null && !Array.isArray(value),
    left: () =>
      present()
        .filter(([name]) => !asked.has(name))
        .map(([name, inside]) => [name, child(name, inside)] as const),
  };
  return node;
}

function formatPath(path: Path): string {
  return plain(
    path
      .map((name, index) => {
        if (typeof name === 'number') return `[${name}]`;
        if (!/^[A-Za-z_$][\w$-]*$/.test(name)) return `[${JSON.stringify(name)}]`;
        return index === 0 ? name : `.${name}`;
      })
      .join(''),
  );
}
