// The options of a keyset about the tokens that its keys verify: each replaces the option of the
// same name for all keysets. The options about its keys are in options.ts.
import { audiencesOrNull } from '../claims/audience.ts';
import type { Rules } from '../claims/rules.ts';
import { tokenRules } from '../claims/token-rules.ts';
import { normalizeType } from '../token/parse.ts';
import type { Duration } from '../values/duration.ts';
import { coming, flag, lasting, listed, listOf, replaced } from '../values/judge.ts';
import {
  boolean,
  choice,
  duration,
  durationFrom,
  type Kind,
  oneOrMany,
  optional,
  type ReadBy,
  refined,
  type TableOf,
  text,
} from '../values/option.ts';

/** What a keyset says of the tokens that its keys verify. */
export interface KeysetTokenOptions {
  /**
   * The audience of tokens of this keyset, or several, in place of `audience` of the options. So no
   * issuer can make tokens for the audience of another one. With several keysets for one issuer,
   * that of the keyset whose key has verified the token counts. Null turns the check of `aud` off
   * for this keyset. Default: `audience` of the options, which is not needed if all have their own.
   */
  readonly audience?: string | readonly string[] | null;
  /**
   * Rules on the tokens of this keyset, in addition to `claims` of the options. If one does not
   * hold, the token is invalid: 401. Default: none.
   */
  readonly claims?: Rules;
  /** The accepted `typ` values, in place of `typ` of the options. Default: those of the options. */
  readonly typ?: string | readonly string[];
  /** In place of `maxTokenAge` of the options. Default: that of the options. */
  readonly maxTokenAge?: Duration;
  /** In place of `maxLifetime` of the options, 1s to 3650d. Default: that of the options. */
  readonly maxLifetime?: Duration;
  /** In place of `numericSub` of the options. Default: that of the options. */
  readonly numericSub?: boolean;
  /** In place of `profile` and `typ` of the options. Default: those of the options. */
  readonly profile?: 'at+jwt';
}

/** The accepted types. In the set, undefined is a token without `typ`. */
export const acceptedTypes: Kind<ReadonlySet<string | undefined>> = {
  ...refined(
    oneOrMany(text),
    (types): ReadonlySet<string | undefined> => new Set([types].flat().map(normalizeType)),
  ),
  judge: (before, after) => listed({ more: 'opens', thing: 'typ' })(typesOf(before), typesOf(after)),
};

/** The types that are accepted where no option says which. */
export const DEFAULT_TYPES: ReadonlySet<string | undefined> = new Set([undefined, 'jwt', 'at+jwt']);

/** `profile`. */
export const profile: Kind<'at+jwt'> = {
  ...choice('at+jwt'),
  judge: coming(
    ['closes', 'tokens must have a profile'],
    ['opens', 'tokens no longer need a profile'],
    replaced('tokens must have another profile'),
  ),
};

/** `maxTokenAge`. */
export const maxTokenAge: Kind<number> = {
  ...duration,
  judge: lasting('opens', 'tokens may be as old as'),
};

/** `maxLifetime`. */
export const maxLifetime: Kind<number> = {
  ...durationFrom('1s', '3650d'),
  judge: lasting('opens', 'tokens may be made for'),
};

/** `numericSub`. */
export const numericSub: Kind<boolean> = {
  ...boolean,
  judge: flag('opens', 'a sub may be a number'),
};

/** The table of these options. */
export const keysetTokenOptions = {
  audience: optional(
    audiencesOrNull,
    'The audience of tokens of this keyset, or several. null turns the check of aud off for them. Default: audience of the options.',
  ),
  claims: optional(
    tokenRules,
    'Rules on the tokens of this keyset, next to claims of the options. If one does not hold, the answer is 401.',
  ),
  typ: optional(acceptedTypes, 'The accepted typ values. Default: those of the options.'),
  maxTokenAge: optional(
    maxTokenAge,
    'How long after iat a token is accepted; iat is then required. Default: that of the options.',
  ),
  maxLifetime: optional(
    maxLifetime,
    'The longest time from iat to exp; both are then required. Default: that of the options.',
  ),
  numericSub: optional(
    numericSub,
    'Whether sub may be a whole number, which becomes a text. Default: that of the options.',
  ),
  profile: optional(
    profile,
    'at+jwt: tokens must be OAuth access tokens by RFC 9068. Default: that of the options.',
  ),
} satisfies TableOf<KeysetTokenOptions>;

/** The names of these options. */
export const KEYSET_TOKEN_OPTIONS = [
  'audience',
  'claims',
  'typ',
  'maxTokenAge',
  'maxLifetime',
  'numericSub',
  'profile',
] as const satisfies readonly (keyof KeysetTokenOptions)[];

/** What a keyset says of its tokens, checked. Undefined: the options decide. */
export type KeysetTokenSettings = ReadBy<typeof keysetTokenOptions>;

/** The accepted types, with a word for a missing typ. */
function typesOf(value: unknown): readonly unknown[] {
  if (value === undefined) return [...DEFAULT_TYPES].map((type) => type ?? 'no typ');
  return listOf(value).map((type) => (typeof type === 'string' ? normalizeType(type) : type));
}
