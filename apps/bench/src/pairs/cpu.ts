// Reads from the operating system how long the main thread of another process has run. Other load
// on the machine hardly changes that time. Linux only.
import { readFileSync } from 'node:fs';

/**
 * The time that the main thread of a process has run, in microseconds.
 * @throws Error where the operating system does not tell it
 */
export function cpuOf(pid: number): number {
  const [nanoseconds = ''] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ');
  return Number(nanoseconds) / 1_000;
}
