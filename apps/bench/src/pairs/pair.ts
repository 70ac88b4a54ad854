// Compares two services that run at the same time on one core: each is loaded in turn for a short
// slice, and the CPU time of its main thread per request counts. It does not know what they do.
import type { Client, Rotation } from '../speed/http/client.ts';
import type { Server } from '../speed/http/server.ts';
import { cpuOf } from './cpu.ts';
import { type Spread, spreadOf } from './spread.ts';

/** One of two services, and the tokens that it gets. */
export interface Side {
  readonly server: Server;
  readonly url: string;
  readonly rotation: Rotation;
}

/** How two services compare. */
export interface Comparison {
  /** The CPU time per request of the one, divided by that of the other, slice by slice. */
  readonly cost: Spread;
  /** The requests per second of the one, divided by those of the other. */
  readonly pace: Spread;
  /** Microseconds of CPU time per request of the one and of the other: medians. */
  readonly us: readonly [number, number];
  /** The share of the slices in which the main thread of the one did nothing: the median. */
  readonly idle: number;
}

/** The length of a comparison. */
export interface Length {
  /** The number of slices of each service. */
  readonly slices: number;
  /** Whole seconds. */
  readonly seconds: number;
}

interface Slice {
  readonly us: number;
  readonly perSecond: number;
  readonly idle: number;
}

/** Each token comes twice before the clock runs, because a service may keep it from then on. */
const WARM_TURNS = 3;

/** Loads two services in turn. */
export async function compare(
  client: Client,
  one: Side,
  other: Side,
  { slices, seconds }: Length,
): Promise<Comparison> {
  const at = new Map<Side, number>([one, other].map((side) => [side, 0]));
  async function slice(side: Side): Promise<Slice> {
    const before = cpuOf(side.server.pid);
    const { requests, perSecond } = await client.run(side.url, side.rotation, at.get(side) ?? 0, seconds);
    const us = cpuOf(side.server.pid) - before;
    at.set(side, (at.get(side) ?? 0) + requests);
    if (requests === 0) throw new Error(`${side.url} gave no answers in ${seconds} s`);
    return { us: us / requests, perSecond, idle: 1 - us / ((requests / perSecond) * 1e6) };
  }
  for (const side of [one, other])
    while ((at.get(side) ?? 0) < side.rotation.size * WARM_TURNS) await slice(side);
  const ones: Slice[] = [];
  const others: Slice[] = [];
  for (let turn = 0; turn < slices; turn++) {
    // The order changes, so that neither always runs after the other.
    const isFirst = turn % 2 === 0;
    if (isFirst) ones.push(await slice(one));
    others.push(await slice(other));
    if (!isFirst) ones.push(await slice(one));
  }
  const ratios = (member: keyof Slice) =>
    spreadOf(ones.map((mine, turn) => mine[member] / (others[turn]?.[member] ?? Number.NaN)));
  return {
    cost: ratios('us'),
    pace: ratios('perSecond'),
    us: [spreadOf(ones.map(({ us }) => us)).median, spreadOf(others.map(({ us }) => us)).median],
    idle: spreadOf(ones.map(({ idle }) => idle)).median,
  };
}
