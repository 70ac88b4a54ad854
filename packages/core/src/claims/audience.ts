// The audience of a token (RFC 7519 §4.1.3): the options that name audiences, and the check of
// `aud`. Which audiences apply to a token is decided elsewhere.
import { AuthError, ConfigError } from '../errors.ts';
import type { JsonValue } from '../values/json.ts';
import { listed } from '../values/judge.ts';
import { kindOf } from '../values/kind.ts';
import { type Kind, oneOrMany, orNull, refined, text } from '../values/option.ts';

/**
 * `any`: a token names one of the audiences. `all`: it names all of them. `only`: it names one, and
 * no others.
 */
export type AudienceMatch = 'any' | 'all' | 'only';

/** Which audiences a token must name. */
export interface AudiencePolicy {
  /** Null: the audience is not checked. */
  readonly audience: ReadonlySet<string> | null;
  /**
   * Whether the token must name one of the audiences, or all of them, or no others. Default: any.
   */
  readonly audienceMatch?: AudienceMatch | undefined;
  /** The detail of the refusal where `aud` is missing. Default: which audiences are expected. */
  readonly missingAudience?: string | undefined;
  /** Where the audience is not checked: a token that names only these is refused. Default: none. */
  readonly except?: ReadonlySet<string> | undefined;
  /** Whose audiences they are, for details: `of the route`. Default: nothing. */
  readonly owner?: string | undefined;
}

const audienceName: Kind<string> = refined(text, (name, path) => {
  if (name.trim() !== name || /[\p{Cc}\p{Cf}]/u.test(name))
    throw new ConfigError(
      path,
      'expected an audience, got a string with white space at an end or with invisible characters; remove them',
    );
  return name;
});

/** One audience, or several. */
export const audiences: Kind<ReadonlySet<string>> = {
  ...refined(oneOrMany(audienceName), (names): ReadonlySet<string> => new Set([names].flat())),
  judge: listed({ more: 'opens', given: 'closes', thing: 'audience' }),
};

/** One audience, or several; null turns the check off. */
export const audiencesOrNull: Kind<ReadonlySet<string> | null> = orNull(audiences);

/** Checks that a token names audiences of this service. Strings are compared by code points. */
export function checkAudience(
  aud: JsonValue | undefined,
  { audience, audienceMatch = 'any', missingAudience, except, owner }: AudiencePolicy,
): AuthError | undefined {
  if (audience === null) return except === undefined ? undefined : checkOthers(aud, except);
  const names = `${[...audience].join(', ')}${owner === undefined ? '' : ` ${owner}`}`;
  const mismatch = (detail: string) => new AuthError('token_audience_mismatch', { detail });
  if (aud === undefined && missingAudience !== undefined) return mismatch(missingAudience);
  const values: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (values.length === 0 || !values.every((value) => typeof value === 'string' && value !== ''))
    return mismatch(`aud: expected ${names}, got ${aud === undefined ? 'nothing' : kindOf(aud)}`);
  const named: ReadonlySet<unknown> = audience;
  if (audienceMatch === 'all') {
    const found = new Set(values.filter((value) => named.has(value)));
    return found.size === audience.size ? undefined : mismatch(`aud does not name all of ${names}`);
  }
  if (audienceMatch === 'only' && !values.every((value) => named.has(value)))
    return mismatch(`aud names others than ${names}`);
  if (values.some((value) => named.has(value))) return undefined;
  const isNear = values.some(
    (value) => named.has(`${value}/`) || named.has(String(value).replace(/\/$/, '')),
  );
  return mismatch(`aud names none of ${names}${isNear ? '; it differs by a trailing slash' : ''}`);
}

/** Refuses a token that names these audiences, and no other one. */
function checkOthers(aud: JsonValue | undefined, except: ReadonlySet<string>): AuthError | undefined {
  const values: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  const named: ReadonlySet<unknown> = except;
  if (values.length === 0 || !values.every((value) => named.has(value))) return undefined;
  return new AuthError('token_audience_mismatch', { detail: `aud names only ${[...except].join(', ')}` });
}

/** The expectation, for `explain`. */
export function audienceText({ audience, audienceMatch = 'any', except }: AudiencePolicy): string {
  if (audience === null && except !== undefined) return `another than ${JSON.stringify([...except])}`;
  const names = JSON.stringify([...(audience ?? [])]);
  return audienceMatch === 'only'
    ? `one of ${names}, and no other`
    : `${audienceMatch === 'all' ? 'all' : 'one'} of ${names}`;
}
