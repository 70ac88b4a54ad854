// A global require() for built-in modules. esbuild replaces require() in a bundle that is one ES
// module by a function that looks for a global one, and throws without it. Outside of such a
// bundle, CommonJS does not see the global.

/** Defines the global, unless there is one. */
export function exposeRequire(): void {
  if (!('require' in globalThis))
    Object.defineProperty(globalThis, 'require', { value: requireBuiltin, configurable: true });
}

/** Removes the global, if `exposeRequire` has defined it. */
export function concealRequire(): void {
  if (Reflect.get(globalThis, 'require') === requireBuiltin) Reflect.deleteProperty(globalThis, 'require');
}

function requireBuiltin(name: string): unknown {
  const found: unknown = process.getBuiltinModule(name);
  if (found === undefined) throw new Error(`Cannot find module '${name}'`);
  return found;
}
