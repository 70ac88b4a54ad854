// A descriptor as it is written: a YAML or JSON file, its `service.jwt`, and where in the file each
// thing stands. What it means is not read here.
import { createRequire } from 'node:module';
import type * as yaml from 'yaml';
import { ConfigError, type FilePlace } from '../errors.ts';
import { isPlainObject, type UncheckedOptions } from '../values/readers.ts';

/**
 * A descriptor that could be read. Nothing in it has been checked but that it is YAML, and has the
 * block.
 */
export interface DescriptorDocument {
  /** As it was given: for messages. */
  readonly file: string;
  /** The service that it says it describes. */
  readonly name: string | undefined;
  /** What stands at `service.jwt`, as plain data: no variable has been put in. */
  readonly jwt: UncheckedOptions;
  /**
   * Where an option stands, by its path in the block: `keySets[1].jwksUrl`. Where it does not
   * stand: what is around it.
   */
  placeOf(path: string): FilePlace;
  /** True for a member of the block with nothing after its name, which YAML has for null. */
  isBlank(name: string): boolean;
  /**
   * `marked`: the text ends with the line `...`. `closed`: with the brace of its first character,
   * as JSON does. Undefined: anywhere.
   */
  readonly end: 'marked' | 'closed' | undefined;
  /** The whole text, as it was read. */
  readonly text: string;
  /**
   * The document as the YAML library has it, with its comments and where they stand in the text.
   */
  readonly yaml: yaml.Document;
}

/** Where the options are. */
export const BLOCK = ['service', 'jwt'] as const;

/** Longer files are no descriptor. */
export const MAX_DESCRIPTOR_BYTES = 512 * 1024;

/**
 * Reads a descriptor's text. YAML 1.2, or JSON, which is YAML; one document, no member twice, and
 * few aliases.
 * @param file for messages: it is not opened
 * @throws ConfigError with the place, for what is no such text, or has no `service.jwt`
 */
export function parseDescriptor(text: string, file: string): DescriptorDocument {
  const { LineCounter, parseAllDocuments, isAlias, isMap, isNode, isScalar, isSeq } = loadYaml();
  const lines = new LineCounter();
  // Silent and plain: what the library says of a fault may hold a part of the text.
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    logLevel: 'silent',
    prettyErrors: false,
    uniqueKeys: false,
  });
  const at = (offset: number): FilePlace => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const [document, another] = Array.isArray(parsed) ? parsed : [];
  const fault = document?.errors[0];
  if (fault !== undefined)
    throw new ConfigError('', `is not YAML: ${fault.code.toLowerCase().replaceAll('_', ' ')}`, {
      place: at(fault.pos[0]),
    });
  if (document === undefined || another !== undefined)
    throw new ConfigError('', 'expected one document', { place: at(another?.range[0] ?? 0) });
  const placeOf = (path: string) => at(offsetOf(document.getIn(BLOCK, true), path) ?? offsetAt(BLOCK) ?? 0);
  /** Where the last of these names stands that there is. */
  const offsetAt = (names: readonly string[]): number | undefined =>
    offsetOf(document.contents, names.join('.'));
  /**
   * Of a member its name, of an item itself. A name may have dots in it: of those that fit, the
   * longest is meant.
   */
  function offsetOf(around: unknown, path: string): number | undefined {
    const rest = path.replace(/^\./, '');
    if (isSeq(around)) {
      const [written = '', index = ''] = /^\[(\d+)\]/.exec(rest) ?? [];
      const item = around.items[Number(index)];
      if (written === '' || !isNode(item)) return undefined;
      return offsetOf(item, rest.slice(written.length)) ?? item.range?.[0];
    }
    if (!isMap(around) || rest === '') return undefined;
    const named = around.items
      .map(({ key, value }) => ({ key, value, name: isScalar(key) ? String(key.value) : '' }))
      .filter(({ name }) => rest === name || rest.startsWith(`${name}.`) || rest.startsWith(`${name}[`))
      .sort((one, other) => other.name.length - one.name.length)[0];
    if (named === undefined || !isNode(named.key)) return undefined;
    return offsetOf(named.value, rest.slice(named.name.length)) ?? named.key.range?.[0];
  }
  refuseOddities(document, at);
  /** What is meant by a node: what an alias stands for. */
  const meant = (node: unknown) => (isAlias(node) ? node.resolve(document) : node);
  const isBlank = (member: string) => {
    let node: unknown = document.contents;
    for (const name of [...BLOCK, member]) {
      const around = meant(node);
      node = isMap(around) ? around.get(name, true) : undefined;
    }
    const last = meant(node);
    return isScalar(last) && last.value === null && last.source === '';
  };
  const { name, service } = plainOf(document, at(0));
  const jwt = isPlainObject(service) ? service.jwt : undefined;
  if (!isPlainObject(jwt))
    throw new ConfigError(BLOCK.join('.'), 'expected the options, such as keySets', { place: placeOf('') });
  const named = typeof name === 'string' ? name : undefined;
  const isClosed = isMap(document.contents) && document.contents.flow === true;
  const end = /(?:^|\n)\.\.\.[ \t]*\r?\n?$/.test(text) ? 'marked' : isClosed ? 'closed' : undefined;
  return { file, name: named, jwt, placeOf, isBlank, end, text, yaml: document };
}

