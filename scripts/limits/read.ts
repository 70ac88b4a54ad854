// Reads the constants of the packages that are numbers, as they are written. Runs nothing of them.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A constant in upper case whose value is a number, or a product of numbers. */
export interface NumericConstant {
  /** `packages/core/src/net/limits.ts` */
  readonly file: string;
  readonly name: string;
  readonly value: number;
}

// Not these: what they bound is a test or a tool of this repository.
const WITHOUT = new Set(['test-kit', 'testing', 'conformance']);
const CONSTANT = /^(?:export )?const ([A-Z][A-Z0-9_]*)(?:: number)? = ([-\d_.e*+ ()]+);/gm;

/** All numeric constants of all packages. */
export function numericConstants(root: string): readonly NumericConstant[] {
  return readdirSync(join(root, 'packages'))
    .filter((name) => !WITHOUT.has(name))
    .flatMap((name) => sourcesIn(root, `packages/${name}/src`))
    .flatMap((file) =>
      [...readFileSync(join(root, file), 'utf8').matchAll(CONSTANT)].map(([, constant = '', text = '']) => ({
        file,
        name: constant,
        value: evaluate(text),
      })),
    );
}

function sourcesIn(root: string, folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .sort()
    .map((path) => `${folder}/${path}`);
}

/** Evaluates sums and differences of products of powers, without parentheses. */
export function evaluate(text: string): number {
  const value = text
    .replaceAll('_', '')
    .split(/ (?=[+-] )/)
    .map((part) => (part.startsWith('- ') ? -product(part.slice(2)) : product(part.replace(/^\+ /, ''))))
    .reduce((total, part) => total + part, 0);
  if (!Number.isFinite(value)) throw new Error(`expected a number, got ${text}`);
  return value;
}

function product(text: string): number {
  return text
    .split(/(?<!\*)\*(?!\*)/)
    .map((power) =>
      power
        .split('**')
        .map(Number)
        .reduceRight((exponent, base) => base ** exponent),
    )
    .reduce((all, factor) => all * factor, 1);
}

/** A number with its unit, as people write it. */
export function amountOf(value: number, unit: string): string {
  if (unit === 'ms') {
    for (const [name, size] of [
      ['day', 86_400_000],
      ['h', 3_600_000],
      ['min', 60_000],
      ['s', 1_000],
    ] as const) {
      if (value >= size && value % size === 0) return `${value / size} ${name}`;
    }
    return `${value.toLocaleString('en')} ms`;
  }
  if (unit === 'bytes') {
    if (value >= 1024 ** 2 && value % 1024 ** 2 === 0) return `${value / 1024 ** 2} MiB`;
    if (value >= 1024 && value % 1024 === 0) return `${value / 1024} KiB`;
  }
  return `${value.toLocaleString('en')}${unit === '' ? '' : ` ${unit}`}`;
}
