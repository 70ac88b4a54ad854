// WWW-Authenticate values: RFC 6750 §3 and RFC 9449 §7.1 over RFC 9110 §11.6.1. They contain fixed
// ASCII and configuration, and nothing from a token.

/** The parameters of a challenge. Every field is configuration or a constant, never token data. */
export interface ChallengeParameters {
  /** The protection space, RFC 9110 §11.5. */
  readonly realm?: string | undefined;
  /** The OAuth error code, RFC 6750 §3.1. Absent if the request has no token. */
  readonly error?: string | undefined;
  readonly description?: string | undefined;
  /** The scopes that the route requires, space-delimited, RFC 6750 §3. */
  readonly scope?: string | undefined;
  /** The URL of the metadata of the protected resource, RFC 9728 §5.1. */
  readonly resourceMetadata?: string | undefined;
  /** The `acr` values that the route accepts, space-delimited, RFC 9470 §3. */
  readonly acrValues?: string | undefined;
  /** How long ago the user may have authenticated, in whole seconds, RFC 9470 §3. */
  readonly maxAgeSeconds?: number | undefined;
}

/** What all challenges of one protection space have in common. It is configuration. */
export interface ProtectionSpace {
  readonly realm: string | undefined;
  /** The URL of the metadata of the protected resource, RFC 9728 §5.1. */
  readonly resourceMetadata: string | undefined;
  /** Scripts of other origins may read the challenge. */
  readonly isExposed: boolean;
  /** Tokens may come, or must come, by the scheme DPoP. Undefined: only by Bearer. */
  readonly dpop?: DpopChallenge | undefined;
  /** The scheme by which the token of the request came. Default: Bearer. */
  readonly scheme?: 'DPoP' | undefined;
}

/** What a challenge says of DPoP, RFC 9449 §7.1. */
export interface DpopChallenge {
  /** The algorithms of proofs, space-delimited. */
  readonly algs: string;
  /** A token must come by DPoP. */
  readonly isRequired: boolean;
}

/**
 * Renders the challenges of all schemes: first that of the scheme by which the token came. The
 * other one is only offered (RFC 9449 §7.2): what the client has to do is said once.
 */
export function challenges(
  parameters: ChallengeParameters,
  dpop: DpopChallenge | undefined,
  scheme: 'DPoP' | undefined,
): string {
  if (dpop === undefined && scheme === undefined) return render('Bearer', parameters);
  const { resourceMetadata } = parameters;
  const offer = { resourceMetadata };
  const isByDpop = scheme === 'DPoP' || dpop?.isRequired === true;
  const byDpop = render('DPoP', isByDpop ? parameters : offer, dpop?.algs);
  if (dpop?.isRequired !== false) return byDpop;
  const byBearer = render('Bearer', isByDpop ? offer : parameters);
  return (isByDpop ? [byDpop, byBearer] : [byBearer, byDpop]).join(', ');
}

/**
 * Renders one Bearer challenge. Does *not* check its input: the readers of the options check realms
 * and scopes.
 */
export function bearerChallenge(parameters: ChallengeParameters): string {
  return render('Bearer', parameters);
}

function render(
  scheme: 'Bearer' | 'DPoP',
  { realm, error, description, scope, resourceMetadata, acrValues, maxAgeSeconds }: ChallengeParameters,
  algs?: string,
): string {
  const parameters: string[] = [];
  if (realm !== undefined) parameters.push(`realm=${quote(realm)}`);
  if (error !== undefined) parameters.push(`error=${quote(error)}`);
  if (description !== undefined) parameters.push(`error_description=${quote(description)}`);
  if (scope !== undefined) parameters.push(`scope=${quote(scope)}`);
  if (resourceMetadata !== undefined) parameters.push(`resource_metadata=${quote(resourceMetadata)}`);
  if (acrValues !== undefined) parameters.push(`acr_values=${quote(acrValues)}`);
  if (maxAgeSeconds !== undefined) parameters.push(`max_age="${maxAgeSeconds}"`);
  if (algs !== undefined) parameters.push(`algs=${quote(algs)}`);
  return parameters.length === 0 ? scheme : `${scheme} ${parameters.join(', ')}`;
}

/** True for printable ASCII: the text that every header parser accepts inside a quoted-string. */
export function isHeaderText(text: string): boolean {
  return /^[\x20-\x7e]+$/.test(text);
}

/** True for one scope-token, RFC 6749 §3.3. A challenge names only such scopes. */
export function isScopeToken(text: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text);
}

/** A quoted-string, RFC 9110 §5.6.4. */
function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
