// Replaces environment variables in configuration: `${NAME}` in any string of the options,
// including issuers and rules.

import { ConfigError } from '../errors.ts';
import { own } from '../values/json.ts';
import { isPlainObject, ownMembers } from '../values/readers.ts';

const VARIABLE = /\$\{([A-Z_][A-Z0-9_]*)\}/g;

/**
 * Replaces `${NAME}` by the variable in every string of plain data: in values and list items, but
 * not in names. Other values (a secret store, a RegExp, a function) are not changed, nor is a
 * `${…}` that is not the name of a variable.
 * @param environment default `process.env`
 * @returns a copy
 * @throws ConfigError, with the path, for a variable that is not set
 */
export function interpolate<T>(
  value: T,
  environment: { readonly [name: string]: string | undefined } = process.env,
): T {
  return replaceIn(value, environment, '') as T;
}

function replaceIn(
  value: unknown,
  environment: { readonly [name: string]: string | undefined },
  path: string,
): unknown {
  if (typeof value === 'string') {
    return value.replace(VARIABLE, (_written, name: string) => {
      const found = own(environment, name);
      if (found === undefined)
        throw new ConfigError(path === '' ? 'options' : path, `the variable ${name} is not set`);
      return found;
    });
  }
  if (Array.isArray(value))
    return value.map((item, index) => replaceIn(item, environment, `${path}[${index}]`));
  if (!isPlainObject(value) || Object.values(value).some((member) => typeof member === 'function'))
    return value;
  const replaced = Object.entries(value).map(([name, member]) => [
    name,
    replaceIn(member, environment, path === '' ? name : `${path}.${name}`),
  ]);
  // Without a prototype, so that it has only the written members.
  return ownMembers(Object.fromEntries(replaced));
}
