// Rows: rules as API gateways configure them, with a name, two switches, a type and a value. Turns
// a row into a rule; does not check claims.
import { ConfigError } from '../errors.ts';
import { readBoolean, readObject, readText, type UncheckedOptions } from '../values/readers.ts';

/** The types of a row, in any case. */
export const ROW_TYPES = ['STRING', 'INTEGER', 'BOOLEAN', 'REGEX', 'ARRAY'] as const;
/** Times are always checked if they are present, whatever a row says. */
export const TIMES: readonly string[] = ['exp', 'nbf', 'iat'];
/**
 * Public and private claims: letters, digits, - and _, and the characters of nested and namespaced
 * names.
 */
const NAME = /^[A-Za-z0-9_\-./:\\]+$/;

const MEMBERS: readonly string[] = ['name', 'required', 'validate', 'type', 'value'];

/**
 * True for a row: a name and one of the switches, or a name and no members that a row does not
 * have.
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
 * @returns the rule with the same meaning; undefined for a row that asks nothing
 * @throws ConfigError, also for an object that may be a rule on a claim called "name"
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
  const type = row.type === undefined ? (name === 'aud' ? 'ARRAY' : 'STRING') : readType(row.type, path);
  const isTime = TIMES.includes(name);
  if (isTime && row.value !== undefined)
    throw new ConfigError(
      `${path}.value`,
      `expected no value: ${name} is a time, which is checked by the clock`,
    );
  if (isTime && row.validate === false)
    throw new ConfigError(`${path}.validate`, `expected true: ${name} is always checked if it is present`);
  if (isTime || !validate) {
    if (row.value !== undefined)
      throw new ConfigError(
        `${path}.value`,
        'has no effect without validate: true; add it, or remove the value',
      );
    return required ? { present: true } : undefined;
  }
  const rule = ruleOfValue(name, type, row.value, path);
  // Null counts as present, so it satisfies neither.
  return required ? rule : { optional: rule };
}

function ruleOfValue(name: string, type: RowType, value: unknown, path: string): unknown {
  const at = `${path}.value`;
  if ((name === 'iss' || name === 'sub') && type !== 'STRING' && type !== 'REGEX')
    throw new ConfigError(`${path}.type`, `${name} is STRING or REGEX`);
  if (name === 'aud' && type !== 'STRING' && type !== 'ARRAY')
    throw new ConfigError(`${path}.type`, 'aud is ARRAY or STRING');
  const list = Array.isArray(value) ? value : [value];
  // The audience is a list, and one match is enough.
  if (name === 'aud') return { anyOf: list };
  switch (type) {
    case 'STRING':
      return readText(value, at);
    case 'REGEX':
      return { pattern: readText(value, at) };
    case 'INTEGER':
      return readInteger(value, at);
    case 'BOOLEAN':
      return readSwitch(value, at);
    case 'ARRAY':
      return { allOf: list };
  }
}

type RowType = (typeof ROW_TYPES)[number];

function readType(value: unknown, path: string): RowType {
  const wanted = typeof value === 'string' ? value.toUpperCase() : undefined;
  const type = ROW_TYPES.find((candidate) => candidate === wanted);
  if (type === undefined) throw new ConfigError(`${path}.type`, `expected one of ${ROW_TYPES.join(', ')}`);
  return type;
}

/** Reads a whole number, also from a string, which forms produce. */
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
