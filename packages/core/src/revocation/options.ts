// Options of the revocation of tokens. What a revocation is, is in revocation.ts.
import type { Duration } from '../values/duration.ts';
import { coming, lasting, other, replaced } from '../values/judge.ts';
import {
  choice,
  defaulted,
  durationFrom,
  fileName,
  type Kind,
  object,
  optional,
  refined,
  type TableOf,
  whole,
} from '../values/option.ts';

/** How tokens are ended before they expire. */
export interface RevocationOptions {
  /**
   * How old the list of a file or a feed may be: when it has not been confirmed for longer, every
   * token is answered with 503 `revocation_unavailable`. So this is also how long a revoked token
   * may still be accepted by another process. 1s to 10m. Default 30s. Without effect on the memory
   * of this process.
   */
  readonly maxStale?: Duration;
  /**
   * How long a revocation is remembered that has no `until`: at least as long as the tokens of the
   * issuers are valid. 1m to 3650d. Default 24h.
   */
  readonly remember?: Duration;
  /**
   * The greatest number of revocations at one time. While one does not fit, every token is answered
   * with 503. 1 to 10000000. Default 1000000.
   */
  readonly entries?: number;
  /**
   * A file with the revocations, one JSON object per line: see docs/revocation.md. It is followed,
   * and `revoke` and `latchkey revoke` add to it. It must exist; an empty file is an empty list.
   * Not together with `revocationFeed`. Default: the memory of this process, which other processes
   * do not see, and which a restart forgets.
   */
  readonly file?: string;
  /**
   * `accept`: tokens are accepted by the last list while it is older than `maxStale`, or was never
   * read, or is full. Who has a revoked token can then use it during an outage. Causes a warning.
   * Default: they are answered with 503.
   */
  readonly unsafeStale?: 'accept';
}

/** The options of revocation. */
export const revocationOptions = object(
  {
    maxStale: defaulted(
      durationFrom('1s', '10m'),
      '30s',
      'How old the list of a file or a feed may be, before every token is answered with 503. 1s to 10m.',
      lasting('opens', 'tokens are accepted by a list of revocations that was confirmed within'),
    ),
    remember: defaulted(
      durationFrom('1m', '3650d'),
      '24h',
      'How long a revocation without until is remembered: at least as long as tokens are valid. 1m to 3650d.',
      lasting('closes', 'revocations are remembered for'),
    ),
    entries: defaulted(
      whole(1, 10_000_000, 'expected a whole number of revocations from 1 to 10000000'),
      1_000_000,
      'The greatest number of revocations. While one does not fit, every token is answered with 503.',
      other('another number of revocations is remembered'),
    ),
    file: optional(
      fileName,
      'A file with the revocations, one JSON object per line. It is followed, and must exist. Default: the memory of each process.',
      coming(
        ['closes', 'tokens that the file revokes are refused'],
        ['opens', 'the revocations of the file are not read any more'],
        replaced('revocations are in another file'),
      ),
    ),
    unsafeStale: optional(
      choice('accept'),
      'accept: tokens are accepted although the list of revocations is too old, or was never read.',
      coming(
        ['opens', 'revoked tokens may be accepted while the list of revocations is unavailable'],
        ['closes', 'no token is accepted while the list of revocations is unavailable'],
        replaced('revoked tokens may be accepted while the list of revocations is unavailable'),
      ),
    ),
  } satisfies TableOf<RevocationOptions>,
  {},
  { like: "options of revocation, such as { file: 'revocations.jsonl' }" },
);

/** Checked options of revocation. */
export interface RevocationSettings {
  readonly maxStaleMs: number;
  readonly rememberMs: number;
  readonly entries: number;
  /** Undefined: the list is that of a feed, or the memory of this process. */
  readonly file: string | undefined;
  readonly acceptsStale: boolean;
}

/** `revocation`. */
export const revocation: Kind<RevocationSettings> = refined(
  revocationOptions,
  ({ maxStale, remember, entries, file, unsafeStale }) =>
    Object.freeze<RevocationSettings>({
      maxStaleMs: maxStale,
      rememberMs: remember,
      entries,
      file,
      acceptsStale: unsafeStale === 'accept',
    }),
);
