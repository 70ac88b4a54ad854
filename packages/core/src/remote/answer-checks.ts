// What is checked of an answer that accepts a token: the registered claims, as for a token, and
// which of them may be missing. The endpoint is asked in endpoint.ts.
import { type RegisteredCheck, type RegisteredClaimsPolicy, registeredChecks } from '../claims/registered.ts';
import { AuthError } from '../errors.ts';
import { type JsonObject, own } from '../values/json.ts';
import { kindOf } from '../values/kind.ts';
import type { RemoteSettings } from './options.ts';

/**
 * Chooses the checks of an answer.
 * @param tokenClaims the claims of the JWT that the endpoint accepted; its `aud` is checked apart
 */
export type AnswerChecks = (
  answer: JsonObject,
  tokenClaims: JsonObject | undefined,
) => readonly RegisteredCheck[];

/** Makes the checks of answers. */
export function createAnswerChecks(
  registered: RegisteredClaimsPolicy,
  { client, acceptsMissingAudience }: Pick<RemoteSettings, 'client' | 'acceptsMissingAudience'>,
): AnswerChecks {
  const isIntrospection = client !== undefined;
  // The endpoint says that the token is valid now, so an answer need not have `exp`.
  const policy = { ...registered, requireExp: false, missingAudience: MISSING_AUDIENCE };
  const typeChecks = isIntrospection ? [tokenTypeCheck(registered)] : [];
  const all = [...typeChecks, ...registeredChecks(policy)];
  const skipped = registered.audience === null ? undefined : 'the answer names no audience';
  const withoutAudience = [
    ...typeChecks,
    ...registeredChecks({ ...policy, audience: null }).map((check) =>
      check.claim === 'aud' && skipped !== undefined ? { ...check, skipped } : check,
    ),
  ];
  // An endpoint that answers with a subject has no way to name an audience. RFC 7662 §2.2 has one,
  // and without it a token for another API, or a refresh token, looks the same.
  const requiresAudience = isIntrospection && !acceptsMissingAudience;
  return (answer, tokenClaims) => {
    const isNamed = tokenClaims !== undefined && Object.hasOwn(tokenClaims, 'aud');
    return Object.hasOwn(answer, 'aud') || (requiresAudience && !isNamed) ? all : withoutAudience;
  };
}

const MISSING_AUDIENCE =
  'the answer has no aud, and the token names no audience; let the endpoint answer with aud, or set remote.unsafeMissingAudience';

/** RFC 7662 §2.2, RFC 6749 §7.1: a token of a type that is not understood must not be used. */
function tokenTypeCheck({
  acceptSenderConstrained,
  whyNotProvable,
}: RegisteredClaimsPolicy): RegisteredCheck {
  const proves = whyNotProvable !== undefined;
  const types = acceptSenderConstrained === true || proves ? ['Bearer', 'DPoP'] : ['Bearer'];
  // Some servers, such as Kanidm and old versions of Hydra, answer with the token_type_hint.
  const accepted = new Set([...types.map((type) => type.toLowerCase()), 'access_token']);
  return {
    claim: 'token_type',
    judge: (answer) => {
      const type = own(answer, 'token_type');
      if (type === undefined || (typeof type === 'string' && accepted.has(type.toLowerCase())))
        // RFC 9449 §6.2: without the key, no proof of it could be judged.
        return proves && String(type).toLowerCase() === 'dpop' && !Object.hasOwn(answer, 'cnf')
          ? new AuthError('token_type_refused', { detail: 'token_type is DPoP, but the answer has no cnf' })
          : undefined;
      const got = typeof type === 'string' ? 'another type' : kindOf(type);
      const detail = `token_type: expected ${types.join(' or ')}, got ${got}`;
      return new AuthError('token_type_refused', { detail });
    },
    expected: () => types.join(' or '),
    shown: 'if present',
  };
}
