// The receiver of logout tokens and security event tokens: judges a token, ends the access tokens
// that it names, and tells the application. Adapters read the request and send the answer.
import { createHash } from 'node:crypto';
import type { Authenticator } from '../decision/authenticator.ts';
import type { CombinedAuthenticator } from '../decision/combine.ts';
import { type AuthError, asError, isAuthError } from '../errors.ts';
import { publish, warn } from '../events.ts';
import { withDeadline } from '../net/deadline.ts';
import { createReplayMemory } from '../possession/replay.ts';
import { createReplayGuard } from '../possession/replay-guard.ts';
import type { Revocation } from '../revocation/revocation.ts';
import { type Marked, ofThisCopy } from '../values/copies.ts';
import { type JsonObject, own } from '../values/json.ts';
import { type Action, eventActions, logoutAction } from './actions.ts';
import { type Answers, denied, type EventAnswer, logoutAnswers, pushAnswers } from './answers.ts';
import { type EventRequest, findToken } from './body.ts';
import { type EventReceiverOptions, type EventReceiverSettings, readReceiverOptions } from './options.ts';
import { MAX_LOGOUT_AGE_MS } from './policy.ts';
import { createSources, type NoticeKind } from './sources.ts';

/** Receives events from providers. `receiveEvents` of an adapter makes a route of it. */
export interface EventReceiver extends Marked {
  readonly kind: 'event receiver';
  /** A longer body has no token that is accepted. It changes with the options. */
  readonly maxBodyBytes: number;
  /**
   * Answers a request with a token. Rejects only for faults of the service. The answers have
   * nothing of a token in them.
   */
  receive(request: EventRequest): Promise<EventAnswer>;
  /** Closes the `keySets` of its options. The authenticator stays open. */
  close(): Promise<void>;
}

/** A form has other fields, and their names. */
const OTHER_BYTES = 1024;
/** How long a feed of revocations may take. */
const REVOKE_DEADLINE_MS = 5_000;
/** How long the id of a security event token is remembered. */
const REMEMBERED_MS = 86_400_000;
/** The greatest number of ids, where the authenticator has no `replayStore`. */
const MAX_REMEMBERED = 100_000;
/** The greatest number of events that `onEvent` has failed for, and that may come again. */
const MAX_FAILED = 1_000;

/**
 * Makes a receiver of logout tokens (OpenID Connect Back-Channel Logout 1.0) and security event
 * tokens (RFC 8417) of CAEP and RISC. They are verified by the keysets of the authenticator, and
 * end access tokens by its `revocation`: a logout, `session-revoked`, `sessions-revoked`,
 * `account-disabled` and `account-purged`. Other events are acknowledged, and given to `onEvent`.
 * @param authenticator its options need `revocation`, unless `onEvent` does all that is to be done
 * @throws ConfigError for wrong options, and without `revocation` and `onEvent`
 * @example
 * ```ts
 * const receiver = createEventReceiver(authenticator, { logout: { clientId: 'web' } });
 * ```
 */
