// The text of a descriptor: a YAML or JSON file, its `service.jwt`, and the places of the options
// in the file. The options are not checked here.
import type * as yaml from 'yaml';
import { ConfigError, type FilePlace } from '../errors.ts';
import { isPlainObject, type UncheckedOptions } from '../values/readers.ts';
import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  parseDocument,
  visit,
} from './yaml.ts';

/**
 * A parsed descriptor. It is valid YAML and has the block of options, but the options are not
 * checked.
 */
export interface DescriptorDocument {
  /** The path as it was given, for messages. */
  readonly file: string;
  /** The name of the service that the descriptor describes. */
  readonly name: string | undefined;
  /** The value of `service.jwt` as plain data, without replaced variables. */
  readonly jwt: UncheckedOptions;
  /**
   * The place of an option, by its path in the block: `keySets[1].jwksUrl`. For an absent option,
   * the place of the nearest part around it.
   */
  placeOf(path: string): FilePlace;
  /** True for a member of the block without a value, which YAML reads as null. */
  isBlank(...path: readonly (string | number)[]): boolean;
  /**
   * How the text ends. `marked`: with the line `...`. `closed`: with the brace that closes its
   * first character, as JSON does. Undefined: without a mark.
   */
  readonly end: 'marked' | 'closed' | undefined;
  /** The whole text, as it was read. */
  readonly text: string;
  /** The document of the YAML library, with comments and offsets in the text. */
  readonly yaml: yaml.Document;
}

/** The path of the options. */
export const BLOCK = ['service', 'jwt'] as const;

/** A longer file is refused. */
export const MAX_DESCRIPTOR_BYTES = 512 * 1024;

/**
 * Parses the text of a descriptor: YAML 1.2, or JSON, which is YAML. One document, no repeated
 * members, and few aliases.
 * @param file for messages; it is not opened
 * @param options `mayLackBlock`: for tools that list and edit. An empty text, and one whose
 *   `service` or `service.jwt` is missing or blank, is a descriptor without options. Default false
 * @throws ConfigError with the place, for other text, or for text without `service.jwt`
 */
export function parseDescriptor(
  text: string,
  file: string,
  { mayLackBlock = false }: { readonly mayLackBlock?: boolean } = {},
): DescriptorDocument {
  const lines = new LineCounter();
  // The messages of the library may contain a part of the text, so they are not used.
  const quiet = { lineCounter: lines, logLevel: 'silent', prettyErrors: false, uniqueKeys: false } as const;
  const parsed = parseAllDocuments(text, quiet);
  const at = (offset: number): FilePlace => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const [first, another] = Array.isArray(parsed) ? parsed : [];
  // A text of comments has no document.
  const document = first ?? (mayLackBlock ? parseDocument(text, quiet) : undefined);
  const fault = document?.errors[0];
  if (fault !== undefined)
    throw new ConfigError('', `is not YAML: ${fault.code.toLowerCase().replaceAll('_', ' ')}`, {
      place: at(fault.pos[0]),
    });
  if (document === undefined || another !== undefined)
    throw new ConfigError('', 'expected one document', { place: at(another?.range[0] ?? 0) });
  const placeOf = (path: string) => at(offsetOf(document.getIn(BLOCK, true), path) ?? offsetAt(BLOCK) ?? 0);
  /** The offset of the last of these names that is present. */
  const offsetAt = (names: readonly string[]): number | undefined =>
    offsetOf(document.contents, names.join('.'));
  /**
   * The offset of a member's name, or of an item. A name may contain dots: the longest name that
   * fits is meant.
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
  /** The node itself, or the node that an alias names. */
  const meant = (node: unknown) => (isAlias(node) ? node.resolve(document) : node);
  const isBlank = (...path: readonly (string | number)[]) => {
    let node: unknown = document.contents;
    for (const name of [...BLOCK, ...path]) {
      const around = meant(node);
      node = isMap(around) || isSeq(around) ? around.get(name, true) : undefined;
    }
    const last = meant(node);
    return isScalar(last) && last.value === null && last.source === '';
  };
  const root = plainOf(document, at(0), mayLackBlock);
  const { name, service } = root;
  for (const [around, path] of [
    [root, []],
    [service, ['service']],
  ] as const) {
    const misplaced = misplacedIn(around);
    if (misplaced === undefined) continue;
    const full = [...path, misplaced];
    throw new ConfigError(full.join('.'), `has no effect here; move it into ${BLOCK.join('.')}`, {
      place: at(offsetAt(full) ?? 0),
    });
  }
  const found = isPlainObject(service) ? service.jwt : service;
  const jwt = mayLackBlock && isBlankValue(found) ? {} : found;
  if (!isPlainObject(jwt))
    throw new ConfigError(BLOCK.join('.'), 'expected the options, such as keySets', { place: placeOf('') });
  const named = typeof name === 'string' ? name : undefined;
  const isClosed = isMap(document.contents) && document.contents.flow === true;
  const end = /(?:^|\n)\.\.\.[ \t]*\r?\n?$/.test(text) ? 'marked' : isClosed ? 'closed' : undefined;
  return { file, name: named, jwt, placeOf, isBlank, end, text, yaml: document };
}

/** Options that mean nothing outside of the block: who writes them there believes in them. */
const OWN_NAMES = ['keySets', 'dpop', 'mutualTls', 'senderConstrained', 'revocation'] as const;

function misplacedIn(around: unknown): string | undefined {
  if (!isPlainObject(around)) return undefined;
  if (Object.hasOwn(around, 'profile') && around.profile === 'fapi2') return 'profile';
  return OWN_NAMES.find((name) => Object.hasOwn(around, name));
}

/** Adds the place in the file to a ConfigError. Other errors are returned unchanged. */
export function placed(error: unknown, { placeOf }: Pick<DescriptorDocument, 'placeOf'>): unknown {
  if (!(error instanceof ConfigError) || error.place !== undefined) return error;
  return new ConfigError(error.path, error.problem, { place: placeOf(error.path), cause: error.cause });
}

/** Refuses text that the library accepts, but reads differently from what is written. */
function refuseOddities(document: yaml.Document.Parsed, at: (offset: number) => FilePlace): void {
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
        if (!isScalar(key)) throw new ConfigError('', 'has a member whose name is not a text', { place });
        // ~ is an empty name, and 1e3 is 1000.
        if (key.value === null || (typeof key.value !== 'string' && String(key.value) !== key.source))
          throw new ConfigError('', 'has a member whose name is not a text; put it in quotes', { place });
        // 1 and "1" are two names to YAML, and one to everybody else.
        const name = String(key.value);
        if (names.has(name)) throw new ConfigError('', 'has the same member twice', { place });
        names.add(name);
      }
    },
  });
}

function isBlankValue(value: unknown): boolean {
  return value === undefined || value === null;
}

function plainOf(document: yaml.Document, place: FilePlace, mayBeEmpty: boolean): UncheckedOptions {
  let value: unknown;
  try {
    value = document.toJS();
    // Serialized once to find cycles: an alias may be inside its own target.
    JSON.stringify(value);
  } catch {
    throw new ConfigError('', 'has too many aliases, or one without a target or in a circle', { place });
  }
  if (mayBeEmpty && value === null) return {};
  if (!isPlainObject(value)) throw new ConfigError('', 'expected name: and service:', { place });
  return value;
}
