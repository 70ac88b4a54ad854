// WWW-Authenticate values: RFC 6750 §3 over RFC 9110 §11.6.1. Fixed ASCII and configuration only;
// nothing of a token enters.

/** What a challenge may say. Every field is configuration or a constant, never token data. */
export interface ChallengeParameters {
  /** The protection space, RFC 9110 §11.5. */
  readonly realm?: string | undefined;
  /** The OAuth error code, RFC 6750 §3.1. Absent where no token was presented. */
  readonly error?: string | undefined;
  readonly description?: string | undefined;
  /** The scope that a route wants, space-delimited, RFC 6750 §3. */
  readonly scope?: string | undefined;
}

/**
 * Renders one Bearer challenge. Does not check its input: realms and scopes are checked where
 * options are read.
 */
export function bearerChallenge({ realm, error, description, scope }: ChallengeParameters): string {
  const parameters: string[] = [];
  if (realm !== undefined) parameters.push(`realm=${quote(realm)}`);
  if (error !== undefined) parameters.push(`error=${quote(error)}`);
  if (description !== undefined) parameters.push(`error_description=${quote(description)}`);
  if (scope !== undefined) parameters.push(`scope=${quote(scope)}`);
  return parameters.length === 0 ? 'Bearer' : `Bearer ${parameters.join(', ')}`;
}

/**
 * True for what may stand inside a quoted-string without surprising a header parser: printable
 * ASCII.
 */
export function isHeaderText(text: string): boolean {
  return /^[\x20-\x7e]+$/.test(text);
}

/** True for one scope-token, RFC 6749 §3.3: the only scopes that a challenge may name. */
export function isScopeToken(text: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text);
}

/** A quoted-string, RFC 9110 §5.6.4. */
function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
