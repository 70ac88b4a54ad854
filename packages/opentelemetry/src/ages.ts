// When each source was read for the last time, and whether what it gave is too old.
import type { Attributes } from '@opentelemetry/api';

/** One source. */
export interface Aged {
  readonly attributes: Attributes;
  readonly ageSeconds: number;
  readonly isStale: boolean;
}

/** The sources of one kind, by their attributes. */
export interface Ages {
  refreshed(attributes: Attributes): void;
  stale(attributes: Attributes, ageMs: number): void;
  /** Notes the state of a source, as a report has it. */
  found(attributes: Attributes, ageMs: number, isStale: boolean): void;
  /**
   * Notes that sources are gone. They stay, with an age of 0: OpenTelemetry exports the last value
   * of each series until the process ends, so an old one would stay stale for ever.
   */
  gone(is: (attributes: Attributes) => boolean): void;
  all(): readonly Aged[];
}

/** Makes an empty collection. */
export function createAges(): Ages {
  const sources = new Map<
    string,
    { attributes: Attributes; readAtMs: number | undefined; isStale: boolean }
  >();
  const note = (attributes: Attributes, ageMs: number, isStale: boolean) =>
    sources.set(JSON.stringify(attributes), { attributes, readAtMs: performance.now() - ageMs, isStale });
  return {
    refreshed: (attributes) => void note(attributes, 0, false),
    stale: (attributes, ageMs) => void note(attributes, ageMs, true),
    found: (attributes, ageMs, isStale) => void note(attributes, ageMs, isStale),
    gone(is) {
      for (const source of sources.values())
        if (is(source.attributes)) Object.assign(source, { readAtMs: undefined, isStale: false });
    },
    all: () =>
      [...sources.values()].map(({ attributes, readAtMs, isStale }) => ({
        attributes,
        ageSeconds: readAtMs === undefined ? 0 : (performance.now() - readAtMs) / 1000,
        isStale,
      })),
  };
}
