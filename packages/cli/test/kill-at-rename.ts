// Preloaded by a test: ends the process as a power cut would, right before or right after the n-th
// time that a file is put in place.
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
