// `pnpm test`: runs vitest with the arguments that it gets. Without a terminal, its output has no
// colours: vitest writes them into pipes too.
import { spawnSync } from 'node:child_process';

const { FORCE_COLOR: _forced, ...env } = process.env;
const { status } = spawnSync('vitest', ['run', ...process.argv.slice(2)], {
  env: process.stdout.isTTY ? process.env : { ...env, NO_COLOR: '1' },
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
