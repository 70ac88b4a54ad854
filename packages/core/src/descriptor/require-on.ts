// Defines a global require for the YAML library, which is CommonJS and requires `process`. In a
// bundle that is one ES module, esbuild replaces require() by a function that looks for a global
// require, and throws without one. Elsewhere the library does not see it.
if (!('require' in globalThis))
  Object.defineProperty(globalThis, 'require', { value: process.getBuiltinModule, configurable: true });
