// The rules on every token, as an option: those of all keysets, and those of one. Rules of routes
// are not read here.
import { ConfigError } from '../errors.ts';
import type { Kind } from '../values/option.ts';
import { type CompiledRules, compileRules, needsRequest } from './compile.ts';
import type { Rules } from './rules.ts';

/** Rules on tokens. They know no route and no request. */
export const tokenRules: Kind<CompiledRules> = {
  read(value, path) {
    // compileRules refuses a value that is not a rule.
    const compiled = compileRules(value as Rules, path);
    if (compiled.route !== undefined)
      throw new ConfigError(path, 'expected rules, got route(…), which only routes accept');
    if (needsRequest(compiled))
      throw new ConfigError(path, 'fromRequest is allowed in the rules of a route only');
    return compiled;
  },
  schema: { $ref: '#/$defs/rules' },
};
