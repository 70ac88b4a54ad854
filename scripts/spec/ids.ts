// Reads the ids of docs/spec: the lines that define them, and the names of them in tests. It does
// not read files.

/** A line that defines an id, in a document in docs/spec. */
export interface SpecLine {
  readonly id: string;
  /** False if the line says `no test`. */
  readonly isTested: boolean;
}

const LINE = /^\| ((?:AK|AG|KD|AM|OK|T)-\d+|[ADRS]\d+) \| .* \|$/;
// A0 to A5 count only before a colon, because A and a digit often mean something else.
const ID = String.raw`(?:(?:AK|AG|KD|AM|OK|T)-\d+|[DRS]\d{1,2}|A\d(?=:)|settlement \d+|row \d+)`;
const NAMED = new RegExp(String.raw`(?<![\w%.-])(${ID})(?: to (${ID}))?(?!\w)`, 'g');

/** The lines of a document that define an id, in the document's order. */
export function specLines(markdown: string): readonly SpecLine[] {
  return markdown.split('\n').flatMap((line) => {
    const id = LINE.exec(line)?.[1];
    return id === undefined ? [] : [{ id, isTested: !line.endsWith('| no test |') }];
  });
}

/** The ids that a text names, each once. `T-042 to T-045` names four, `row 156` is T-156. */
export function namedIds(text: string): ReadonlySet<string> {
  return new Set(
    [...text.matchAll(NAMED)].flatMap(([, first = '', last]) => range(idOf(first), last && idOf(last))),
  );
}

function idOf(written: string): string {
  const number = /\d+$/.exec(written)?.[0] ?? '';
  if (written.startsWith('settlement ')) return `S${number}`;
  return written.startsWith('row ') ? `T-${number.padStart(3, '0')}` : written;
}

function range(first: string, last: string | undefined): readonly string[] {
  const [prefix, from] = partsOf(first);
  const [otherPrefix, to] = partsOf(last ?? first);
  if (prefix !== otherPrefix) return [first, last ?? first];
  const width = prefix === 'T-' ? 3 : 1;
  return Array.from(
    { length: Math.max(1, to - from + 1) },
    (_, index) => `${prefix}${String(from + index).padStart(width, '0')}`,
  );
}

function partsOf(id: string): readonly [prefix: string, number: number] {
  const [, prefix = '', number = ''] = /^(\D+)(\d+)$/.exec(id) ?? [];
  return [prefix, Number(number)];
}
