// The limits that all calls share: duration, and size of the answer. Limits of one kind of value
// are next to that kind.

/**
 * Milliseconds for one whole call: from the name look-up, or from opening a file, to the last byte.
 */
export const DEADLINE_MS = 5_000;
/** Bytes of one document: a JWK Set, metadata, or a descriptor. */
export const MAX_DOCUMENT_BYTES = 512 * 1024;
/** Bytes of the status line and all headers of an answer. */
export const MAX_HEADER_BYTES = 16 * 1024;
/** Cached answers of one endpoint or directory, whatever their size. */
export const MAX_CACHED_ANSWERS = 10_000;
/** Estimated bytes of all these answers. The least recently used ones are dropped first. */
export const MAX_CACHED_BYTES = 16 * 1024 * 1024;
/** Milliseconds. With a longer delay, Node runs a timer at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
