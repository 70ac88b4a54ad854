// Options of DPoP (RFC 9449). How proofs are judged is in dpop.ts.
import { ConfigError } from '../errors.ts';
import { isLoopback } from '../net/addresses.ts';
import { checkUrl } from '../net/options.ts';
import { type AlgorithmName, algorithmNames, findAlgorithm } from '../token/algorithms.ts';
import type { Duration } from '../values/duration.ts';
import { coming, type Judge, lasting, listed, listOf, other, replaced } from '../values/judge.ts';
import {
  choice,
  defaulted,
  durationFrom,
  type Kind,
  list,
  needed,
  object,
  oneOrMany,
  optional,
  patternSchema,
  type ReadBy,
  refined,
  type TableOf,
  text,
  whole,
} from '../values/option.ts';
import { modeJudge, type ProofMode, proofMode } from './mode.ts';

/** How tokens that are bound to a key by DPoP (RFC 9449) are accepted. */
export interface DpopOptions {
  /**
   * `off`: a token that is bound to a key is refused. `allowed`: it is accepted with a proof, and a
   * token that is not bound is a bearer token as before. `required`: a token that is not bound is
   * refused, also one that has verified. A route can tighten this: see `RouteAccess.dpop`.
   */
  readonly mode: ProofMode;
  /**
   * The URL of the service as clients write it, or several: a proof is for the URL that begins with
   * it and ends with the path of the request (`htu`, RFC 9449 §4.3). The host never comes from the
   * request, whatever `Host` or `X-Forwarded-Host` says. If a proxy removes a prefix from the path,
   * write it here: `https://example.com/api`. https, or http to loopback; without a query. Required
   * unless `mode` is `off`.
   */
  readonly publicUrl?: string | readonly string[];
  /**
   * The algorithms of proofs, which metadata and challenges name. Only those with key pairs.
   * Default ES256, EdDSA, Ed25519, PS256 and RS256.
   */
  readonly algorithms?: readonly AlgorithmName[];
  /** How long after its `iat` a proof is accepted. 1s to 10m. Default 60s. */
  readonly maxAge?: Duration;
  /** How far clocks of clients may differ from that of this service. At most 60s. Default 5s. */
  readonly clockSkew?: Duration;
  /**
   * Each proof needs a nonce that the service has sent a short time ago (RFC 9449 §9), so that none
   * can be made in advance. A request without one gets a 401 `proof_nonce_required` with a nonce in
   * `DPoP-Nonce`, and the client tries again. Default: proofs need no nonce. Example: `{ lifetime:
   * '5m' }`.
   */
  readonly nonce?: DpopNonceOptions;
  /**
   * The greatest number of used proofs that the memory of this process remembers, each for `maxAge`
   * and twice `clockSkew`: 1,400 requests a second by default. A proof that does not fit is a 503.
   * Without effect with a `replayStore`. 1 to 10000000. Default 100000.
   */
  readonly replayEntries?: number;
  /**
   * `accept`: a proof is accepted although nothing says whether it was used before, because the
   * `replayStore` fails, is late, or the memory is full. Who has seen a request can then repeat it.
   * Causes a warning. Default: such a request is a 503.
   */
  readonly unsafeReplayFailure?: 'accept';
}

/** The nonces of a service. */
export interface DpopNonceOptions {
  /** How long a nonce is accepted at most; at least half of it. 10s to 1h. Default 5m. */
  readonly lifetime?: Duration;
  /**
   * What nonces are made with, the same in all processes of the service: at least 32 random
   * characters. In a file, write the name of a variable: `${DPOP_NONCE_SECRET}`. Default: each
   * process has its own, and refuses the nonces of another one.
   */
  readonly secret?: string;
}

/** Those with key pairs: RFC 9449 §4.2. */
const pairAlgorithms = algorithmNames.filter((name) => findAlgorithm(name)?.kty !== 'oct');
const DEFAULT_ALGORITHMS: readonly AlgorithmName[] = ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'];

