// WWW-Authenticate values: RFC 6750 §3 over RFC 9110 §11.6.1. They contain fixed ASCII and
// configuration, and nothing from a token.

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
}

/**
 * Renders one Bearer challenge. Does *not* check its input: the readers of the options check realms
 * and scopes.
 */
export function bearerChallenge({
  realm,
  error,
  description,
  scope,
  resourceMetadata,
  acrValues,
  maxAgeSeconds,
}: ChallengeParameters): string {
  const parameters: string[] = [];
  if (realm !== undefined) parameters.push(`realm=${quote(realm)}`);
  if (error !== undefined) parameters.push(`error=${quote(error)}`);
  if (description !== undefined) parameters.push(`error_description=${quote(description)}`);
  if (scope !== undefined) parameters.push(`scope=${quote(scope)}`);
  if (resourceMetadata !== undefined) parameters.push(`resource_metadata=${quote(resourceMetadata)}`);
  if (acrValues !== undefined) parameters.push(`acr_values=${quote(acrValues)}`);
  if (maxAgeSeconds !== undefined) parameters.push(`max_age="${maxAgeSeconds}"`);
  return parameters.length === 0 ? 'Bearer' : `Bearer ${parameters.join(', ')}`;
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
