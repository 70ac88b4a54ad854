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
  all(): readonly Aged[];
  clear(): void;
}

/** Makes an empty collection. */
export function createAges(): Ages {
  const sources = new Map<string, { attributes: Attributes; readAtMs: number; isStale: boolean }>();
  const note = (attributes: Attributes, ageMs: number, isStale: boolean) =>
    sources.set(JSON.stringify(attributes), { attributes, readAtMs: performance.now() - ageMs, isStale });
  return {
    refreshed: (attributes) => void note(attributes, 0, false),
    stale: (attributes, ageMs) => void note(attributes, ageMs, true),
    all: () =>
      [...sources.values()].map(({ attributes, readAtMs, isStale }) => ({
        attributes,
        ageSeconds: (performance.now() - readAtMs) / 1000,
        isStale,
      })),
    clear: () => sources.clear(),
  };
}
