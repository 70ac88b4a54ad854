// Preloaded by a test: the published command, but with what it imports taken from source, so that
// nothing has to be built first.
import { registerHooks } from 'node:module';

registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier === '../dist/index.js' ? '../src/index.ts' : specifier, context),
});
