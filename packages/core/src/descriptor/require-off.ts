// Run after the YAML library is evaluated.
import { concealRequire } from '../values/builtin.ts';

concealRequire();
