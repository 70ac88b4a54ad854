// Run before the YAML library is evaluated: it requires `process`.
import { exposeRequire } from '../values/builtin.ts';

exposeRequire();
