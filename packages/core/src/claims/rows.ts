// Rows: rules as API gateways configure them, for example { name: 'dept', required: true, validate:
// true, type: 'STRING', value: 'IT' }. `required` and `validate` are the switches of a row. Turns a
// row into a rule; does not check claims.
import { ConfigError } from '../errors.ts';
import { readBoolean, readObject, readText, type UncheckedOptions } from '../values/readers.ts';

/** The types of a row. Upper and lower case are equal. */
export const ROW_TYPES = ['STRING', 'INTEGER', 'BOOLEAN', 'REGEX', 'ARRAY'] as const;
/** Claims that are always checked if they are present. A row can only require them. */
export const TIMES: readonly string[] = ['exp', 'nbf', 'iat'];
/** Letters, digits, - and _; for nested and namespaced claims also . / : and \. */
const NAME = /^[A-Za-z0-9_\-./:\\]+$/;

const MEMBERS: readonly string[] = ['name', 'required', 'validate', 'type', 'value', 'enforce'];

/**
 * True for a row: it has a name, and either a switch or only members that rows have. Without a
 * switch it may also be a rule on a claim called "name", which `ruleOfRow` refuses.
 */
export function isRow(value: UncheckedOptions): boolean {
  return (
    Object.hasOwn(value, 'name') &&
    (hasSwitch(value) || Object.keys(value).every((name) => MEMBERS.includes(name)))
  );
}

function hasSwitch(row: UncheckedOptions): boolean {
  return Object.hasOwn(row, 'required') || Object.hasOwn(row, 'validate');
}

/**
 * Reads a row.
 * @returns the rule with the same meaning; undefined for a row that neither requires nor validates
 *   its claim
 * @throws ConfigError, also for a row without a switch
 */
export function ruleOfRow(value: UncheckedOptions, path: string): unknown {
  if (!hasSwitch(value))
    throw new ConfigError(
      path,
      'expected required or validate in a row; write a rule on the claim "name" as { path: ["name"], rule }',
    );
  const row = readObject(value, MEMBERS, path);
  const name = readText(row.name, `${path}.name`);
  if (!NAME.test(name)) throw new ConfigError(`${path}.name`, 'expected letters, digits, - and _');
  const required = readBoolean(row.required, false, `${path}.required`);
  const validate = readBoolean(row.validate, false, `${path}.validate`);
  const type = row.type === undefined ? defaultType(name) : readType(row.type, path);
  const isTime = TIMES.includes(name);
  if (isTime) refuseTimeMembers(name, row, path);
  if (isTime || !validate) {
    if (row.value !== undefined)
      throw new ConfigError(
        `${path}.value`,
        'has no effect without validate: true; add it, or remove the value',
      );
    return required ? { present: true } : undefined;
  }
  const rule = ruleOfValue(name, type, row.value, path);
  // `optional` lets an absent claim pass, but not one that is null.
  return required ? rule : { optional: rule };
}

/** Refuses what a row cannot say about a time. */
function refuseTimeMembers(name: string, row: UncheckedOptions, path: string): void {
  if (row.value !== undefined)
    throw new ConfigError(
      `${path}.value`,
      `expected no value: ${name} is a time, which is checked by the clock`,
    );
  if (row.validate === false)
    throw new ConfigError(`${path}.validate`, `expected true: ${name} is always checked if it is present`);
}

function ruleOfValue(name: string, type: RowType, value: unknown, path: string): unknown {
  const at = `${path}.value`;
  if ((name === 'iss' || name === 'sub') && type !== 'STRING' && type !== 'REGEX')
    throw new ConfigError(`${path}.type`, `${name} is STRING or REGEX`);
  if (name === 'aud' && type !== 'STRING' && type !== 'ARRAY')
    throw new ConfigError(`${path}.type`, 'aud is ARRAY or STRING');
  const values = Array.isArray(value) ? value : [value];
  // A token may have several audiences: one of them has to match.
  if (name === 'aud') return { anyOf: values };
  switch (type) {
    case 'STRING':
      return readText(value, at);
    case 'REGEX':
      return { pattern: readText(value, at) };
    case 'INTEGER':
      return readInteger(value, at);
    case 'BOOLEAN':
      return readBooleanText(value, at);
    case 'ARRAY':
      return { allOf: values };
  }
}

type RowType = (typeof ROW_TYPES)[number];

function defaultType(name: string): RowType {
  return name === 'aud' ? 'ARRAY' : 'STRING';
}

function readType(value: unknown, path: string): RowType {
  const wanted = typeof value === 'string' ? value.toUpperCase() : undefined;
  const type = ROW_TYPES.find((candidate) => candidate === wanted);
  if (type === undefined) throw new ConfigError(`${path}.type`, `expected one of ${ROW_TYPES.join(', ')}`);
  return type;
}

/** Reads a whole number, also from a string, because the forms of gateways have text fields. */
function readInteger(value: unknown, path: string): number {
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number))
    throw new ConfigError(path, 'expected a whole number');
  return number;
}

/** Reads a boolean, also from a string. */
function readBooleanText(value: unknown, path: string): boolean {
  if (value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  throw new ConfigError(path, 'expected true or false');
}
