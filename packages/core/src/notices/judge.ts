// Judges logout tokens and security event tokens by the keysets, the limits and the parser of
// access tokens. What the token asks for is not decided here.
import { withTextSub } from '../claims/numeric-sub.ts';
import { judgeRegisteredClaims, registeredChecks } from '../claims/registered.ts';
import type { NoticeParts } from '../decision/notice-parts.ts';
import { type TokenPolicy, tokenPolicies } from '../decision/token-policy.ts';
import { createVouchByKey, type Verdict, type Vouched } from '../decision/vouch.ts';
import { AuthError } from '../errors.ts';
import { type JsonObject, own } from '../values/json.ts';

/** The claims of a token that was accepted, or why it was refused. */
export type JudgedNotice =
  | { readonly claims: JsonObject; readonly refusal?: undefined }
  | { readonly refusal: AuthError };

/** Judges a token. Rejects with faults that are not refusals. */
export type NoticeJudge = (token: string) => Promise<JudgedNotice>;

/**
 * Makes the judge. No cache: a token comes once.
 * @param policy what the tokens must be, whatever the keyset says of access tokens
 */
export function createNoticeJudge(
  { settings, keysets, index, policies: ofKeysets }: NoticeParts,
  policy: TokenPolicy,
): NoticeJudge {
  const policies = tokenPolicies(policy, new Map(), (one) => one);
  const vouch = createVouchByKey(settings, { index, keysets, policies });
  const checks = registeredChecks(policy.registered);

  function judgeVouched(vouched: Vouched | undefined, { refusal }: Verdict): JudgedNotice {
    if (refusal !== undefined) return { refusal };
    if (vouched?.by === undefined) return { refusal: new AuthError('token_rejected') };
    const { numericSub } = (ofKeysets.get(vouched.by.keyset) ?? settings.policy).registered;
    // `sub` is compared with that of access tokens.
    const claims = numericSub === true ? withTextSub(vouched.claims) : vouched.claims;
    // A keyset without an issuer verifies tokens without one.
    if (typeof own(claims, 'iss') !== 'string')
      return { refusal: new AuthError('token_issuer_untrusted', { detail: 'the token has no iss' }) };
    const refused = judgeRegisteredClaims(checks, claims, settings.clock.now());
    return refused === undefined ? { claims } : { refusal: refused };
  }

  return async (token) => {
    const verdict: Verdict = { trace: undefined, facts: undefined, refusal: undefined };
    return judgeVouched(await vouch(token, verdict), verdict);
  };
}
