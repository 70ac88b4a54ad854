// A second process that the measured process calls by function name: both ends of the pipe. The
// functions are in other files.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The functions of a companion. */
export type Moves = { readonly [name: string]: (...given: never[]) => unknown };

/** The end in the measured process. */
export interface Companion<M extends Moves> {
  /** Calls a function in the companion. Resolves with its result. */
  call<N extends keyof M & string>(name: N, ...given: Parameters<M[N]>): Promise<Awaited<ReturnType<M[N]>>>;
  stop(): Promise<void>;
}

type Request = { readonly seq: number; readonly name: string; readonly given: never[] };
type Reply = { readonly seq: number } & ({ readonly result: unknown } | { readonly error: string });

/** A time in milliseconds that both processes can compare: monotonic, based on one wall clock. */
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
          // This application has both ends, so the result has the type of the function.
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
 * The end in the companion. When the measured process ends for any reason, the companion calls
 * `end` and exits.
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
