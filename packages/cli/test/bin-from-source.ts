// Preloaded by a test: runs the published command with imports from source, so that nothing must be
// built first.
import { registerHooks } from 'node:module';

registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier === '../dist/index.js' ? '../src/index.ts' : specifier, context),
});
