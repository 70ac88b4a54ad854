// Formats the answers for a terminal of 92 columns: a table for each story, and a recap of what
// failed. It sends and prints nothing.
import { styleText } from 'node:util';
import type { Step } from './story.ts';

/** What a service answered. */
export interface Answer {
  readonly status: number | undefined;
  /** The code in the body of a refusal. */
  readonly code?: string | undefined;
  /** The WWW-Authenticate header. */
  readonly challenge?: string | undefined;
  /** Why there is no answer. */
  readonly fault?: string | undefined;
}

/** A step and the answers of the services, in their order. */
export interface Outcome {
  readonly step: Step;
  readonly answers: readonly Answer[];
}

const WIDTH = 92;

/** The head of a story. The columns are the services. */
export function headOf(about: string, services: readonly string[]): string {
  return `\n${styleText('bold', line(about, 'want', services, services))}`;
}

/** The row of a step; for a refusal also its request, code and challenge. */
export function rowOf(outcome: Outcome, services: readonly string[]): readonly string[] {
  const { step, answers } = outcome;
  const cells = answers.map(({ status }) => String(status ?? '-'));
  const row = line(step.title, String(step.expected), cells, services);
  const isGood = answers.every((answer) => isExpected(step, answer));
  const notes = step.expected < 400 ? [] : [...new Set(answers.map(refusalText))];
  return [
    `${isGood ? styleText('green', 'ok') : styleText('red', 'NO')}${row.slice(2)}`,
    ...notes
      .flatMap((note) => wrap(`${step.method} ${step.path}: ${note}`))
      .map((text) => styleText('dim', text)),
  ];
}

/** One line for each answer that was not expected. */
export function recapOf(outcomes: readonly Outcome[], services: readonly string[]): readonly string[] {
  return outcomes.flatMap(({ step, answers }) =>
    answers.flatMap((answer, index) => {
      if (isExpected(step, answer)) return [];
      const got = answer.fault ?? `${answer.status}, ${refusalText(answer)}`;
      const { method, path, title, expected } = step;
      return wrap(`${services[index]}, ${title}: ${method} ${path} expected ${expected}, got ${got}`).map(
        (text) => styleText('red', text),
      );
    }),
  );
}

/** True if the status is that of the step. */
export function isExpected({ expected }: Step, { status }: Answer): boolean {
  return status === expected;
}

/** The code, and the challenge without its description, which says the same as the code. */
function refusalText({ code, challenge }: Answer): string {
  const short = challenge?.replace(/ error_description="[^"]*",?/, '').replace(/,$/, '');
  return [code ?? 'no code', short].filter((part) => part !== undefined).join('; ');
}

function line(
  title: string,
  expected: string,
  cells: readonly string[],
  services: readonly string[],
): string {
  const columns = cells.map((cell, index) => cell.padEnd(services[index]?.length ?? 0)).join('  ');
  const left = WIDTH - columns.length - '    '.length - 4;
  return `${`   ${title}`.padEnd(left)}  ${expected.padEnd(4)}  ${columns}`.trimEnd();
}

/** Breaks a text at spaces, indented under the title of its row. */
function wrap(text: string): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= WIDTH)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`     ${word}`);
  }
  return lines;
}
