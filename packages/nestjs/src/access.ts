// What decorators note on classes and methods, and how it is read for a handler. A note that lets
// more in counts for the methods of the class that has it, and of the classes that this one
// extends. A note that lets less in counts for every subclass, too.
import { ConfigError } from '@latchkey/core';
import type { CompiledAccess, CompiledRules } from '@latchkey/core/adapter';
import { accessWith, compileAccess } from '@latchkey/core/adapter';
import type { ExecutionContext } from '@nestjs/common';
import { type Home, homeOf, type Note, noteOf, notesIn, statedAt } from './notes.ts';

/**
 * What to inject to get the application's authenticator: `@Inject(LATCHKEY_AUTHENTICATOR)
 * authenticator: Authenticator`, to verify a token that did not come as the bearer token of a
 * request, or to await `ready()`. A symbol: no metadata of types is needed.
 */
export const LATCHKEY_AUTHENTICATOR: unique symbol = Symbol('LATCHKEY_AUTHENTICATOR');

/** What a handler asks for. */
export interface Access {
  readonly isPublic: boolean;
  /** True if a decorator asks for a token, or more. */
  readonly isAsking: boolean;
  readonly rules: CompiledRules | undefined;
  readonly access: CompiledAccess;
  /** Both in one. */
  readonly whole: CompiledAccess;
}

const NOTHING_ASKED = compileAccess({});
const DO_SAY = 'say @RequireClaims, @Authenticate or @Public';

// By the handler and by the class, which may have inherited it: what is noted is noted before
// either is called.
const known = new WeakMap<object, WeakMap<object, Access>>();
// One for each: a token is verified once for all that ask the same.
const closed = new WeakMap<CompiledAccess, CompiledAccess>();

/** Reads what the handler of a context asks for. @throws ConfigError as `readAccess` does */
export function accessOf(context: ExecutionContext): Access {
  return readAccess(context.getClass(), context.getHandler());
}

/**
 * Reads what a handler asks for. Nothing said is a token needed.
 * @throws ConfigError for a handler that has lost what decorators said of it
 */
export function readAccess(type: Home, handler: object): Access {
  const before = known.get(handler)?.get(type);
  if (before !== undefined) return before;
  const access = resolve(type, handler);
  const classes = known.get(handler) ?? new WeakMap<object, Access>();
  known.set(handler, classes.set(type, access));
  return access;
}

/** A class and those that it extends, the nearest first. */
export function lineOf(type: Home): readonly Home[] {
  const line: Home[] = [];
  for (let at: object | null = type; typeof at === 'function' && at !== Function.prototype; ) {
    line.push(at as Home);
    at = Object.getPrototypeOf(at);
  }
  return line;
}

/** The methods that a class declares itself, by name. */
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
  // The class that declares the handler, and those that extend it on the way to `type`.
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

/** What of an access lets less in: not a mode that lets anonymous requests in. */
function closing(access: CompiledAccess | undefined): CompiledAccess | undefined {
  if (access === undefined || access.mode === undefined || access.mode === 'strict') return access;
  const made = closed.get(access) ?? accessWith(access, { mode: undefined });
  closed.set(access, made);
  return made;
}

/** Refuses a handler whose rules are lost: what decides on it is then not what its author wrote. */
function checkHandler(type: Home, handler: object, line: readonly Home[], index: number): void {
  const declaring = line[index];
  const own = noteOf(handler);
  if (declaring === undefined) {
    // Nest calls what an instance has: a method that its constructor has bound has no notes.
    if (own === undefined && line.some(hasStatedMethods))
      throw new ConfigError(type.name, 'a handler is not a method of its class, and has lost what it asks');
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
      'a decorator has replaced the method and lost what it asks; put @RequireClaims, @Authenticate or @Public above it',
    );
  if (own !== undefined) return;
  for (const replaced of line.slice(index + 1)) {
    const note =
      statedAt(replaced.prototype, name) ??
      noteOf(Object(methodsOf(replaced).find(([at]) => at === name)?.[1]));
    if (note?.isPublic === false)
      throw new ConfigError(
        path,
        `replaces ${replaced.name}.${name}, which asks for a token or more, and says nothing; ${DO_SAY} on it`,
      );
    if (note !== undefined) break;
  }
  const home = homeOf(handler);
  const isCopied = home !== undefined && !line.includes(home) && line.every((at) => noteOf(at) === undefined);
  if (isCopied && noteOf(home)?.isPublic === false)
    throw new ConfigError(
      path,
      `comes from ${home.name}, and has lost what that class asks; extend the class, or ${DO_SAY} on ${type.name}`,
    );
}

function hasStatedMethods({ prototype }: Home): boolean {
  return notesIn(prototype) > 0;
}
