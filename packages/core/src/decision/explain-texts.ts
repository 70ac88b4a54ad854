// One check of an explanation, and how its texts are written. It judges nothing.

import { isSchema } from '../claims/schema.ts';
import type { AuthError, AuthErrorCode } from '../errors.ts';
import { isPlainObject } from '../values/readers.ts';

/** One check. Its texts may hold claims of the token, and nothing of its signature or of a key. */
export interface ExplainedCheck {
  /** What is checked, in the order of the decision. */
  readonly check:
    | 'credentials'
    | 'form'
    | 'type'
    | 'algorithm'
    | 'issuer'
    | 'keys'
    | 'remote'
    | 'registered claims'
    | 'claims'
    | 'groups'
    | 'route';
  /** What of it: `keySets[0]`, `exp`, `dept`. */
  readonly about: string;
  /** `skipped`: it does not count here. `unknown`: it could not be found out. */
  readonly outcome: 'passed' | 'failed' | 'skipped' | 'unknown';
  readonly expected?: string | undefined;
  readonly actual?: string | undefined;
  readonly detail?: string | undefined;
  /** Why a request is refused for it. */
  readonly code?: AuthErrorCode | undefined;
  /** What it consists of. */
  readonly checks?: readonly ExplainedCheck[] | undefined;
}

/** A longer text is cut: an explanation is read by people. */
const MAX_TEXT = 300;

/** What a refusal says. */
export function refusalText({ status, code, detail, message }: AuthError) {
  return { outcome: status === 503 ? 'unknown' : 'failed', code, detail: detail ?? message } as const;
}

/** Passed, or what the refusal says. */
export function outcomeOf(
  refusal: AuthError | undefined,
): Pick<ExplainedCheck, 'outcome' | 'code' | 'detail'> {
  return refusal === undefined ? { outcome: 'passed' } : refusalText(refusal);
}

/** The same checks, where they are not what a request is refused for. */
export function withoutCodes(checks: readonly ExplainedCheck[]): readonly ExplainedCheck[] {
  return checks.map(({ code: _code, ...check }) =>
    check.checks === undefined ? check : { ...check, checks: withoutCodes(check.checks) },
  );
}

/** A JSON value, as text. */
export function textOf(value: unknown): string {
  if (value === undefined) return 'absent';
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}

/** A time of a claim, which is seconds, as people read it. */
export function timeText(value: unknown): string {
  const isTime = typeof value === 'number' && Math.abs(value) < 8.64e12;
  return isTime ? `${value} (${new Date(value * 1000).toISOString()})` : textOf(value);
}

/** What a rule asks, as a sentence without its subject. */
export function ruleText(rule: unknown): string {
  if (rule instanceof RegExp) return `matches ${String(rule)}`;
  if (isSchema(rule)) return 'what a schema accepts';
  if (Array.isArray(rule)) return `has all of ${textOf(rule)}`;
  if (!isPlainObject(rule)) return textOf(rule);
  if ('name' in rule || 'path' in rule) return rowText(rule);
  const [form = '', value] =
    Object.entries(rule).find(([name]) => name !== 'split' && name !== 'match') ?? [];
  const sentence = FORMS.get(form)?.(value) ?? textOf(rule);
  return [sentence, ...partsOf(rule)].join(', ');
}

const FORMS: ReadonlyMap<string, (value: unknown) => string> = new Map<string, (value: unknown) => string>([
  ['allOf', (value) => `has all of ${textOf(value)}`],
  ['values', (value) => `has all of ${textOf(value)}`],
  ['anyOf', (value) => `is or has one of ${textOf(value)}`],
  ['noneOf', (value) => `is there, and neither is nor has one of ${textOf(value)}`],
  ['exactly', (value) => `has ${textOf(value)} and no others`],
  ['pattern', (value) => `matches ${value instanceof RegExp ? String(value) : textOf(value)}`],
  ['present', () => 'is there'],
  ['optional', (value) => `is absent, or ${ruleText(value)}`],
  [
    'fromRequest',
    (value) => `is ${typeof value === 'string' ? value : 'what a function says'} of the request`,
  ],
]);

function partsOf({ split, match }: Readonly<Record<string, unknown>>): readonly string[] {
  const parts = [];
  if (split !== undefined) parts.push(`split at ${textOf(split)}`);
  if (match !== undefined) parts.push('in any part of it');
  return parts;
}

function rowText({ required, validate, type = 'STRING', value }: Readonly<Record<string, unknown>>): string {
  const presence = required === true ? 'is there' : 'may be absent';
  return validate === true ? `${presence}; ${String(type)} ${textOf(value)}` : presence;
}