/** The URL before the path of a request. */
const publicUrl: Kind<string> = refined(
  text,
  (written, path) => {
    if (!URL.canParse(written)) throw new ConfigError(path, 'expected a URL, like https://api.example.com');
    const url = new URL(written);
    checkUrl(url, isLoopback(url.hostname), path);
    if (/[?#]/.test(written))
      throw new ConfigError(path, 'must have neither a query nor a fragment; remove it');
    if (!/^[!-[\]-~]+$/.test(written))
      throw new ConfigError(path, 'expected a URL in ASCII, as clients write it');
    return `${url.origin}${url.pathname.replace(/\/$/, '')}`;
  },
  patternSchema('^[hH][tT][tT][pP][sS]?://[^/?#@]+(?:/[^?#]*)?$'),
);

const algorithmsJudge: Judge = (before, after, fallback) =>
  listed({ more: 'opens', thing: 'algorithm of proofs' })(
    listOf(before ?? fallback),
    listOf(after ?? fallback),
  );

/** 32 characters of base64url are 192 bits. */
const MIN_SECRET_CHARS = 32;

/** The options of nonces. */
export const nonceOptions = object({
  lifetime: defaulted(
    durationFrom('10s', '1h'),
    '5m',
    'How long a nonce is accepted at most; at least half of it. 10s to 1h.',
    lasting('opens', 'a nonce is accepted for'),
  ),
  secret: optional(
    refined(text, (secret, path) => {
      if (secret.length < MIN_SECRET_CHARS)
        throw new ConfigError(
          path,
          `expected at least ${MIN_SECRET_CHARS} random characters, got ${secret.length}`,
        );
      return secret;
    }),
    'What nonces are made with, in all processes of the service: at least 32 random characters, from a variable.',
    other('nonces are made with another secret'),
  ),
} satisfies TableOf<DpopNonceOptions>);

/** The options of DPoP. */
export const dpopOptions = object(
  {
    mode: needed(
      proofMode,
      'off: tokens that are bound to a key are refused. allowed: they need a proof. required: other tokens are refused too.',
      modeJudge,
    ),
    publicUrl: optional(
      oneOrMany(publicUrl),
      'The URL of the service as clients write it, before the path of a request, or several. Proofs are for it.',
      coming(
        ['changes', 'proofs are for this URL'],
        ['changes', 'proofs are for no URL'],
        replaced('proofs are for another URL'),
      ),
    ),
    algorithms: defaulted(
      list(choice(...pairAlgorithms)),
      DEFAULT_ALGORITHMS,
      'The algorithms of proofs.',
      algorithmsJudge,
    ),
    maxAge: defaulted(
      durationFrom('1s', '10m'),
      '60s',
      'How long after iat a proof is accepted. 1s to 10m.',
      lasting('opens', 'a proof is accepted for'),
    ),
    clockSkew: defaulted(
      durationFrom('0s', '60s'),
      '5s',
      'How far the clocks of clients may differ from the clock of this service. At most 60s.',
      lasting('opens', 'clocks of clients may differ by'),
    ),
    nonce: optional(
      nonceOptions,
      'Proofs need a nonce that the service has sent a short time ago, in DPoP-Nonce.',
      coming(
        ['closes', 'a proof needs a nonce of the service'],
        ['opens', 'a proof needs no nonce of the service'],
        nonceOptions.judge,
      ),
    ),
    replayEntries: defaulted(
      whole(1, 10_000_000, 'expected a whole number of proofs from 1 to 10000000'),
      100_000,
      'The greatest number of used proofs in the memory of this process. A proof that does not fit is a 503.',
      other('another number of used proofs is remembered'),
    ),
    unsafeReplayFailure: optional(
      choice('accept'),
      'accept: a proof is accepted although nothing says whether it was used before.',
      coming(
        ['opens', 'a proof may be used again while the store of used proofs fails'],
        ['closes', 'a proof is refused while the store of used proofs fails'],
        replaced('a proof may be used again while the store of used proofs fails'),
      ),
    ),
  } satisfies TableOf<DpopOptions>,
  { anyOf: [{ required: ['publicUrl'] }, { properties: { mode: { const: 'off' } } }] },
  { like: "options of DPoP, such as { mode: 'allowed', publicUrl: 'https://api.example.com' }" },
);

/** Checked options of DPoP. */
export interface DpopSettings {
  readonly isRequired: boolean;
  /** Without a slash at the end. */
  readonly publicUrls: readonly string[];
  readonly algorithms: ReadonlySet<AlgorithmName>;
  readonly maxAgeMs: number;
  readonly clockSkewMs: number;
  /** Undefined: proofs need no nonce. */
  readonly nonce: ReadBy<typeof nonceOptions.table> | undefined;
  readonly replayEntries: number;
  readonly acceptsReplayFailure: boolean;
}

/** `dpop`; undefined where it is off. */
export const dpop: Kind<DpopSettings | undefined> = {
  schema: dpopOptions.schema,
  judge: dpopOptions.judge,
  read(value, path) {
    const read = dpopOptions.read(value, path);
    const { mode, publicUrl: urls, maxAge, clockSkew, replayEntries } = read;
    if (mode === 'off') return undefined;
    if (urls === undefined)
      throw new ConfigError(
        `${path}.publicUrl`,
        'is required: the URL of the service as clients write it, like https://api.example.com',
      );
    return Object.freeze<DpopSettings>({
      isRequired: mode === 'required',
      publicUrls: Object.freeze([...new Set([urls].flat())]),
      algorithms: new Set(read.algorithms),
      maxAgeMs: maxAge,
      clockSkewMs: clockSkew,
      nonce: read.nonce,
      replayEntries,
      acceptsReplayFailure: read.unsafeReplayFailure === 'accept',
    });
  },
};
