// Asks the remote endpoint who vouches for a token, and then, if the options say so, the keysets
// (vouch.ts). The claims are not checked here.
import { AuthError, refusalIn } from '../errors.ts';
import { isOverloaded } from '../net/breaker.ts';
import { isBearerToken, type RemoteEndpoint, unverifiedClaims } from '../remote/endpoint.ts';
import { createRefusals, type Refusals } from '../remote/refusals.ts';
import { type JsonObject, own } from '../values/json.ts';
import { isPromise } from '../values/promise.ts';
import type { AuthenticatorSettings } from './settings.ts';
import { ends, notTheSystem, type Verdict, type Vouch, type Vouched } from './vouch.ts';

/** What the keysets say of a token. */
interface KeyFinding {
  /** The claims of a token that a key signed and that has not expired. */
  readonly claims: JsonObject | undefined;
  /** The keys are unavailable, so a key may have signed it. */
  readonly isUndecided: boolean;
}

type FoundByKey = KeyFinding | Promise<KeyFinding>;

const UNDECIDED: KeyFinding = Object.freeze({ claims: undefined, isUndecided: true });

/** Makes the function that asks the endpoint, and `byKey` for the tokens that keys decide on. */
export function createVouchByEndpoint(
  settings: AuthenticatorSettings,
  endpoint: RemoteEndpoint,
  byKey: Vouch,
): Vouch {
  const { maxTokenBytes, systemSubject, remote: remoteSettings } = settings;
  const { clockSkewMs } = settings.policy.registered;
  /** The tokens that the endpoint refused. The keysets must not accept them while it fails. */
  const refusals =
    remoteSettings?.onReject === 'deny' && remoteSettings.onError === 'next'
      ? createRefusals(settings.clock, clockSkewMs)
      : undefined;

  /** Asks the endpoint and then, if the options or the system subject require it, the keysets. */
  async function byEndpoint(token: string, verdict: Verdict): Promise<Vouched | undefined> {
    const { trace } = verdict;
    // A text that is not a bearer token is not sent to the endpoint; the keysets refuse it too.
    if (!isBearerToken(token, maxTokenBytes)) {
      trace?.({ stage: 'remote', outcome: 'not asked' });
      return byKey(token, verdict);
    }
    const { claims, unavailable } = await askEndpoint(token);
    const isRefused = claims === undefined && actionAfter(unavailable) !== 'next';
    const refusal = isRefused ? (unavailable ?? new AuthError('token_rejected')) : undefined;
    const outcome = claims === undefined ? (unavailable ? 'unavailable' : 'rejected') : 'accepted';
    trace?.({ stage: 'remote', outcome, detail: unavailable?.detail, refusal });
    if (ends(verdict, refusal)) return undefined;
    if (claims === undefined) return byKeyInstead(token, unavailable, verdict);
    return remoteSettings?.isSystem !== true && hasSystemSubject(claims)
      ? bySystemKey(token, claims, verdict)
      : remotely(token, claims);
  }

  /** @returns neither claims nor an error if the endpoint refuses the token */
  async function askEndpoint(token: string) {
    let claims: JsonObject | undefined;
    let unavailable: AuthError | undefined;
    const byKeys = remoteSettings?.onError === 'next' ? findByKey(token) : UNDECIDED;
    const isSigned = !isPromise(byKeys) && byKeys.claims !== undefined;
    try {
      claims = await endpoint.validate(token, isSigned ? 'signed' : 'any');
    } catch (error) {
      unavailable = refusalIn(error);
    }
    if (claims !== undefined) refusals?.remove(token);
    else if (unavailable === undefined) void rememberRefusal(token, byKeys);
    // The endpoint refused this token while it was available, and that still holds.
    else if (refusals?.has(token) === true) unavailable = undefined;
    return { claims, unavailable };
  }

  /** The option for what happens after the endpoint has refused a token, or has failed. */
  function actionAfter(unavailable: AuthError | undefined) {
    if (unavailable === undefined) return remoteSettings?.onReject;
    // An overload of this process is not a failure of the endpoint.
    return isOverloaded(unavailable.cause) ? 'deny' : remoteSettings?.onError;
  }

  function remotely(token: string, claims: JsonObject): Vouched {
    const ignoresToken = remoteSettings?.ignoresToken === true;
    const tokenClaims = ignoresToken ? undefined : unverifiedClaims(token, maxTokenBytes);
    return { claims, by: undefined, keyset: undefined, isRemote: true, tokenClaims };
  }

  /**
   * Asks the keysets about a token that the endpoint accepts as that of the system. Whatever the
   * endpoint answers, only a key of the system vouches for the system subject.
   */
  async function bySystemKey(
    token: string,
    claims: JsonObject,
    verdict: Verdict,
  ): Promise<Vouched | undefined> {
    const keyVerdict: Verdict = { ...verdict, refusal: undefined };
    const signed = await byKey(token, keyVerdict);
    if (keyVerdict.refusal === undefined && hasSystemSubject(signed?.claims)) return signed;
    // While a keyset is unavailable, the token may be that of the system.
    const isUndecided = keyVerdict.refusal?.status === 503;
    const refusal = isUndecided ? keyVerdict.refusal : notTheSystem();
    verdict.trace?.({ stage: 'remote system', refusal });
    verdict.refusal ??= refusal;
    return isUndecided ? signed : remotely(token, claims);
  }

  /** Asks the keysets because the endpoint has refused the token, or is unavailable. */
  async function byKeyInstead(
    token: string,
    unavailable: AuthError | undefined,
    verdict: Verdict,
  ): Promise<Vouched | undefined> {
    const keyVerdict: Verdict = { ...verdict, refusal: undefined };
    const signed = await byKey(token, keyVerdict);
    // A token that no key has signed may be one that only the endpoint knows.
    const isUndecided = unavailable !== undefined && keyVerdict.refusal?.status === 401;
    if (isUndecided) verdict.trace?.({ stage: 'remote undecided', refusal: unavailable });
    verdict.refusal ??= isUndecided ? unavailable : keyVerdict.refusal;
    return signed;
  }

  function hasSystemSubject(claims: JsonObject = {}): boolean {
    return systemSubject !== undefined && own(claims, 'sub') === systemSubject;
  }

  /**
   * Returns what the keysets say of a token; synchronous if their keys are loaded. Never throws or
   * rejects.
   */
  function findByKey(token: string): FoundByKey {
    const verdict: Verdict = { trace: undefined, facts: undefined, refusal: undefined };
    const finding = (vouched: Vouched | undefined): KeyFinding => {
      const exp = vouched === undefined ? undefined : own(vouched.claims, 'exp');
      // With the leeway, within which the keysets would accept it.
      const endMs = Number(exp ?? Number.POSITIVE_INFINITY) * 1000 + clockSkewMs;
      const claims = endMs > settings.clock.now() ? vouched?.claims : undefined;
      return { claims, isUndecided: verdict.refusal?.status === 503 };
    };
    try {
      const vouched = byKey(token, verdict);
      return isPromise(vouched) ? vouched.then(finding, () => UNDECIDED) : finding(vouched);
    } catch {
      return UNDECIDED;
    }
  }

  /**
   * Remembers that the endpoint refused a token, unless no key has signed it: made-up tokens must
   * not displace others. Until that is known, and while the keys are unavailable, it counts as
   * refused too.
   */
  async function rememberRefusal(token: string, byKeys: FoundByKey): Promise<void> {
    if (refusals === undefined) return;
    if (isPromise(byKeys)) {
      refusals.addUndecided(token);
      const found = await byKeys;
      // The endpoint may have accepted it since.
      if (refusals.isUndecided(token)) conclude(refusals, token, found);
    } else conclude(refusals, token, byKeys);
  }

  return byEndpoint;
}

function conclude(refusals: Refusals, token: string, { claims, isUndecided }: KeyFinding): void {
  if (claims !== undefined) refusals.add(token, claims);
  else if (isUndecided) refusals.addUndecided(token);
  else refusals.remove(token);
}
