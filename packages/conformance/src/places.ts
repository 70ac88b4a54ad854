// Finds a text in all properties that a handler or a logger can read from an object. For tests that
// a token is concealed.

interface Place {
  /** The path of properties, such as `request.raw.url`. */
  readonly way: string;
  readonly depth: number;
  read(): unknown;
}

/**
 * The depth to which getters are called. Deeper getters, of prototypes of frameworks, write to
 * their object.
 */
const GETTERS = 1;

/**
 * Finds a text in all objects that can be reached.
 * @returns the path of each place, such as `request.raw.url`
 */
export function placesOf(from: Readonly<Record<string, unknown>>, text: string): readonly string[] {
  const seen = new Set<object>();
  const found: string[] = [];
  const kept: Place[] = Object.entries(from).map(([way, value]) => ({ way, depth: 0, read: () => value }));
  // Stored properties are read first, because a getter may refresh them.
  const made: Place[] = [];
  for (let next = kept.pop(); next !== undefined; next = kept.pop() ?? made.pop()) {
    const { way } = next;
    const depth = next.depth + 1;
    const value = valueAt(next);
    if (contains(value, text)) found.push(way);
    if (!isObject(value) || ArrayBuffer.isView(value) || seen.has(value)) continue;
    seen.add(value);
    if (value instanceof Map)
      for (const [key, entry] of value)
        kept.push(
          { way: `${way}, a key`, depth, read: () => key },
          { way: `${way}, an entry`, depth, read: () => entry },
        );
    for (const { name, getter, member } of membersOf(value)) {
      if (name.includes(text)) found.push(`${way}, a name`);
      const inner = `${way}.${name}`;
      if (getter === undefined) kept.push({ way: inner, depth, read: () => member });
      else if (next.depth <= GETTERS)
        made.push({ way: inner, depth, read: () => Reflect.apply(getter, value, []) });
    }
  }
  return found;
}

function valueAt(place: Place): unknown {
  try {
    return place.read();
  } catch {
    return undefined;
  }
}

function contains(value: unknown, text: string): boolean {
  if (ArrayBuffer.isView(value))
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).includes(text);
  return typeof value === 'string' && value.includes(text);
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function membersOf(object: object) {
  const levels: object[] = [];
  for (let at: object | null = object; at !== null; at = Object.getPrototypeOf(at)) levels.push(at);
  return levels.flatMap((level) =>
    Reflect.ownKeys(level).map((name) => {
      const descriptor = Reflect.getOwnPropertyDescriptor(level, name);
      return { name: String(name), getter: descriptor?.get, member: descriptor?.value as unknown };
    }),
  );
}
