// What the services answered, and what they must not have answered. No request is made here.

/** The counts of a run. */
export interface Result {
  /** Answers to valid requests, by status. */
  readonly statuses: { readonly [status: string]: number };
  /** Used proofs that were sent again, and those that were accepted. */
  readonly replays: number;
  readonly acceptedReplays: number;
  /** Requests with revoked tokens after the bound, and those that were accepted. */
  readonly revoked: number;
  readonly acceptedRevoked: number;
  readonly revocations: number;
  /** The times from the moment Redis was ready to the first 200 of each service, in ms. */
  readonly recoveries: readonly number[];
  /** 503s to valid requests later than 2 s after Redis was ready. */
  readonly late: number;
}

export type Reckoning = ReturnType<typeof createReckoning>;

/** How many proofs and tokens are kept for later. */
const KEPT = 2_000;
const RECOVERY_MS = 2_000;

/** Makes an empty reckoning for so many services. */
export function createReckoning(services: number, maxStaleMs: number) {
  const statuses: Record<string, number> = {};
  const proofs: { readonly proof: string; readonly atMs: number }[] = [];
  const tokens = new Map<string, number>();
  const list: string[] = [];
  const recoveries: number[] = [];
  /** The services that have not answered 200 since Redis is ready. */
  let missing = new Set<number>();
  let readyAtMs = Number.POSITIVE_INFINITY;
  let [replays, acceptedReplays, revoked, acceptedRevoked, late] = [0, 0, 0, 0, 0];
  const pick = <T>(from: readonly T[]) => from[Math.floor(Math.random() * from.length)];

  return {
    killing() {
      readyAtMs = Number.POSITIVE_INFINITY;
      missing = new Set();
    },
    ready(atMs: number) {
      readyAtMs = atMs;
      missing = new Set(Array.from({ length: services }, (_, at) => at));
    },
    /** A new proof was sent to these services. At most one may accept it. */
    asked(to: readonly number[], answers: readonly number[], proof: string) {
      const nowMs = Date.now();
      let accepted = 0;
      for (const [at, status] of answers.entries()) {
        if (status === 200) {
          accepted++;
          if (missing.delete(to[at] ?? -1)) recoveries.push(nowMs - readyAtMs);
        }
        if (status === 503 && nowMs - readyAtMs > RECOVERY_MS) late++;
      }
      if (to.length === 1) count(String(answers[0]));
      else {
        replays += accepted;
        acceptedReplays += Math.max(0, accepted - 1);
      }
      if (accepted > 0) {
        proofs.push({ proof, atMs: nowMs });
        if (proofs.length > KEPT) proofs.shift();
      }
    },
    /** One that was accepted before, and is not too old. */
    usedProof() {
      const found = pick(proofs);
      return found !== undefined && Date.now() - found.atMs < 40_000 ? found.proof : undefined;
    },
    replayed(status: number) {
      replays++;
      if (status === 200) acceptedReplays++;
    },
    revoked(token: string, atMs: number) {
      tokens.set(token, atMs);
      list.push(token);
    },
    revokedToken: () => pick(list.slice(-KEPT)),
    askedRevoked(token: string, sentMs: number, status: number) {
      // Before that, another process may not know of it.
      if (sentMs < (tokens.get(token) ?? sentMs) + maxStaleMs) return;
      revoked++;
      if (status === 200) acceptedRevoked++;
    },
    result: (): Result => ({
      statuses,
      replays,
      acceptedReplays,
      revoked,
      acceptedRevoked,
      revocations: tokens.size,
      recoveries,
      late,
    }),
  };

  function count(status: string): void {
    statuses[status] = (statuses[status] ?? 0) + 1;
  }
}
