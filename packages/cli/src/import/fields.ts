// Reads members whose name has two spellings, as in Protobuf JSON, and durations of Protobuf, which
// are text or seconds.
import type { SourceNode } from './source.ts';

/** Returns a member by its name in snake_case, in that spelling or in camelCase. */
export function field(node: SourceNode, name: string): SourceNode | undefined {
  const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return camel === name ? node.member(name) : node.oneOf(name, camel);
}

/** Returns the members that are present, of those that exclude each other. */
export function anyOfFields<Name extends string>(
  node: SourceNode,
  names: readonly Name[],
): readonly (readonly [name: Name, node: SourceNode])[] {
  return names.flatMap((name) => {
    const found = field(node, name);
    return found === undefined ? [] : [[name, found] as const];
  });
}

/** Returns the one that is present. Refuses two of them. */
export function oneField<Name extends string>(
  node: SourceNode,
  names: readonly Name[],
): readonly [name: Name, node: SourceNode] | undefined {
  const [first, second] = anyOfFields(node, names);
  second?.[1].refuse(`conflicts with ${first?.[1].path ?? 'another'}; keep one of them`);
  return first;
}

/** Reads a duration, `300s` or `{ seconds: 300 }`, in seconds. */
export function seconds(node: SourceNode): number {
  if (node.isObject()) {
    const whole = node.member('seconds');
    // Protobuf JSON writes a number of 64 bits as a text, too.
    const text = typeof whole?.value === 'string' ? whole.text() : undefined;
    const count = text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : (whole?.integer() ?? 0);
    return count + (node.member('nanos')?.integer() ?? 0) / 1e9;
  }
  const [, count] = /^(\d{1,12}(?:\.\d{1,9})?)s$/.exec(node.text()) ?? [];
  return count === undefined ? node.refuse('expected a duration in seconds, such as "300s"') : Number(count);
}
