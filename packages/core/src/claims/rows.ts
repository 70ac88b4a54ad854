// Claims as API gateways configure them: rows of a name, two switches, a type and a value. From rows to rules.

import { ConfigError } from '../errors.ts';
import { readBoolean, readObject, readText, type UncheckedOptions } from '../values/readers.ts';
import type { Holds } from './forms.ts';
import { compileForm } from './forms.ts';
import type { Literal } from './rules.ts';

/** A row, ready to be evaluated. */
export interface CompiledRow {
  readonly name: string;
  readonly holds: Holds;
}

const TYPES = ['STRING', 'INTEGER', 'BOOLEAN', 'REGEX', 'ARRAY'] as const;
type RowType = (typeof TYPES)[number];
/** Times are judged whenever they are there, whatever a row says. */
const TIMES: ReadonlySet<string> = new Set(['exp', 'nbf', 'iat']);
/** Public and private claims: letters, digits, - and _; and what nested and namespaced names need. */
const NAME = /^[A-Za-z0-9_\-./:\\]+$/;

const MEMBERS = ['name', 'required', 'validate', 'type', 'value'] as const;

/**
 * True for a row: a name, and at least one of the switches.
 * @throws ConfigError for what might be a row without switches, or a rule on a claim that is called "name"
 */
export function isRow(value: UncheckedOptions, path: string): boolean {
  if (!('name' in value)) return false;
  if ('required' in value || 'validate' in value) return true;
  if (!Object.keys(value).every((member) => MEMBERS.some((known) => known === member))) return false;
  throw new ConfigError(
    path,
    'a row says required or validate; a rule on the claim "name" is { path: ["name"], rule }',
  );
}

/** Compiles one row. @throws ConfigError */
export function compileRow(value: unknown, path: string): CompiledRow {
  const row = readObject(value, MEMBERS, path);
  const name = readText(row.name, `${path}.name`);
  if (!NAME.test(name)) throw new ConfigError(`${path}.name`, 'expected letters, digits, - and _');
  const required = readBoolean(row.required, false, `${path}.required`);
  const validate = readBoolean(row.validate, false, `${path}.validate`);
  const type =
    row.type === undefined ? (name === 'aud' ? 'ARRAY' : 'STRING') : readType(row.type, `${path}.type`);
  if (TIMES.has(name)) {
    if (row.value !== undefined)
      throw new ConfigError(`${path}.value`, `${name} is a time, and judged by the clock`);
    if (row.validate === false)
      throw new ConfigError(`${path}.validate`, `${name} is judged whenever it is there`);
    return { name, holds: (claim) => !required || isThere(claim) };
  }
  if (!validate) {
    if (row.value !== undefined)
      throw new ConfigError(`${path}.value`, 'is not looked at without validate: true');
    return { name, holds: (claim) => !required || isThere(claim) };
  }
  const matches = compileValue(name, type, row.value, path);
  // Null is nothing that could be required, and nothing that could have the value.
  return { name, holds: (claim, request) => (claim === undefined ? !required : matches(claim, request)) };
}

function isThere(claim: unknown): boolean {
  return claim !== undefined && claim !== null;
}

function compileValue(name: string, type: RowType, value: unknown, path: string): Holds {
  const at = `${path}.value`;
  if ((name === 'iss' || name === 'sub') && type !== 'STRING' && type !== 'REGEX') {
    throw new ConfigError(`${path}.type`, `${name} is STRING or REGEX`);
  }
  // The audience is a list of which any will do.
  if (name === 'aud' && type !== 'STRING' && type !== 'ARRAY') {
    throw new ConfigError(`${path}.type`, 'aud is ARRAY or STRING');
  }
  if (name === 'aud') return compileForm({ anyOf: listOf(value) }, at).holds;
  switch (type) {
    case 'STRING':
      return compileForm(readText(value, at), at).holds;
    case 'REGEX':
      return compileForm({ pattern: readText(value, at) }, at).holds;
    case 'INTEGER':
      return compileForm(readInteger(value, at), at).holds;
    case 'BOOLEAN':
      return compileForm(readSwitch(value, at), at).holds;
    case 'ARRAY':
      return compileForm({ allOf: listOf(value) }, at).holds;
  }
}

function readType(value: unknown, path: string): RowType {
  const wanted = String(value).toUpperCase();
  const type = TYPES.find((candidate) => candidate === wanted);
  if (type === undefined) throw new ConfigError(path, `expected one of ${TYPES.join(', ')}`);
  return type;
}

/** A whole number, also as the text that forms make of it. */
function readInteger(value: unknown, path: string): number {
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number))
    throw new ConfigError(path, 'expected a whole number');
  return number;
}

function readSwitch(value: unknown, path: string): boolean {
  if (value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  throw new ConfigError(path, 'expected true or false');
}

function listOf(value: unknown): readonly unknown[] | Literal {
  return Array.isArray(value) ? value : [value];
}
