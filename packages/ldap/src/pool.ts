// A few connections, opened when they are needed and used again. Knows when the directory is not to be asked; knows nothing of searches.
import { performance } from 'node:perf_hooks';
import type { Connection } from './connection.ts';
import { asFailure, failures, retryAfterOf } from './failures.ts';

/** How long somebody waits. */
export interface Deadline {
  /** Aborted when nobody waits any more. */
  readonly signal: AbortSignal;
  /** True if that is for want of an answer in time, and not because the caller left. */
  readonly late: () => boolean;
}

/** A connection that is one's own for a while. */
export interface Lease {
  readonly connection: Connection;
  /** True if it has been used before: it may have been cut meanwhile. */
  readonly reused: boolean;
}

/** How the pool fares. */
export interface PoolReport {
  readonly open: number;
  readonly busy: number;
  readonly waiting: number;
  readonly failures: number;
  readonly lastFailure: string | undefined;
}

/** Connections to one directory. */
export interface Pool {
  /** A connection, when one is free. Rejects if none can be opened, and for a while afterwards without trying. */
  acquire(deadline: Deadline): Promise<Lease>;
  /** Takes a connection back, to give it to whoever is next if it can still be used. */
  release(lease: Lease): void;
  /** Ends the connections that nobody uses: the directory has not answered on another. */
  doubt(): void;
  report(): PoolReport;
  /** Ends all connections, and all waiting. Resolves when the sockets are closed. */
  close(): Promise<void>;
}

const FIRST_HOLD_MS = 100;
const MAX_HOLD_MS = 1_000;

/** Makes a pool that opens nothing yet. */
export function createPool(size: number, open: (signal: AbortSignal) => Promise<Connection>): Pool {
  const idle: Connection[] = [];
  const connections = new Map<Connection, Promise<void>>();
  const openings = new Map<AbortController, Promise<unknown>>();
  /** Each gets a connection, or leave to look for itself. */
  const waiting = new Set<(connection: Connection | undefined) => void>();
  let failed = 0;
  let lastFailure: string | undefined;
  let heldUntil = 0;
  let closed = false;

  function next(connection?: Connection): boolean {
    const [first] = waiting;
    if (first === undefined) return false;
    waiting.delete(first);
    first(connection);
    return true;
  }

  /** Waits for another to have done. */
  function turn(signal: AbortSignal): Promise<Connection | undefined> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        waiting.delete(take);
        reject(signal.reason);
      };
      const take = (connection: Connection | undefined) => {
        signal.removeEventListener('abort', leave);
        resolve(connection);
      };
      signal.addEventListener('abort', leave);
      waiting.add(take);
    });
  }

  async function openOne(deadline: Deadline): Promise<Connection> {
    const heldMs = heldUntil - performance.now();
    if (heldMs > 0 && lastFailure !== undefined) throw failures.held(lastFailure, Math.ceil(heldMs));
    const stopping = new AbortController();
    const stop = () => stopping.abort(deadline.signal.reason);
    deadline.signal.addEventListener('abort', stop);
    const opening = open(stopping.signal);
    openings.set(stopping, opening);
    try {
      const connection = await opening;
      if (closed) {
        connection.wire.end(failures.closed());
        throw failures.closed();
      }
      failed = 0;
      lastFailure = undefined;
      heldUntil = 0;
      keep(connection);
      return connection;
    } catch (error) {
      // Who leaves, or closes the pool, says nothing of the directory.
      if (!closed && (!stopping.signal.aborted || deadline.late())) hold(error);
      throw error;
    } finally {
      openings.delete(stopping);
      deadline.signal.removeEventListener('abort', stop);
    }
  }

  /** The directory is left alone for a while. Several that fail at once count as one. */
  function hold(error: unknown): void {
    const now = performance.now();
    lastFailure = asFailure(error).message;
    if (now < heldUntil) return;
    const backoffMs = Math.min(MAX_HOLD_MS, FIRST_HOLD_MS * 2 ** failed);
    failed++;
    heldUntil = now + Math.max(backoffMs, retryAfterOf(error) ?? 0);
  }

  function keep(connection: Connection): void {
    const gone = new Promise<void>((resolve) => {
      connection.wire.onClosed(() => {
        connections.delete(connection);
        const index = idle.indexOf(connection);
        if (index !== -1) idle.splice(index, 1);
        next();
        resolve();
      });
    });
    connections.set(connection, gone);
  }

  return {
    async acquire(deadline) {
      for (;;) {
        if (closed) throw failures.closed();
        deadline.signal.throwIfAborted();
        const rested = idle.pop();
        if (rested !== undefined) {
          rested.wire.keepAlive(true);
          return { connection: rested, reused: true };
        }
        if (connections.size + openings.size < size) {
          try {
            return { connection: await openOne(deadline), reused: false };
          } catch (error) {
            // Whoever waits for this place may have it.
            next();
            throw error;
          }
        }
        const given = await turn(deadline.signal);
        if (given !== undefined) return { connection: given, reused: true };
      }
    },
    release({ connection }) {
      const { wire } = connection;
      // When it has closed, its place is free: `keep` sees to that.
      if (closed || !wire.sound) wire.end(failures.closed());
      else if (!next(connection)) {
        wire.keepAlive(false);
        idle.push(connection);
      }
    },
    doubt() {
      for (const { wire } of idle.splice(0)) wire.end(failures.lost());
    },
    report: () => ({
      open: connections.size,
      busy: connections.size - idle.length,
      waiting: waiting.size,
      failures: failed,
      lastFailure,
    }),
    async close() {
      closed = true;
      for (const stopping of openings.keys()) stopping.abort(failures.closed());
      for (const { wire } of connections.keys()) wire.end(failures.closed());
      while (next());
      await Promise.allSettled([...openings.values(), ...connections.values()]);
    },
  };
}
