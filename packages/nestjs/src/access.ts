// Combines the notes of decorators on classes and methods into the access of a handler. The guard
// decides by it. A note that opens applies to the methods that its class declares or inherits. A
// note that restricts applies to every subclass too.
import { ConfigError } from '@latchkey/core';
import type { CompiledAccess, CompiledRules } from '@latchkey/core/adapter';
import { accessWith, compileAccess } from '@latchkey/core/adapter';
import type { ExecutionContext } from '@nestjs/common';
import { type Home, homeOf, type Note, noteOf, notesIn, statedAt } from './notes.ts';

/**
 * The injection token of the application's authenticator: `@Inject(LATCHKEY_AUTHENTICATOR)
 * authenticator: Authenticator`, to verify a token that did not come as the bearer token of a
 * request, or to await `ready()`. It is a symbol, so no metadata of types is needed.
 */
export const LATCHKEY_AUTHENTICATOR: unique symbol = Symbol('LATCHKEY_AUTHENTICATOR');

/** The requirements of a handler. */
export interface Access {
  readonly isPublic: boolean;
  /** True if a decorator requires a token, or more. */
  readonly isAsking: boolean;
  readonly rules: CompiledRules | undefined;
  readonly access: CompiledAccess;
  /** `overrides` and `rules` in one value. */
  readonly whole: CompiledAccess;
}

const NOTHING_ASKED = compileAccess({});
const DO_SAY = 'put @RequireClaims, @Authenticate or @Public';

// The cache of accesses, by the handler and by the class, which may have inherited it. All notes
// are written before a handler is called.
const known = new WeakMap<object, WeakMap<object, Access>>();
// Equal requirements share one object, so that a token is verified once for all of them.
const closed = new WeakMap<CompiledAccess, CompiledAccess>();

/** Returns the access of the handler of a context. @throws ConfigError as `readAccess` does */
export function accessOf(context: ExecutionContext): Access {
  return readAccess(context.getClass(), context.getHandler());
}

/**
 * Returns the access of a handler. Without decorators, a token is needed.
 * @throws ConfigError for a handler that has lost its decorators
 */
export function readAccess(type: Home, handler: object): Access {
  const before = known.get(handler)?.get(type);
  if (before !== undefined) return before;
  const access = resolve(type, handler);
  const classes = known.get(handler) ?? new WeakMap<object, Access>();
  known.set(handler, classes.set(type, access));
  return access;
}

/** A class and the classes that it extends, the nearest first. */
export function lineOf(type: Home): readonly Home[] {
  const line: Home[] = [];
  for (let at: object | null = type; typeof at === 'function' && at !== Function.prototype; ) {
    line.push(at as Home);
    at = Object.getPrototypeOf(at);
  }
  return line;
}

/** The methods that a class itself declares, by name. */
export function methodsOf({ prototype }: Home): readonly (readonly [name: string, method: object])[] {
  const declared = Object.entries(Object.getOwnPropertyDescriptors(prototype ?? {}));
  return declared.flatMap(([name, { value }]) =>
    typeof value === 'function' && name !== 'constructor' ? [[name, value] as const] : [],
  );
}

function resolve(type: Home, handler: object): Access {
  const line = lineOf(type);
  const own = noteOf(handler);
  const index = line.findIndex((at) => methodsOf(at).some(([, method]) => method === handler));
  checkHandler(type, handler, line, index);
  // The class that declares the handler, and the classes between it and `type`.
  const near = [own, ...line.slice(0, Math.max(index, 0) + 1).map(noteOf)];
  const far = line.slice(Math.max(index, 0) + 1).map(noteOf);
  const rules = first([...near, ...far], 'rules');
  const access = first(near, 'access') ?? closing(first(far, 'access')) ?? NOTHING_ASKED;
  return Object.freeze({
    isPublic: first(near, 'isPublic') === true,
    isAsking: (first(near, 'isPublic') ?? first(far, 'isPublic')) === false,
    rules,
    access,
    whole: rules === undefined ? access : accessWith(access, { claims: rules }),
  });
}

function first<Name extends keyof Note>(
  notes: readonly (Note | undefined)[],
  name: Name,
): Note[Name] | undefined {
  return notes.find((note) => note?.[name] !== undefined)?.[name];
}

/** Returns the restricting part of an access: without a mode that lets anonymous requests pass. */
function closing(access: CompiledAccess | undefined): CompiledAccess | undefined {
  if (access === undefined || access.mode === undefined || access.mode === 'strict') return access;
  const made = closed.get(access) ?? accessWith(access, { mode: undefined });
  closed.set(access, made);
  return made;
}

/**
 * Refuses a handler whose rules are lost: the guard would decide on it by other rules than its
 * author wrote.
 */
function checkHandler(type: Home, handler: object, line: readonly Home[], index: number): void {
  const declaring = line[index];
  const own = noteOf(handler);
  if (declaring === undefined) {
    // Nest calls the method of the instance: one that the constructor has bound has no notes.
    if (own === undefined && line.some(hasStatedMethods))
      throw new ConfigError(
        type.name,
        'a handler is not a method of its class, so its decorators are lost; call the method of the class',
      );
    return;
  }
  const [name = ''] = methodsOf(declaring).find(([, method]) => method === handler) ?? [];
  const path = `${declaring.name}.${name}`;
  const stated = statedAt(declaring.prototype, name);
  if (
    stated !== undefined &&
    (['isPublic', 'rules', 'access'] as const).some((key) => stated[key] !== own?.[key])
  )
    throw new ConfigError(
      path,
      'a decorator has replaced the method and lost its access; put @RequireClaims, @Authenticate or @Public above that decorator',
    );
  if (own !== undefined) return;
  for (const replaced of line.slice(index + 1)) {
    const note =
      statedAt(replaced.prototype, name) ??
      noteOf(Object(methodsOf(replaced).find(([at]) => at === name)?.[1]));
    if (note?.isPublic === false)
      throw new ConfigError(
        path,
        `replaces ${replaced.name}.${name}, which requires a token or more, and has no decorator; ${DO_SAY} on it`,
      );
    if (note !== undefined) break;
  }
  const home = homeOf(handler);
  const isCopied = home !== undefined && !line.includes(home) && line.every((at) => noteOf(at) === undefined);
  if (isCopied && noteOf(home)?.isPublic === false)
    throw new ConfigError(
      path,
      `comes from ${home.name}, and has lost the decorators of that class; extend the class, or ${DO_SAY} on ${type.name}`,
    );
}

function hasStatedMethods({ prototype }: Home): boolean {
  return notesIn(prototype) > 0;
}
