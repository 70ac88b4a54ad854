// The limits that all calls share: how long one may take, and how much it may bring. Limits of one
// kind of value are with that kind.

/**
 * Milliseconds for one whole call: from the name look-up, or from opening a file, to the last byte.
 */
export const DEADLINE_MS = 5_000;
/** Bytes of one document: a JWK Set, metadata, a descriptor. */
export const MAX_DOCUMENT_BYTES = 512 * 1024;
/** Answers of one endpoint or directory that are kept at a time, whatever is in them. */
export const MAX_CACHED_ANSWERS = 10_000;
/** Bytes that they may take together, by an estimate. The ones used longest ago go first. */
export const MAX_CACHED_BYTES = 16 * 1024 * 1024;
/** Milliseconds. Node runs a timer at once if its delay is longer. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
