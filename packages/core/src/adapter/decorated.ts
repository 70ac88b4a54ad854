// Access by decorators: combines what they say of a class and of its methods into the access of a
// handler. What opens applies to the methods that its class declares or inherits. What restricts
// applies to every subclass too. Knows no framework: its adapter makes the decorators.
import type { CompiledRules } from '../claims/compile.ts';
import { accessWith, type CompiledAccess, NOTHING_ASKED } from '../decision/access.ts';
import { ConfigError } from '../errors.ts';
import { checkCopy, sharedState } from '../values/copies.ts';

/** A class, and its name. */
export interface DecoratedClass {
  readonly name: string;
  readonly prototype: object;
}

/** What the decorators on one method or class say together. */
export interface AccessNote {
  /** True for a public handler; false if other decorators are present. */
  readonly isPublic: boolean;
  readonly rules?: CompiledRules;
  readonly access?: CompiledAccess;
}

/** A decorator of a class or of a method, as TypeScript's `experimentalDecorators` calls it. */
export type AccessDecorator = (
  target: object,
  key?: string | symbol,
  descriptor?: PropertyDescriptor,
) => void;

/** The requirements of a handler. */
export interface DecoratedAccess {
  readonly isPublic: boolean;
  /** True if a decorator requires a token, or more. */
  readonly isAsking: boolean;
  readonly asked: CompiledAccess;
}

// Shared by all copies of this package: the decorators of one copy apply in the guard of another.
// The notes of methods, by the prototype and the name: another decorator cannot lose them when it
// replaces the method.
const byName = sharedState('notes of methods', () => new WeakMap<object, Map<string | symbol, AccessNote>>());
// The notes of classes and of functions: another class may copy a method.
const byTarget = sharedState('notes', () => new WeakMap<object, AccessNote>());
// The class that had a method when a decorator was applied to that class.
const homes = sharedState('classes of methods', () => new WeakMap<object, DecoratedClass>());
// By the handler and by the class, which may have inherited it.
const known = new WeakMap<object, WeakMap<object, DecoratedAccess>>();

/**
 * Makes a decorator that notes what it is given, together with the notes of other decorators on the
 * same method or class.
 * @throws ConfigError, from the decorator, if one contradicts another
 */
export function noteAccess(said: AccessNote): AccessDecorator {
  return (target, key, descriptor) => {
    const named = byName.get(target) ?? new Map<string | symbol, AccessNote>();
    const before = key === undefined ? byTarget.get(target) : named.get(key);
    const together = before === undefined ? said : join(before, said, placeOf(target, key));
    byTarget.set(descriptor?.value ?? target, together);
    if (key !== undefined) {
      byName.set(target, named.set(key, together));
      return;
    }
    const type = target as unknown as DecoratedClass;
    for (const [, method] of methodsOf(type)) homes.set(method, type);
  };
}

/** True if a decorator on a class itself makes it public. */
export function isPublicClass(type: object): boolean {
  return byTarget.get(type)?.isPublic === true;
}

/**
 * Returns the access of a handler of a class, which may inherit it. Without decorators, a token is
 * needed.
 * @throws ConfigError for a handler whose requirements cannot be known
 */
export function decoratedAccess(type: DecoratedClass, handler: object): DecoratedAccess {
  const before = known.get(handler)?.get(type);
  if (before !== undefined) return before;
  const access = resolve(type, handler);
  const classes = known.get(handler) ?? new WeakMap<object, DecoratedAccess>();
  known.set(handler, classes.set(type, access));
  return access;
}

/** A class and the classes that it extends, the nearest first. */
export function lineageOf(type: DecoratedClass): readonly DecoratedClass[] {
  const above: unknown = Object.getPrototypeOf(type);
  return typeof above === 'function' && above !== Function.prototype
    ? [type, ...lineageOf(above as unknown as DecoratedClass)]
    : [type];
}

function resolve(type: DecoratedClass, handler: object): DecoratedAccess {
  const line = lineageOf(type);
  const at = line.findIndex((one) => methodsOf(one).some(([, method]) => method === handler));
  const declaring = line[at];
  const [name = ''] = methodsOf(declaring).find(([, method]) => method === handler) ?? [];
  const namedIn = (one: DecoratedClass | undefined) => byName.get(Object(one).prototype)?.get(name);
  const own = namedIn(declaring) ?? byTarget.get(handler);
  if (own === undefined && declaring === undefined && line.some(({ prototype }) => byName.has(prototype)))
    throw new ConfigError(
      type.name,
      'a handler is not a method of its class, so its decorators are lost; call the method of the class',
    );
  const replaced = line.slice(at + 1).find((one) => namedIn(one) !== undefined);
  if (own === undefined && declaring !== undefined && namedIn(replaced)?.isPublic === false)
    throw new ConfigError(
      `${declaring.name}.${name}`,
      `replaces ${replaced?.name}.${name}, which requires a token or more, and has no decorator; put @RequireClaims, @Authenticate or @Public on it`,
    );
  const near = line.slice(0, Math.max(at, 0) + 1).map((one) => byTarget.get(one));
  const far = [...line.slice(near.length), homes.get(handler)].map((one) =>
    closed(byTarget.get(Object(one))),
  );
  const said = [own, ...near, ...far].filter((one) => one !== undefined);
  const claims = said.find(({ rules }) => rules !== undefined)?.rules;
  const access = said.find((one) => one.access !== undefined)?.access ?? NOTHING_ASKED;
  for (const part of [claims, access])
    if (part !== undefined) checkCopy(part, `${type.name}.${String(name)}`);
  const asked = claims === undefined ? access : accessWith(access, { claims });
  return Object.freeze({
    isPublic: said[0]?.isPublic === true,
    isAsking: said[0]?.isPublic === false,
    asked,
  });
}

/** Returns what restricts of a note: nothing that lets anonymous requests pass. */
function closed(said: AccessNote | undefined): AccessNote | undefined {
  if (said === undefined || said.isPublic) return undefined;
  const { access } = said;
  const isOpen = access?.mode === 'optional' || access?.mode === 'permissive';
  return isOpen ? { ...said, access: accessWith(access, { mode: undefined }) } : said;
}

/** The methods that a class itself declares, by name. */
function methodsOf(type: DecoratedClass | undefined): readonly (readonly [name: string, method: object])[] {
  const declared = Object.entries(Object.getOwnPropertyDescriptors(type?.prototype ?? {}));
  return declared.flatMap(([name, { value }]) =>
    typeof value === 'function' && name !== 'constructor' ? [[name, value] as const] : [],
  );
}

/** Refuses a repeated note: otherwise the order of lines would determine which of two counts. */
function join(before: AccessNote, said: AccessNote, place: string): AccessNote {
  if (before.isPublic !== said.isPublic)
    throw new ConfigError(
      '@Public',
      `expected no other decorator on ${place}, got one that requires a token; remove one of them`,
    );
  for (const [name, decorator] of [
    ['rules', '@RequireClaims'],
    ['access', '@Authenticate'],
  ] as const)
    if (before[name] !== undefined && said[name] !== undefined)
      throw new ConfigError(
        decorator,
        `expected one set of ${name} on ${place}, got two; put them into one decorator`,
      );
  return { ...before, ...said };
}

/** The name of a handler in messages. */
function placeOf(target: object, key?: string | symbol): string {
  return key === undefined
    ? String(Reflect.get(target, 'name'))
    : `${target.constructor.name}.${String(key)}`;
}