export function createEventReceiver(
  authenticator: Authenticator | CombinedAuthenticator,
  options: EventReceiverOptions,
): EventReceiver {
  const settings = readReceiverOptions(options);
  const sources = createSources(authenticator, settings);
  const { clock, replayStore } = sources.first.settings;
  const memory = replayStore ?? createReplayMemory(MAX_REMEMBERED, clock, 'ids of events');
  const isUsed = createReplayGuard(memory, false);
  /** By id: tokens that were not handled to their end. */
  const failed = new Set<string>();
  /** By id: those that are being handled. */
  const running = new Map<string, Promise<EventAnswer>>();
  let hasWarned = false;

  async function receive(request: EventRequest): Promise<EventAnswer> {
    const { kind, token } = findToken(request);
    const answers = answersOf(kind, settings);
    const isOff = kind === 'logout' ? settings.logout === undefined : settings.securityEvents === undefined;
    if (kind === 'unknown' || isOff || token === undefined) return answers.malformed;
    try {
      return await handle(kind, token, answers);
    } catch (error) {
      if (!isAuthError(error)) throw error;
      return refuse(error, answers);
    }
  }

  async function handle(kind: NoticeKind, token: string, answers: Answers): Promise<EventAnswer> {
    const { claims, revokers } = await sources.judge(kind, token);
    const { tokenIssuers, logout } = settings;
    let actions: readonly Action[];
    try {
      actions =
        kind === 'logout'
          ? [logoutAction(claims, tokenIssuers, logout?.endsSubject === true)]
          : eventActions(claims, tokenIssuers);
    } catch (error) {
      if (kind !== 'event' || !isAuthError(error)) throw error;
      publish('latchkey:event:refused', { error });
      return denied;
    }
    const revocations = actions.flatMap((action) => action.revocations);
    try {
      // First, and again for a duplicate: that ends nothing more.
      await revokeAll(revocations, revokers, settings);
    } catch (error) {
      return fail(error, answers);
    }
    const id = idOf(kind, claims);
    const before = running.get(id);
    if (before !== undefined) {
      // Sent again before there was an answer: it is a duplicate only if the first one was handled.
      const answer = await before;
      return answer === answers.accepted ? answers.duplicate : answer;
    }
    const told = tell(id, rememberedUntil(kind, claims), actions, answers);
    running.set(id, told);
    try {
      return await told;
    } finally {
      running.delete(id);
    }
  }

  /** Tells the application, unless the token has come before. */
  async function tell(
    id: string,
    untilMs: number,
    actions: readonly Action[],
    answers: Answers,
  ): Promise<EventAnswer> {
    const comesAsAsked = failed.delete(id);
    const refusal = await isUsed(id, untilMs, {});
    if (refusal?.code === 'replay_unavailable') {
      // A store that is late may have noted the id all the same.
      comesAgain(id);
      return fail(refusal, answers);
    }
    if (refusal !== undefined && !comesAsAsked) return answers.duplicate;
    try {
      for (const { event } of actions) {
        publish('latchkey:event:received', { kind: event.kind });
        await settings.onEvent?.(event);
      }
    } catch (error) {
      comesAgain(id);
      return fail(error, answers);
    }
    if (settings.onEvent === undefined) warnOfUnknown(actions);
    return answers.accepted;
  }

  /** The sender gets an error, and sends the token again, which is not a duplicate then. */
  function comesAgain(id: string): void {
    if (failed.size < MAX_FAILED) failed.add(id);
  }

  function rememberedUntil(kind: NoticeKind, claims: JsonObject): number {
    const { clockSkewMs } = sources.first.settings.policy.registered;
    return kind === 'logout'
      ? Number(own(claims, 'iat')) * 1000 + MAX_LOGOUT_AGE_MS + clockSkewMs
      : clock.now() + REMEMBERED_MS;
  }

  function warnOfUnknown(actions: readonly Action[]): void {
    const found = actions.find(
      ({ event, revocations }) => event.kind !== 'other' && revocations.length === 0,
    );
    if (found === undefined || hasWarned) return;
    hasWarned = true;
    warn(
      'LATCHKEY_EVENTS',
      `securityEvents: ${found.event.kind} names its subject as no access token does; give onEvent, or ask the transmitter for iss_sub`,
    );
  }

  return Object.freeze<EventReceiver>({
    ...ofThisCopy,
    kind: 'event receiver',
    get maxBodyBytes() {
      return sources.maxTokenBytes() + OTHER_BYTES;
    },
    receive,
    close: sources.close,
  });
}

/** The format of answers: that of the request, or of what the receiver accepts. */
function answersOf(kind: NoticeKind | 'unknown', { logout }: EventReceiverSettings): Answers {
  if (kind === 'event') return pushAnswers;
  return kind === 'logout' || logout !== undefined ? logoutAnswers : pushAnswers;
}

async function revokeAll(
  revocations: readonly Revocation[],
  revokers: readonly ((revocation: Revocation) => Promise<void>)[],
  { onEvent }: EventReceiverSettings,
): Promise<void> {
  if (revokers.length === 0 && onEvent === undefined)
    throw new Error('the options of the authenticator have no revocation any more');
  const never = new AbortController().signal;
  await withDeadline(REVOKE_DEADLINE_MS, never, async () => {
    for (const revoke of revokers) for (const one of revocations) await revoke(one);
  });
}

function refuse(error: AuthError, answers: Answers): EventAnswer {
  if (error.status === 503) return fail(error, answers);
  publish('latchkey:event:refused', { error });
  return answers.refused(error);
}

function fail(error: unknown, answers: Answers): EventAnswer {
  publish('latchkey:event:failed', { error: asError(error) });
  return answers.unavailable;
}

/** What the store remembers: nothing of the token can be read from it. */
function idOf(kind: NoticeKind, claims: JsonObject): string {
  return createHash('sha256')
    .update(JSON.stringify([kind, own(claims, 'iss'), own(claims, 'jti')]))
    .digest('base64url');
}
