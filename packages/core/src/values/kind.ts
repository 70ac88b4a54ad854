// Words for error messages: the kind of a value, and the known name that was probably meant. A
// message never shows the value itself, because it may be a secret in the wrong place.

/** Names the kind of a value, such as `a list`. Never shows its content. */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (typeof value === 'string') return value === '' ? 'an empty string' : blankOr(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object') return `a ${typeof value}`;
  const name = classOf(value);
  if (name !== undefined && name !== 'Object') return `an instance of ${name}`;
  return isPlain(value) ? 'an object' : 'an object that inherits members';
}

function blankOr(value: string): string {
  return value.trim() === '' ? 'a blank string' : 'a string';
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The name of the class of an object, if it is a plain word. */
function classOf(value: object): string | undefined {
  try {
    const made: unknown = Reflect.get(Object(Object.getPrototypeOf(value)), 'constructor');
    const name: unknown = typeof made === 'function' ? made.name : undefined;
    return typeof name === 'string' && /^\w{1,60}$/.test(name) ? name : undefined;
  } catch {
    // A proxy may refuse.
    return undefined;
  }
}

/** The known name that is nearest to a written one; undefined if none is near. */
export function nearestTo(written: string, known: readonly string[]): string | undefined {
  // A longer text is no misspelt name, and takes time to compare.
  if (written.length > 60) return undefined;
  const name = written.toLowerCase();
  let nearest: string | undefined;
  let least = name.length < 5 ? 1 : 2;
  for (const candidate of known) {
    const distance = distanceOf(name, candidate.toLowerCase());
    if (distance > least || (distance === least && nearest !== undefined)) continue;
    nearest = candidate;
    least = distance;
  }
  return nearest;
}

/** `; did you mean X?`, or nothing. */
export function meant(written: unknown, known: readonly string[]): string {
  const nearest = typeof written === 'string' ? nearestTo(written, known) : undefined;
  return nearest === undefined ? '' : `; did you mean ${nearest}?`;
}

/** The number of letters to insert, delete, replace, or swap with the next one. */
function distanceOf(from: string, to: string): number {
  let [before, last] = [[] as number[], Array.from({ length: to.length + 1 }, (_, index) => index)];
  for (let row = 1; row <= from.length; row++) {
    const next = [row];
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1];
      const isSwapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      next[column] = Math.min(
        at(next, column - 1) + 1,
        at(last, column) + 1,
        at(last, column - 1) + (isSame ? 0 : 1),
        isSwapped ? at(before, column - 2) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    [before, last] = [last, next];
  }
  return at(last, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
