// Removes the global require of require-on.ts.
if (Reflect.get(globalThis, 'require') === process.getBuiltinModule)
  Reflect.deleteProperty(globalThis, 'require');
