// Finds a claim by its name or path. Only own members count, so that a name never finds an
// inherited member.
import { isJsonObject, type JsonObject, type JsonValue } from '../values/json.ts';

/** Finds a claim; undefined if it is absent. */
export function claimAt(claims: JsonObject, path: readonly string[]): JsonValue | undefined {
  let value: JsonValue = claims;
  for (const name of path) {
    if (!isJsonObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name] as JsonValue;
  }
  return value;
}

/** True for a name such as `realm_access.roles`, which is a path only if a delimiter splits it. */
export function looksNested(name: string): boolean {
  return /^[^.:/\\]+(?:\.[^.:/\\]+)+$/.test(name);
}

/**
 * Splits a claim name into a path. A backslash makes the next delimiter, or another backslash,
 * literal, because names that are URLs contain dots.
 * @param delimiter undefined: the name is not split
 */
export function splitPath(name: string, delimiter: string | undefined): readonly string[] {
  if (delimiter === undefined) return [name];
  const path: string[] = [];
  let segment = '';
  for (let index = 0; index < name.length; index++) {
    const escaped =
      name[index] === '\\' && (name[index + 1] === '\\' || name.startsWith(delimiter, index + 1));
    if (escaped) {
      segment += name[index + 1] === '\\' ? '\\' : delimiter;
      index += name[index + 1] === '\\' ? 1 : delimiter.length;
    } else if (name.startsWith(delimiter, index)) {
      path.push(segment);
      segment = '';
      index += delimiter.length - 1;
    } else {
      segment += name[index];
    }
  }
  return [...path, segment];
}