/** The same fault, at its place in the file. What is no fault of the options passes as it is. */
export function placed(error: unknown, { placeOf }: Pick<DescriptorDocument, 'placeOf'>): unknown {
  if (!(error instanceof ConfigError) || error.place !== undefined) return error;
  return new ConfigError(error.path, error.problem, { place: placeOf(error.path), cause: error.cause });
}

/** What the library takes, and reads otherwise than it is written. */
function refuseOddities(document: yaml.Document.Parsed, at: (offset: number) => FilePlace): void {
  const { isScalar, visit } = loadYaml();
  const odd = document.warnings[0];
  if (odd !== undefined)
    throw new ConfigError('', `is not plain YAML: ${odd.code.toLowerCase().replaceAll('_', ' ')}`, {
      place: at(odd.pos[0]),
    });
  // YAML 1.1 has merge keys, takes no for false, and 1:30 for 90.
  if (document.directives.yaml.version !== '1.2')
    throw new ConfigError('', 'expected YAML 1.2; leave the %YAML directive out', { place: at(0) });
  visit(document, {
    Map(_key, { items, range }) {
      const names = new Set<string>();
      for (const { key } of items) {
        const place = at((isScalar(key) ? key.range?.[0] : range?.[0]) ?? 0);
        if (!isScalar(key)) throw new ConfigError('', 'has a member whose name is no text', { place });
        // ~ is an empty name, and 1e3 is 1000.
        if (key.value === null || (typeof key.value !== 'string' && String(key.value) !== key.source))
          throw new ConfigError('', 'has a member whose name is no text; put it in quotes', { place });
        // 1 and "1" are two names to YAML, and one to everybody else.
        const name = String(key.value);
        if (names.has(name)) throw new ConfigError('', 'has a member twice', { place });
        names.add(name);
      }
    },
  });
}

function plainOf(document: yaml.Document, place: FilePlace): UncheckedOptions {
  let value: unknown;
  try {
    value = document.toJS();
    // Walked once: an alias of what it stands in has no end.
    JSON.stringify(value);
  } catch {
    throw new ConfigError('', 'has too many aliases, or one that leads nowhere or in a circle', { place });
  }
  if (!isPlainObject(value)) throw new ConfigError('', 'expected name: and service:', { place });
  return value;
}

/**
 * When the first descriptor is read, and at once: most services have none, and none is to be read
 * later than it is asked for.
 */
export function loadYaml(): typeof yaml {
  return createRequire(import.meta.url)('yaml');
}
