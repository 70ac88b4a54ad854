// `pnpm properties`: tries the properties of core on many generated tokens and options, 100,000
// tokens by default. `--runs N` tries another number, `--seed N` repeats a run. A case that fails
// is shrunk and kept in packages/core/test/properties/examples.json.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '100000' }, seed: { type: 'string', default: '' } },
});
const tests = positionals.length === 0 ? ['packages/core/test/properties/'] : positionals;
const { status } = spawnSync('vitest', ['run', '--project=all', '--reporter=default', ...tests], {
  env: { ...process.env, NO_COLOR: '1', LATCHKEY_RUNS: values.runs, LATCHKEY_SEED: values.seed },
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
