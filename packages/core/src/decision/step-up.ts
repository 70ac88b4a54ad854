// Step-up authentication (RFC 9470): what a route requires of the authentication of the user, and
// the refusal that tells the client what to ask its authorization server for.
import { isScopeToken } from '../challenge.ts';
import { isNumericDate } from '../claims/registered.ts';
import { AuthError, ConfigError } from '../errors.ts';
import { durationText } from '../values/duration.ts';
import { type JsonObject, own } from '../values/json.ts';
import { duration, type Kind, list, patternSchema, refined, text } from '../values/option.ts';

/** What a route requires of the authentication of the user. At least one of both is given. */
export interface StepUp {
  readonly acr: readonly string[] | undefined;
  readonly maxAgeMs: number | undefined;
}

/** The time at which a requirement is judged. */
export interface JudgedAt {
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  readonly clockSkewMs: number;
}

/** They are in the challenge, next to scopes and a URL; some clients accept no long header. */
const MAX_ACR = 500;

const acrValue: Kind<string> = refined(
  text,
  (value, path) => {
    // The challenge has the values in one quoted string, with spaces between them.
    if (isScopeToken(value)) return value;
    throw new ConfigError(path, 'expected printable ASCII without spaces, quotes and backslashes');
  },
  patternSchema('^[\\x21\\x23-\\x5b\\x5d-\\x7e]+$'),
);

/** `acr`. */
export const acr: Kind<readonly string[]> = refined(list(acrValue), (values, path) => {
  if (values.join(' ').length <= MAX_ACR) return values;
  throw new ConfigError(path, `expected values of at most ${MAX_ACR} characters, to fit in a challenge`);
});

/** `maxAge`, in milliseconds. The challenge has it in whole seconds. */
export const maxAge: Kind<number> = refined(duration, (lengthMs, path) => {
  if (lengthMs >= 1_000 && lengthMs % 1_000 === 0) return lengthMs;
  throw new ConfigError(path, `expected whole seconds, 1s or more, got ${durationText(lengthMs)}`);
});

/** Returns what a route requires; undefined if it requires nothing of the authentication. */
export function stepUpOf(values: StepUp): StepUp | undefined {
  return values.acr === undefined && values.maxAgeMs === undefined ? undefined : Object.freeze(values);
}

/** Checks `acr`. Returns the refusal; undefined if the token passes. */
export function judgeAcr(stepUp: StepUp, claims: JsonObject): AuthError | undefined {
  if (stepUp.acr === undefined) return undefined;
  const value = own(claims, 'acr');
  if (typeof value === 'string' && stepUp.acr.includes(value)) return undefined;
  return insufficient(stepUp, `acr of the token is none of ${stepUp.acr.join(', ')}`);
}

/** Checks `auth_time`. Returns the refusal; undefined if the token passes. */
export function judgeAge(
  stepUp: StepUp,
  claims: JsonObject,
  { nowMs, clockSkewMs }: JudgedAt,
): AuthError | undefined {
  const { maxAgeMs } = stepUp;
  if (maxAgeMs === undefined) return undefined;
  const time = own(claims, 'auth_time');
  if (!isNumericDate(time)) return insufficient(stepUp, 'auth_time is not a time in seconds, or is missing');
  const ageMs = nowMs - time * 1000;
  if (ageMs < -clockSkewMs) return insufficient(stepUp, 'auth_time is in the future');
  // Not `ageMs > …`: a clock without a time must not let a token pass.
  if (ageMs <= maxAgeMs + clockSkewMs) return undefined;
  const [age, most] = [ageMs, maxAgeMs].map((spanMs) => Math.floor(spanMs / 1000));
  return insufficient(stepUp, `the user authenticated ${age} s ago; maxAge of the route is ${most} s`);
}

/** Both requirements are in the challenge, because the next token has to meet both. */
function insufficient({ acr: values, maxAgeMs }: StepUp, detail: string): AuthError {
  return new AuthError('authentication_insufficient', {
    detail,
    acrValues: values?.join(' '),
    maxAgeSeconds: maxAgeMs === undefined ? undefined : maxAgeMs / 1000,
  });
}
