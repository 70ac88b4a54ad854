// The answers of receivers. Their texts are constant: nothing of a token is in them.
import type { AuthError } from '../errors.ts';

/** What is sent. */
export interface EventAnswer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
}

/** How the answers of one kind of tokens look. */
export interface Answers {
  readonly accepted: EventAnswer;
  /** The same token was accepted before. */
  readonly duplicate: EventAnswer;
  /** The request is not one of the protocol. */
  readonly malformed: EventAnswer;
  /** It cannot be decided, or done, now. */
  readonly unavailable: EventAnswer;
  refused(error: AuthError): EventAnswer;
}

const RETRY_AFTER_SECONDS = '30';

/**
 * OpenID Connect Back-Channel Logout 1.0 §2.8: 200, or 400 if the request was invalid or the logout
 * failed. It knows no other status, so also what cannot be done now is a 400.
 */
export const logoutAnswers: Answers = (() => {
  const failed = (error: string, description: string) => json(400, { error, error_description: description });
  const invalid = failed('invalid_request', 'The logout token is not valid.');
  return Object.freeze<Answers>({
    accepted: answer(200, {}, ''),
    duplicate: failed('invalid_request', 'The logout token was received before.'),
    malformed: failed('invalid_request', 'Expected a form with one logout_token.'),
    unavailable: failed('temporarily_unavailable', 'The logout cannot be done now.'),
    refused: () => invalid,
  });
})();

/** RFC 8935 §2.2 to §2.4. */
export const pushAnswers: Answers = (() => {
  const failed = (err: string, description: string) => json(400, { err, description });
  const invalid = failed('invalid_request', 'The security event token is not valid.');
  const key = failed('invalid_key', 'The key or the algorithm of the token is not accepted.');
  const byCode: { readonly [code: string]: EventAnswer } = {
    token_issuer_untrusted: failed('invalid_issuer', 'The issuer is not accepted.'),
    token_audience_mismatch: failed('invalid_audience', 'The token is for another receiver.'),
    token_signature_invalid: failed('authentication_failed', 'The signature is not valid.'),
    token_key_unknown: key,
    token_algorithm_refused: key,
  };
  const accepted = answer(202, {}, '');
  return Object.freeze<Answers>({
    accepted,
    duplicate: accepted,
    malformed: failed('invalid_request', 'Expected a body of application/secevent+jwt.'),
    unavailable: answer(503, { 'Retry-After': RETRY_AFTER_SECONDS }, ''),
    refused: ({ code }) => (Object.hasOwn(byCode, code) ? byCode[code] : undefined) ?? invalid,
  });
})();

/** RFC 8935 §2.4: the transmitter may not say this. */
export const denied: EventAnswer = json(400, {
  err: 'access_denied',
  description: 'The transmitter does not speak for the issuer of the subject.',
});

/** The answer to other methods than POST. */
export const notPost: EventAnswer = answer(405, { Allow: 'POST' }, '');

function json(status: number, body: { readonly [name: string]: string }): EventAnswer {
  const headers = { 'Content-Type': 'application/json', 'Content-Language': 'en' };
  return answer(status, headers, JSON.stringify(body));
}

function answer(status: number, headers: EventAnswer['headers'], body: string): EventAnswer {
  return Object.freeze({ status, headers: Object.freeze({ 'Cache-Control': 'no-store', ...headers }), body });
}
