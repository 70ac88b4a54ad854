// Preloaded by a test: ends the process, like a power failure, immediately before or after the n-th
// rename of a file.
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import process from 'node:process';

const [nth, when] = [Number(process.env.KILL_AT), process.env.KILL_WHEN];
const { rename } = promises;
let count = 0;

promises.rename = async (from, to) => {
  count++;
  if (count === nth && when === 'before') process.kill(process.pid, 'SIGKILL');
  await rename(from, to);
  if (count === nth && when === 'after') process.kill(process.pid, 'SIGKILL');
};
syncBuiltinESMExports();
