// Combines what the decorators say of a class and its methods into the access of a handler: the
// guard decides by it. What opens applies to the methods that its class declares or inherits. What
// restricts applies to every subclass too.
import { ConfigError } from '@latchkey/core';
import type { CompiledAccess, CompiledRules } from '@latchkey/core/adapter';
import { accessWith, compileAccess } from '@latchkey/core/adapter';
import type { ExecutionContext } from '@nestjs/common';

/**
 * The injection token of the application's authenticator: `@Inject(LATCHKEY_AUTHENTICATOR)
 * authenticator: Authenticator`, to verify a token that did not come as the bearer token of a
 * request, or to await `ready()`. It is a symbol, so no metadata of types is needed.
 */
export const LATCHKEY_AUTHENTICATOR: unique symbol = Symbol('LATCHKEY_AUTHENTICATOR');

/** A class, and its name. */
export interface Home {
  readonly name: string;
  readonly prototype: object;
}

/** What the decorators of Latchkey on one method or class say together. */
export interface Note {
  /** True for a public handler; false if other decorators are present. */
  readonly isPublic: boolean;
  readonly rules?: CompiledRules;
  readonly access?: CompiledAccess;
}

/** A decorator for a class or for a method. */
export type Decorator = (target: object, key?: string | symbol, descriptor?: PropertyDescriptor) => void;

/** The requirements of a handler. */
export interface Access {
  readonly isPublic: boolean;
  /** True if a decorator requires a token, or more. */
  readonly isAsking: boolean;
  readonly asked: CompiledAccess;
}

const NOTHING_ASKED = compileAccess({});

// The notes of methods, by the prototype and the name: another decorator cannot lose them when it
// replaces the method.
const byName = new WeakMap<object, Map<string | symbol, Note>>();
// The notes of classes and of functions: another class may copy a method.
const byTarget = new WeakMap<object, Note>();
// The class that had a method when a decorator was applied to that class.
const homes = new WeakMap<object, Home>();
// By the handler and by the class, which may have inherited it.
const known = new WeakMap<object, WeakMap<object, Access>>();

/**
 * Makes a decorator that notes what it is given, together with the notes of other decorators on the
 * same method or class.
 * @throws ConfigError, from the decorator, if one contradicts another
 */
export function note(said: Note): Decorator {
  return (target, key, descriptor) => {
    const named = byName.get(target) ?? new Map<string | symbol, Note>();
    const before = key === undefined ? byTarget.get(target) : named.get(key);
    const together = before === undefined ? said : join(before, said, placeOf(target, key));
    byTarget.set(descriptor?.value ?? target, together);
    if (key !== undefined) byName.set(target, named.set(key, together));
    else for (const [, method] of methodsOf(target as Home)) homes.set(method, target as Home);
  };
}

/** True if a class itself is marked as public. */
export function isPublicClass(type: object): boolean {
  return byTarget.get(type)?.isPublic === true;
}

/** The name of a handler in messages. */
function placeOf(target: object, key?: string | symbol): string {
  return key === undefined
    ? String(Reflect.get(target, 'name'))
    : `${target.constructor.name}.${String(key)}`;
}

/** Returns the access of the handler of a context. @throws ConfigError as `readAccess` does */
export function accessOf(context: ExecutionContext): Access {
  return readAccess(context.getClass(), context.getHandler());
}

/**
 * Returns the access of a handler. Without decorators, a token is needed.
 * @throws ConfigError for a handler whose requirements cannot be known
 */
export function readAccess(type: Home, handler: object): Access {
  const before = known.get(handler)?.get(type);
  if (before !== undefined) return before;
  const access = resolve(type, handler);
  const classes = known.get(handler) ?? new WeakMap<object, Access>();
  known.set(handler, classes.set(type, access));
  return access;
}

function resolve(type: Home, handler: object): Access {
  const line = lineOf(type);
  const at = line.findIndex((one) => methodsOf(one).some(([, method]) => method === handler));
  const declaring = line[at];
  const [name = ''] = methodsOf(declaring).find(([, method]) => method === handler) ?? [];
  const namedIn = (one: Home | undefined) => byName.get(Object(one).prototype)?.get(name);
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
  const asked = claims === undefined ? access : accessWith(access, { claims });
  return Object.freeze({
    isPublic: said[0]?.isPublic === true,
    isAsking: said[0]?.isPublic === false,
    asked,
  });
}

/** Returns what restricts of a note: nothing that lets anonymous requests pass. */
function closed(said: Note | undefined): Note | undefined {
  if (said === undefined || said.isPublic) return undefined;
  const { access } = said;
  const isOpen = access?.mode === 'optional' || access?.mode === 'permissive';
  return isOpen ? { ...said, access: accessWith(access, { mode: undefined }) } : said;
}

/** A class and the classes that it extends, the nearest first. */
export function lineOf(type: Home): readonly Home[] {
  const above: unknown = Object.getPrototypeOf(type);
  return typeof above === 'function' && above !== Function.prototype
    ? [type, ...lineOf(above as unknown as Home)]
    : [type];
}

/** The methods that a class itself declares, by name. */
function methodsOf(type: Home | undefined): readonly (readonly [name: string, method: object])[] {
  const declared = Object.entries(Object.getOwnPropertyDescriptors(type?.prototype ?? {}));
  return declared.flatMap(([name, { value }]) =>
    typeof value === 'function' && name !== 'constructor' ? [[name, value] as const] : [],
  );
}

/** Refuses a repeated note: otherwise the order of lines would determine which of two counts. */
function join(before: Note, said: Note, place: string): Note {
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
