// Runs probes in a runtime: one process for each set of variables, which no other variable reaches.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Outcome, Probe } from '../src/probe-process.ts';
import type { Runtime } from '../src/runtimes.ts';

const PROCESS = fileURLToPath(new URL('../src/probe-process.ts', import.meta.url));

/** Processes of one runtime. */
export interface Prober {
  /** The outcomes of probes, one after the other. */
  run(probes: readonly Probe[], variables: Readonly<Record<string, string>>): Promise<readonly Outcome[]>;
  close(): Promise<void>;
}

/** Processes that start when they are needed. */
export function createProber({ program = '', args }: Pick<Runtime, 'program' | 'args'>): Prober {
  const started = new Map<string, ReturnType<typeof start>>();
  const start = (variables: Readonly<Record<string, string>>) => {
    const { PATH = '', HOME = '', DENO_DIR } = process.env;
    const env = {
      PATH,
      HOME,
      DENO_NO_UPDATE_CHECK: '1',
      ...(DENO_DIR === undefined ? {} : { DENO_DIR }),
      ...variables,
    };
    const child = spawn(program, [...args, PROCESS], { env, stdio: ['pipe', 'pipe', 'ignore'] });
    const closed = once(child, 'close');
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return { child, closed, lines };
  };
  return {
    async run(probes, variables) {
      const name = JSON.stringify(variables);
      const process = started.get(name) ?? start(variables);
      started.set(name, process);
      const { child, lines } = process;
      const outcomes: Outcome[] = [];
      for (const one of probes) {
        child.stdin.write(`${JSON.stringify(one)}\n`);
        const { value, done } = await lines.next();
        if (done === true) throw new Error(`${program} has ended`);
        outcomes.push(JSON.parse(value) as Outcome);
      }
      return outcomes;
    },
    async close() {
      for (const { child, closed } of started.values()) {
        child.stdin.end();
        child.kill('SIGKILL');
        await closed;
      }
    },
  };
}
