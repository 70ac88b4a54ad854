// Prototype pollution: a member of Object.prototype that something else in the process has put
// there.

/** What is put there: values that switch things on or off, and values of the wrong type. */
export const HOSTILE: readonly unknown[] = [undefined, null, false, true, 'optional', '.', ['x'], { x: 'x' }];

/** Runs something while every object inherits a member, and takes the member away. */
export function polluted<T>(name: string, value: unknown, run: () => T): T {
  const shared: object = Object.prototype;
  if (Object.hasOwn(shared, name)) throw new Error(`${name} is a member of every object anyway`);
  Object.defineProperty(shared, name, { value, configurable: true, writable: true, enumerable: true });
  try {
    return run();
  } finally {
    Reflect.deleteProperty(shared, name);
  }
}
