// Where decorators write what they say: on the function or the class as metadata, which other
// decorators may copy or lose, and here by class and name, which cannot be lost.
import { ConfigError } from '@latchkey/core';
import type { CompiledAccess, CompiledRules } from '@latchkey/core/adapter';
import '@nestjs/common';

/** A class, and what it is called. */
export interface Home {
  readonly name: string;
  readonly prototype: object;
}

/** What our decorators on one method or class say together. */
export interface Note {
  /** True of what is public; false of what says anything else. */
  readonly isPublic: boolean;
  readonly rules?: CompiledRules;
  readonly access?: CompiledAccess;
}

/** Metadata of a method or a class, by a key. */
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
 * Notes what a decorator says, together with what others on the same method or class have said.
 * @returns a decorator
 * @throws ConfigError, from the decorator, where one would count against another
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

/** What was said of a method, or of a class, whatever other decorators have made of it since. */
export function statedAt(target: object, key?: string | symbol): Note | undefined {
  return stated.get(target)?.get(key);
}

/** Of how many methods of a prototype something was said. */
export function notesIn(prototype: object): number {
  return stated.get(prototype)?.size ?? 0;
}

/** What is noted on a class itself, or on a function. */
export function noteOf(target: object): Note | undefined {
  return metadata.getOwnMetadata(NOTED, target) as Note | undefined;
}

/** The class that a method stood in when a decorator of ours was put on that class. */
export function homeOf(method: object): Home | undefined {
  return homes.get(method);
}

/** Which of two is nearer would hang on the order of lines: nothing may be said twice. */
function join(before: Note, said: Note, place: string): Note {
  if (before.isPublic !== said.isPublic)
    throw new ConfigError(
      '@Public',
      `expected alone, got a decorator that asks for a token on ${place} as well`,
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
