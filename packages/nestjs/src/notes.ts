// Stores the notes of decorators: as metadata on the function or the class, which other decorators
// may copy or lose, and here by class and name, which cannot be lost. access.ts interprets them.
import { ConfigError } from '@latchkey/core';
import type { CompiledAccess, CompiledRules } from '@latchkey/core/adapter';
import '@nestjs/common';

/** A class, and its name. */
export interface Home {
  readonly name: string;
  readonly prototype: object;
}

/** The combined notes of the Latchkey decorators on one method or class. */
export interface Note {
  /** True for a public handler; false if other decorators are present. */
  readonly isPublic: boolean;
  readonly rules?: CompiledRules;
  readonly access?: CompiledAccess;
}

/** The metadata of a method or a class, by a key. */
export interface Metadata {
  getMetadata(key: string, target: object): unknown;
  getOwnMetadata(key: symbol, target: object): unknown;
  defineMetadata(key: symbol, value: unknown, target: object): void;
  getMetadataKeys(target: object): readonly unknown[];
}

// Nest loads it.
export const metadata: Metadata = Reflect as never;
const NOTED = Symbol('latchkey');

const stated = new WeakMap<object, Map<string | symbol | undefined, Note>>();
const homes = new WeakMap<object, Home>();

/**
 * Makes a decorator that notes its values, together with those of other decorators on the same
 * method or class.
 * @returns a decorator
 * @throws ConfigError, from the decorator, if one contradicts another
 */
export function note(said: Note): ClassDecorator & MethodDecorator {
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor) => {
    const before = statedAt(target, key);
    const place =
      key === undefined ? Reflect.get(target, 'name') : `${target.constructor.name}.${String(key)}`;
    const together = before === undefined ? said : join(before, said, place);
    const there = stated.get(target) ?? new Map<string | symbol | undefined, Note>();
    stated.set(target, there.set(key, Object.freeze(together)));
    if (key === undefined) {
      for (const { value } of Object.values(
        Object.getOwnPropertyDescriptors(Reflect.get(target, 'prototype')),
      ))
        if (typeof value === 'function') homes.set(value, target as Home);
    }
    metadata.defineMetadata(NOTED, together, descriptor?.value ?? target);
  };
}

/**
 * Returns the notes of a method, or of a class, also if other decorators have replaced it since.
 */
export function statedAt(target: object, key?: string | symbol): Note | undefined {
  return stated.get(target)?.get(key);
}

/** Returns the number of methods of a prototype that have notes. */
export function notesIn(prototype: object): number {
  return stated.get(prototype)?.size ?? 0;
}

/** Returns the notes on a class itself, or on a function. */
export function noteOf(target: object): Note | undefined {
  return metadata.getOwnMetadata(NOTED, target) as Note | undefined;
}

/** Returns the class that had a method when a Latchkey decorator was applied to that class. */
export function homeOf(method: object): Home | undefined {
  return homes.get(method);
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
