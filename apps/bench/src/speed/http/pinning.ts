// Pins servers to one core and the client to another, if the machine allows it. No process is
// started here.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A command, possibly pinned to a core. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

/** Pins commands to cores, or leaves them unchanged. */
export interface Pinning {
  readonly description: string;
  server(command: Command): Command;
  client(command: Command): Command;
}

/** Detects whether this machine can pin processes. */
export function createPinning(): Pinning {
  const [server, client] = usableCores();
  const isThere = spawnSync('taskset', ['--version']).error === undefined;
  if (!isThere || server === undefined || client === undefined) {
    const same = (command: Command) => command;
    return { description: 'server and client are not pinned to cores', server: same, client: same };
  }
  const on = (core: number) => (command: Command) => ({
    file: 'taskset',
    args: ['--cpu-list', String(core), command.file, ...command.args],
  });
  return {
    description: `server pinned to core ${server}, client to core ${client}`,
    server: on(server),
    client: on(client),
  };
}

/** The cores that this process may use. Linux gives them as `0-1,4`. */
function usableCores(): readonly number[] {
  try {
    const status = readFileSync('/proc/self/status', 'utf8');
    const ranges = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1]?.split(',') ?? [];
    return ranges.flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
  } catch {
    return [];
  }
}
