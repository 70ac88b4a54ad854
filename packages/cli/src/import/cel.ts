// Parses the CEL expressions over a token that rules can express: a claim that is equal to a value,
// in a list, or present; several joined by &&. Other expressions are left to the user.
import type { PathRule } from './draft.ts';

type Literal = string | number | boolean;

/** A condition on one claim. */
export interface Condition {
  readonly path: readonly string[];
  /** The claim has one of these values; undefined: it is present. */
  readonly values: readonly Literal[] | undefined;
  /** The claim is a list that contains the value. */
  readonly inList: boolean;
}

const PATH = String.raw`jwt((?:\.[A-Za-z_]\w*|\["[^"\\]*"\]|\['[^'\\]*'\])+)`;
const LITERAL = String.raw`("[^"\\]*"|'[^'\\]*'|-?\d{1,15}|true|false)`;
const FORMS: readonly (readonly [pattern: RegExp, read: (parts: readonly string[]) => Condition])[] = [
  [new RegExp(`^${PATH}\\s*==\\s*${LITERAL}$`), ([path = '', value = '']) => equal(path, [value])],
  [new RegExp(`^${LITERAL}\\s*==\\s*${PATH}$`), ([value = '', path = '']) => equal(path, [value])],
  [
    new RegExp(`^${LITERAL}\\s+in\\s+${PATH}$`),
    ([value = '', path = '']) => ({ ...equal(path, [value]), inList: true }),
  ],
  [
    new RegExp(`^${PATH}\\s+in\\s+\\[\\s*(${LITERAL}(?:\\s*,\\s*${LITERAL})*)\\s*\\]$`),
    ([path = '', list = '']) =>
      equal(
        path,
        [...list.matchAll(new RegExp(LITERAL, 'g'))].map(([item]) => item),
      ),
  ],
  [
    new RegExp(`^has\\(\\s*${PATH}\\s*\\)$`),
    ([path = '']) => ({ path: namesIn(path), values: undefined, inList: false }),
  ],
];
const MAX_LENGTH = 2_000;

/** Reads an expression as conditions that must all hold; undefined if rules cannot express it. */
export function readCel(expression: string): readonly Condition[] | undefined {
  if (expression.length > MAX_LENGTH) return undefined;
  const conditions = splitAnd(expression.trim()).map(readTerm);
  return conditions.every((condition) => condition !== undefined) ? conditions : undefined;
}

/** Returns the rule for a condition. */
export function ruleOf({ path, values, inList }: Condition): PathRule {
  if (values === undefined) return { path, rule: { present: true } };
  return { path, rule: inList ? { allOf: values } : { anyOf: values } };
}

function readTerm(term: string): Condition | undefined {
  for (const [pattern, read] of FORMS) {
    const found = pattern.exec(term);
    if (found !== null) return read(found.slice(1));
  }
  return undefined;
}

/** Splits at && outside of quotes. */
function splitAnd(expression: string): readonly string[] {
  const terms: string[] = [''];
  for (const [part] of expression.matchAll(/"[^"]*"|'[^']*'|&&|[^"'&]+|[\s\S]/g)) {
    if (part === '&&') terms.push('');
    else terms.push(`${terms.pop() ?? ''}${part}`);
  }
  return terms.map((term) => term.trim());
}

function equal(path: string, values: readonly string[]): Condition {
  return { path: namesIn(path), values: values.map(readLiteral), inList: false };
}

function namesIn(path: string): readonly string[] {
  return [...path.matchAll(/\.(\w+)|\["([^"]*)"\]|\['([^']*)'\]/g)].map(
    ([, name, double, single]) => name ?? double ?? single ?? '',
  );
}

function readLiteral(text: string): Literal {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^["']/.test(text) ? text.slice(1, -1) : Number(text);
}
