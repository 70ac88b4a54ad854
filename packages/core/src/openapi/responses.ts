// The refusals of a route as responses of OpenAPI: which statuses can be, with the headers that
// adapters send. The body is that of the options.
import { isReportOnly } from '../claims/compile.ts';
import { ALWAYS, isEnforced } from '../claims/enforce.ts';
import { scopesFor } from '../decision/judge-rules.ts';
import { resourceOf } from '../decision/route-resources.ts';
import { AuthError, inSpace } from '../errors.ts';
import type { KeysetSettings } from '../keysets/options.ts';
import { type Asked, checksOf, type Guard, type Judge, judgesOf } from './guards.ts';

const CHALLENGE = {
  description: 'What the client has to do: RFC 6750 §3, RFC 9449 §7.1, RFC 9470 §3.',
  schema: { type: 'string' },
};
const RETRY = { description: 'After how many seconds to try again.', schema: { type: 'integer' } };

/** The responses of a route, by status. */
export function responsesFor(
  guards: readonly Guard[],
  content: object,
): { readonly [status: string]: object } {
  const judges = guards.flatMap((guard) => judgesOf(guard.by, guard));
  const isRefused = guards.some(
    ({ mode, rules }) => mode !== 'permissive' || rules.some((one) => !isReportOnly(one)),
  );
  const [first] = judges;
  const responses: { [status: string]: object } = {};
  // The mode `permissive` ignores credentials that cannot be read, as it ignores bad tokens.
  if (guards.some(({ mode }) => mode !== 'permissive'))
    responses[400] = {
      description: 'The credentials are malformed, or there are several of them.',
      headers: { 'WWW-Authenticate': CHALLENGE },
      content,
    };
  if (isRefused)
    responses[401] = {
      description: 'The token is missing, or was refused.',
      headers: { 'WWW-Authenticate': { ...CHALLENGE, ...(first && { example: challengeOf(first) }) } },
      content,
    };
  if (judges.some(canForbid))
    responses[403] = {
      description: 'The token is valid, and the request is not permitted.',
      headers: { 'WWW-Authenticate': CHALLENGE },
      content,
    };
  if (judges.some(canFail))
    responses[503] = {
      description: 'The token cannot be checked at the moment.',
      headers: { 'Retry-After': RETRY },
      content,
    };
  return responses;
}

/** The challenge to a request without a token. */
function challengeOf({ settings, requires, rules }: Judge): string {
  const named = requires.find(({ resource }) => resource !== undefined)?.resource;
  const space = (settings && resourceOf(named, settings.resources)?.space) ?? settings?.space;
  const refusal = inSpace(new AuthError('credentials_missing'), space);
  const scopes = rules.flatMap((one) =>
    settings === undefined
      ? []
      : (scopesFor(one, { ...settings, always: settings.claims })?.split(' ') ?? []),
  );
  const scope = scopes.length === 0 ? undefined : [...new Set(scopes)].join(' ');
  return refusal.withChallenge({ scope }).headers['WWW-Authenticate'] ?? 'Bearer';
}

/** True if a rule refuses requests now. */
function hasEnforced(asked: Asked): boolean {
  return checksOf(asked).some(({ enforcedFromMs }) => isEnforced(enforcedFromMs));
}

/** Rules, actors, the origin of a cookie and an insecure transport are answered with 403. */
function canForbid(judge: Judge): boolean {
  const { settings, requires } = judge;
  return (
    hasEnforced(judge) ||
    requires.some(
      ({ checks, enforcedFromMs }) =>
        isEnforced(enforcedFromMs ?? ALWAYS) && checks.some(({ about }) => about === 'act'),
    ) ||
    settings?.requireSecureTransport === true ||
    settings?.tokens.places.some((place) => place.in === 'cookie') === true
  );
}

/** Only keys in the options are always there, and only if nothing else has to be asked. */
function canFail({ settings }: Judge): boolean {
  if (settings === undefined) return true;
  const { keysets, keys, keysetFor, remote, groups, possession, revocation, revocationFeed } = settings;
  return (
    keys.length > 0 ||
    keysets.some((keyset) => !isInOptions(keyset)) ||
    [keysetFor, remote, groups, possession?.dpop, revocation, revocationFeed].some(
      (part) => part !== undefined,
    )
  );
}

function isInOptions(keyset: KeysetSettings): boolean {
  if (keyset.source === 'publicKeys') return keyset.publicKeys.every((key) => 'pem' in key);
  return keyset.source === 'jwks';
}
