// A process beside the measured one, told what to do by name: both ends of the pipe. Knows nothing
// of what is done.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What a companion can be told to do. */
export type Moves = { readonly [name: string]: (...given: never[]) => unknown };

/** The measured process's end. */
export interface Companion<M extends Moves> {
  /** Resolves when it has been done, with what came of it. */
  call<N extends keyof M & string>(name: N, ...given: Parameters<M[N]>): Promise<Awaited<ReturnType<M[N]>>>;
  stop(): Promise<void>;
}

type Request = { readonly seq: number; readonly name: string; readonly given: never[] };
type Reply = { readonly seq: number } & ({ readonly result: unknown } | { readonly error: string });

/** Milliseconds that both processes can compare: monotonic, from one wall clock. */
export function sharedNow(): number {
  return performance.timeOrigin + performance.now();
}

/** Starts a companion: a file of this directory that calls `serve`. */
export function startCompanion<M extends Moves>(file: string): Companion<M> {
  const child = fork(fileURLToPath(import.meta.resolve(`./${file}`)), { serialization: 'advanced' });
  const waiting = new Map<number, (reply: Reply) => void>();
  let lastSeq = 0;
  child.on('message', (message) => {
    const reply = message as Reply;
    waiting.get(reply.seq)?.(reply);
  });
  child.on('exit', (code) => {
    for (const [seq, settle] of waiting) settle({ seq, error: `${file} ended, exit code ${code}` });
  });
  return {
    call: (name, ...given) =>
      new Promise((resolve, reject) => {
        const seq = ++lastSeq;
        waiting.set(seq, (reply) => {
          waiting.delete(seq);
          if ('error' in reply) reject(new Error(reply.error));
          // Both ends are this application: what a move gives is what its type says.
          else resolve(reply.result as never);
        });
        child.send({ seq, name, given }, (error) => {
          if (error !== null) waiting.get(seq)?.({ seq, error: error.message });
        });
      }),
    async stop() {
      if (!child.connected) return;
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

/**
 * A companion's end. When the measured process ends, however it does, `end` is called and then this
 * one ends.
 */
export function serve(moves: Moves, end: () => unknown = () => {}): void {
  process.on('message', async (message) => {
    const { seq, name, given } = message as Request;
    try {
      send({ seq, result: await moves[name]?.(...given) });
    } catch (error) {
      send({ seq, error: String(error) });
    }
  });
  process.on('disconnect', async () => {
    await end();
    process.exit();
  });
}

function send(reply: Reply): void {
  process.send?.(reply);
}
