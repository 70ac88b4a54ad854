// Which process runs on which core: servers on one, their client on another, where the machine lets
// us say so.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A command that may have been put on a core. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

/** Puts commands on cores, or leaves them as they are. */
export interface Pinning {
  readonly description: string;
  server(command: Command): Command;
  client(command: Command): Command;
}

/** Finds out what can be done here. */
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

/** Linux says which of its cores this process may use: `0-1,4`. */
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
