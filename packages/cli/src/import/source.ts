// Reads an imported file: untrusted YAML or JSON, each value with its place in the file. The
// readers of the formats interpret it.
import { LineCounter, type ParsedNode, parseAllDocuments, type Document as YamlDocument } from 'yaml';
import { misused } from '../failure.ts';
import { plain } from '../output.ts';

/** One value of the source. Absent and null are equal, as in gateways. */
export interface SourceNode {
  readonly value: unknown;
  /**
   * The path from the top: `endpoints[0].extra_config["auth/validator"].alg`. Safe for a terminal.
   */
  readonly path: string;
  /**
   * Throws a failure at this place. The text must not come from the source, unless it went through
   * `plain`.
   */
  refuse(problem: string): never;
  /** Returns a member of an object; undefined if it is absent. */
  member(name: string): SourceNode | undefined;
  /** Does the same for several spellings of a name. Refuses two of them in one object. */
  oneOf(...names: string[]): SourceNode | undefined;
  /** Returns all members of an object that are present. */
  members(): readonly (readonly [name: string, node: SourceNode])[];
  /** Returns the items of a list. */
  items(): readonly SourceNode[];
  /** Returns a string that is not empty. */
  text(): string;
  boolean(): boolean;
  /** Returns a whole number that is not negative. */
  integer(): number;
  /** Returns a list of strings; one string counts as a list of one. */
  texts(): readonly string[];
  isObject(): boolean;
  /** Returns the members of an object that were not read. */
  left(): readonly (readonly [name: string, node: SourceNode])[];
}

/** A file to import. */
export interface Source {
  /** The name that the user gave, safe for a terminal. */
  readonly name: string;
  /** The unparsed text, for formats that parse it themselves. */
  readonly text: string;
  /** The root values of its documents. */
  readonly documents: readonly SourceNode[];
}

/** The maximum bytes of a file. A configuration that a user maintains is smaller. */
export const MAX_SOURCE_BYTES: number = 2 * 1024 * 1024;
const MAX_DEPTH = 40;
const MAX_VALUES = 100_000;

type Path = readonly (string | number)[];

/**
 * Reads a source.
 * @param schema `failsafe` keeps every scalar as a string
 * @throws Failure with the place, for a file that is neither YAML nor JSON, nests too deep, repeats
 *   a member, or has a circular reference
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
    // Prints the code instead of the message, which may contain a part of the text.
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
  if (documents.length === 0) throw misused(`${called}: is empty`);
  return { name: called, text, documents };
}

/**
 * Documentation shows the members of an object without its braces, and three dots for omitted
 * parts.
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
 * Copies values to plain data: without aliases, without members that have a meaning in JavaScript,
 * and up to a maximum number.
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
    if (value instanceof Map) return refuseAt(path, 'has a member whose name is not a text');
    return Object.fromEntries(
      Object.entries(value).map(([name, member]: [string, unknown]) => {
        if (name === '__proto__') refuseAt(path, 'has a member that is called __proto__');
        return [name, copyOf(member, [...path, name], budget, refuseAt)];
      }),
    );
  }
  if (typeof value === 'number' && !Number.isFinite(value)) refuseAt(path, 'is not a number');
  return value ?? null;
}

function nodeOf(value: unknown, path: Path, refuseAt: (path: Path, problem: string) => never): SourceNode {
  const shown = formatPath(path);
  const refuse = (problem: string): never => refuseAt(path, problem);
  const asked = new Set<string>();
  // Each member has one node, so that all readers share the record of members that were read.
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
    typeof value === 'string' && value.trim() !== '' ? value : refuse('expected a string that is not empty');
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
      if (second !== undefined)
        second.refuse(`repeats ${first?.path ?? 'another'} in another spelling; keep one of them`);
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
