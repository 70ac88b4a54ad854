// `latchkey tokens inspect`: shows the content of a token without verifying it. `tokens verify`
// verifies a token.
import type { JsonObject } from '@latchkey/core';
import { readUnverifiedToken } from '@latchkey/core/tools';
import type { Command } from 'commander';
import { type Context, command, type FormatOptions, withFormat } from '../context.ts';
import { plain } from '../output.ts';
import { readTokenText, TOKEN_ARGUMENT } from '../token-input.ts';

const LABEL = 'UNVERIFIED: anybody can have written this; the signature was not looked at.';
/** Claims that are NumericDates: RFC 7519 §4.1, OpenID Connect Core 1.0 §2 and §5.1. */
const DATES: ReadonlySet<string> = new Set(['exp', 'nbf', 'iat', 'auth_time', 'updated_at']);
const UNITS = [
  ['year', 31_557_600],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const;

interface WrittenTime {
  readonly time: string;
  readonly relative: string;
}

/** `tokens inspect [TOKEN]`. */
export function inspect(context: Context): Command {
  const made = command('inspect', 'What is written in a token, UNVERIFIED.', [
    'latchkey tokens inspect < token.txt',
    'pbpaste | latchkey tokens inspect --output json',
  ]).argument('[token]', TOKEN_ARGUMENT);
  return withFormat(made).action(async (given: string | undefined, { output: format }: FormatOptions) => {
    const { header, claims } = readUnverifiedToken(await readTokenText(context, given));
    const times = timesOf(claims, Date.now());
    const value = { verified: false, header, claims, times: Object.fromEntries(times) };
    context.output.result(format, () => formatted(context, header, claims, times), value);
  });
}

function formatted(
  { output }: Context,
  header: JsonObject,
  claims: JsonObject,
  times: ReadonlyMap<string, WrittenTime>,
): string {
  const label = output.style(['bold', 'yellow'], LABEL);
  return [label, 'JOSE header', ...rowsOf(header), 'Claims', ...rowsOf(claims, times), label].join('\n');
}

/** Indents each claim on one line, so that no claim can imitate a line of the output. */
function rowsOf(members: JsonObject, times?: ReadonlyMap<string, WrittenTime>): readonly string[] {
  const rows = Object.entries(members).map(
    ([name, value]) => [plain(name), value, times?.get(name)] as const,
  );
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, value, time]) => {
    const about = time === undefined ? '' : `   ${time.time}, ${time.relative}`;
    return `  ${name.padEnd(width)}   ${plain(JSON.stringify(value))}${about}`;
  });
}

function timesOf(claims: JsonObject, nowMs: number): ReadonlyMap<string, WrittenTime> {
  return new Map(
    Object.entries(claims).flatMap(([name, value]) => {
      if (!DATES.has(name) || typeof value !== 'number') return [];
      const date = new Date(value * 1000);
      if (Number.isNaN(date.getTime())) return [];
      return [[name, { time: date.toISOString(), relative: relativeTime(value - nowMs / 1000) }] as const];
    }),
  );
}

function relativeTime(seconds: number): string {
  const [unit, length] = UNITS.find(([, each]) => Math.abs(seconds) >= each) ?? ['second', 1];
  return new Intl.RelativeTimeFormat('en').format(Math.trunc(seconds / length), unit);
}
