// The last decisions of this process, from the event `latchkey:decision`. Nothing is kept until an
// application asks for it. Who may read them is decided elsewhere.
import { type Channel, channel } from 'node:diagnostics_channel';
import type { DecisionEvent } from '../events.ts';
import { sharedState } from '../values/copies.ts';

/** One decision that is kept: its event, and when it was published. */
export interface RecentDecision extends DecisionEvent {
  /** In ISO 8601, by the clock of the machine. */
  readonly time: string;
}

/** The last decisions of a process. No field has a value of a token, or of a path. */
export interface RecentDecisions {
  /** From when on decisions are kept, in ISO 8601. */
  readonly since: string;
  /** How many decisions were made since then. */
  readonly total: number;
  /** The last of them, at most 100, the latest first. */
  readonly decisions: readonly RecentDecision[];
}

/** What all copies of this package share, so that each request is kept once. */
interface Kept {
  readonly since: string;
  total: number;
  /** A ring: the decision with the number `n` is at `n % MAX_RECENT`. */
  readonly ring: RecentDecision[];
  /** Bun forgets the subscribers of a channel that no object keeps. */
  readonly channel: Channel;
}

const MAX_RECENT = 100;

/** Keeps decisions from the first call on, for as long as the process runs. */
export function keepRecent(): () => RecentDecisions {
  const kept = sharedState('recent decisions', start);
  return () => {
    const { since, total, ring } = kept;
    const decisions: RecentDecision[] = [];
    for (let index = total - 1; index >= 0 && decisions.length < MAX_RECENT; index--) {
      const decision = ring[index % MAX_RECENT];
      if (decision !== undefined) decisions.push(decision);
    }
    return { since, total, decisions };
  };
}

function start(): Kept {
  const kept: Kept = {
    since: new Date().toISOString(),
    total: 0,
    ring: [],
    channel: channel('latchkey:decision'),
  };
  kept.channel.subscribe((message) => {
    const { outcome, code, status, issuer, route, framework, durationMs, cached } = message as DecisionEvent;
    const time = new Date().toISOString();
    // Only these members, whatever another copy of this package publishes.
    kept.ring[kept.total % MAX_RECENT] = {
      ...{ time, outcome, code, status, issuer },
      ...{ route, framework, durationMs, cached },
    };
    kept.total++;
  });
  return kept;
}
