// Refuses decorators that are written without their call, and arguments that nothing would read.
import { ConfigError } from '@latchkey/core';

/**
 * Refuses the class, the method or the parameter below a decorator, where its own argument is
 * expected. TypeScript gives them to a decorator without a call, and takes what it returns for the
 * method or the class.
 * @param given all arguments of the decorator
 * @param call how it is written
 * @throws ConfigError also for more arguments than `most`
 */
export function refuseTarget(given: readonly unknown[], most: 0 | 1, name: string, call: string): void {
  const place = placeOf(given);
  if (place !== undefined)
    throw new ConfigError(name, `expected a call, got none on ${place}; write ${call}`);
  if (given.length > most)
    throw new ConfigError(
      name,
      `expected ${most === 0 ? 'no' : 'one'} argument, got ${given.length}; write ${call}`,
    );
}

/** The name of what a decorator is on; undefined if these are no arguments of that kind. */
function placeOf([target, key]: readonly unknown[]): string | undefined {
  if (typeof key === 'string' || typeof key === 'symbol') {
    const type: unknown = typeof target === 'function' ? target : Reflect.get(Object(target), 'constructor');
    return `${nameOf(type)}.${String(key)}`;
  }
  return typeof target === 'function' ? nameOf(target) : undefined;
}

function nameOf(type: unknown): string {
  return String(Reflect.get(Object(type), 'name'));
}
