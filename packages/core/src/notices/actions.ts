// What the events of a verified token ask for: which access tokens end, and what the application is
// told. Ends nothing itself.
import { MAX_NUMERIC_DATE } from '../claims/registered.ts';
import { AuthError } from '../errors.ts';
import type { Revocation } from '../revocation/revocation.ts';
import { isJsonObject, type JsonObject, type JsonValue, own } from '../values/json.ts';
import type { ReceivedEvent, ReceivedEventKind } from './options.ts';
import { eventsOf, LOGOUT_EVENT } from './policy.ts';
import { type Subject, subjectsOf } from './subjects.ts';

/** One event, and the tokens that it ends. */
export interface Action {
  readonly event: ReceivedEvent;
  readonly revocations: readonly Revocation[];
}

/** Which issuers a transmitter speaks for, by its own. */
export type TokenIssuers = ReadonlyMap<string, readonly string[]>;

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type';
const RISC = 'https://schemas.openid.net/secevent/risc/event-type';
/** The events that end tokens. */
const KINDS: ReadonlyMap<string, ReceivedEventKind> = new Map([
  [`${CAEP}/session-revoked`, 'session-revoked'],
  [`${RISC}/sessions-revoked`, 'sessions-revoked'],
  [`${RISC}/account-disabled`, 'account-disabled'],
  [`${RISC}/account-purged`, 'account-purged'],
  // What Google sends.
  ['https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked', 'sessions-revoked'],
]);

/** The transmitter may not end tokens of the issuer that it names. */
function notItsIssuer(): AuthError {
  return new AuthError('token_issuer_untrusted', {
    detail: 'the subject is of an issuer that the transmitter does not speak for; see tokenIssuers',
  });
}

/**
 * The action of a logout token.
 * @throws AuthError if the transmitter names an issuer that it does not speak for
 */
export function logoutAction(claims: JsonObject, issuers: TokenIssuers, endsSubject: boolean): Action {
  const [sub, sid] = [own(claims, 'sub'), own(claims, 'sid')];
  const time = Number(own(claims, 'iat')) * 1000;
  const bySubject = typeof sub === 'string' && (endsSubject || sid === undefined);
  const subject: Subject = bySubject
    ? { by: 'sub', id: sub, issuer: undefined }
    : { by: 'sid', id: String(sid), issuer: undefined };
  const revocations = revocationsOf([subject], claims, issuers, time);
  return {
    event: Object.freeze<ReceivedEvent>({
      kind: 'logout',
      type: LOGOUT_EVENT,
      issuer: revocations[0]?.issuer ?? '',
      ...(typeof sub === 'string' ? { sub } : {}),
      ...(typeof sid === 'string' ? { sid } : {}),
      time,
      claims,
    }),
    revocations,
  };
}

/**
 * The actions of a security event token.
 * @throws AuthError if the transmitter names an issuer that it does not speak for
 */
export function eventActions(claims: JsonObject, issuers: TokenIssuers): readonly Action[] {
  return Object.entries(eventsOf(claims)).map(([type, event]) =>
    actionOf(type, isJsonObject(event) ? event : {}, claims, issuers),
  );
}

function actionOf(type: string, event: JsonObject, claims: JsonObject, issuers: TokenIssuers): Action {
  const kind = KINDS.get(type) ?? 'other';
  const time = timeOf(event, claims);
  const subjects =
    kind === 'other' ? [] : subjectsOf(identifierOf(event, claims), kind === 'session-revoked');
  const revocations = revocationsOf(subjects, claims, issuers, time);
  const find = (by: Subject['by']) => subjects.find((one) => one.by === by)?.id;
  const [sub, sid] = [find('sub'), find('sid')];
  return {
    event: Object.freeze<ReceivedEvent>({
      kind,
      type,
      issuer: revocations[0]?.issuer ?? String(own(claims, 'iss')),
      ...(sub === undefined ? {} : { sub }),
      ...(sid === undefined ? {} : { sid }),
      time,
      claims,
    }),
    revocations,
  };
}

/** RFC 9493 §4.1: `sub_id`. Drafts had `subject` in the event, and RFC 8417 §2.2 has `sub`. */
function identifierOf(event: JsonObject, claims: JsonObject): JsonValue | undefined {
  const sub = own(claims, 'sub');
  return (
    own(claims, 'sub_id') ??
    own(event, 'subject') ??
    (sub === undefined ? undefined : { format: 'opaque', id: sub })
  );
}

/**
 * When an event happened, in milliseconds since the epoch. It is never later than the token, so
 * that no token ends that is issued afterwards.
 */
function timeOf(event: JsonObject, claims: JsonObject): number {
  const iat = Number(own(claims, 'iat')) * 1000;
  for (const value of [own(event, 'event_timestamp'), own(claims, 'toe')]) {
    if (typeof value !== 'number') continue;
    // Drafts of CAEP had milliseconds.
    const time = value < MAX_NUMERIC_DATE ? value * 1000 : value;
    if (time >= LEAST_TIME_MS && time <= iat) return time;
  }
  return iat;
}

/** In 1973: a smaller number is not a time of an event. */
const LEAST_TIME_MS = 100_000_000_000;

function revocationsOf(
  subjects: readonly Subject[],
  claims: JsonObject,
  tokenIssuers: TokenIssuers,
  time: number,
): readonly Revocation[] {
  const transmitter = String(own(claims, 'iss'));
  const spokenFor = tokenIssuers.get(transmitter) ?? [transmitter];
  return subjects.flatMap(({ by, id, issuer = transmitter }) => {
    const issuers = issuer === transmitter ? spokenFor : spokenFor.filter((one) => one === issuer);
    if (issuers.length === 0) throw notItsIssuer();
    return issuers.map((one): Revocation => {
      if (by === 'sub') return { issuer: one, sub: id, issuedBefore: time };
      return by === 'sid' ? { issuer: one, sid: id } : { issuer: one, jti: id };
    });
  });
}
