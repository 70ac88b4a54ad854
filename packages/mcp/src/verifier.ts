// Verifies tokens for the middleware of the SDK. The decision is that of core; what is here turns a
// refusal into an error that both versions of the SDK answer with 401.
import { type Authenticator, ConfigError, isAuthError } from '@latchkey/core';
import { readObject, verifyRequest } from '@latchkey/core/adapter';
import { type AuthInfo, authInfoOf } from './auth-info.ts';
import { MCP } from './place.ts';

/** The `OAuthTokenVerifier` of both versions of the SDK. */
export interface TokenVerifier {
  /**
   * @throws the SDK's error for an invalid token, for every refusal that is a 401
   * @throws AuthError with status 503 if the token cannot be checked: the SDK answers 500
   */
  verifyAccessToken(token: string): Promise<AuthInfo>;
}

/** The class of v1: `InvalidTokenError` of `@modelcontextprotocol/sdk/server/auth/errors.js`. */
export type InvalidTokenErrorClass = new (message: string) => Error;

export interface TokenVerifierOptions {
  /**
   * The class of SDK v1, which answers 401 only to errors of its own class. Pass it if webpack puts
   * the SDK into the program. SDK v2 needs none. Default: the class of the installed package.
   */
  readonly InvalidTokenError?: InvalidTokenErrorClass;
}

/**
 * Makes a verifier for `requireBearerAuth` of the SDK: `@modelcontextprotocol/sdk` 1.32 and
 * `@modelcontextprotocol/server` 2. Its errors have constant texts, without anything of the token.
 * The SDK itself refuses a token without `exp`.
 * @throws ConfigError for anything but an authenticator, at once
 * @example
 * ```ts
 * const verifier = tokenVerifier(authenticator);
 * app.use('/mcp', requireBearerAuth({ verifier, requiredScopes: ['mcp'] }));
 * ```
 */
export function tokenVerifier(
  authenticator: Pick<Authenticator, 'verify'>,
  options: TokenVerifierOptions = {},
): TokenVerifier {
  if (typeof Reflect.get(Object(authenticator), 'verify') !== 'function')
    throw new ConfigError(
      'tokenVerifier',
      'expected an authenticator; pass what createAuthenticator returns',
    );
  const given = readObject(options, ['InvalidTokenError'], 'tokenVerifier').InvalidTokenError;
  if (given !== undefined && typeof given !== 'function')
    throw new ConfigError('tokenVerifier.InvalidTokenError', 'expected the class of the SDK');
  // The check above; a class of another form makes an error that the SDK answers with 500.
  const InvalidToken = given === undefined ? installed() : Promise.resolve(given as InvalidTokenErrorClass);
  return Object.freeze<TokenVerifier>({
    async verifyAccessToken(token) {
      try {
        return authInfoOf(await verifyRequest(MCP, () => authenticator.verify(token)));
      } catch (error) {
        if (!isAuthError(error) || error.status !== 401) throw error;
        throw invalidToken((await InvalidToken) ?? Error, error);
      }
    },
  });
}

/** The class of v1; undefined where only v2 is installed. */
async function installed(): Promise<InvalidTokenErrorClass | undefined> {
  try {
    // webpack would take an optional package that is not installed for a mistake.
    const sdk = await import(/* webpackIgnore: true */ '@modelcontextprotocol/sdk/server/auth/errors.js');
    return sdk.InvalidTokenError;
  } catch {
    return undefined;
  }
}

// SDK v2 recognizes its errors by this mark, and not by their class: an application may have
// several copies of it.
const BRANDS: unique symbol = Symbol.for('mcp.sdk.errorBrands');

/** An error of v1 by its class, and of v2 by its mark. */
function invalidToken(InvalidToken: InvalidTokenErrorClass, cause: Error): Error {
  const error = new InvalidToken(cause.message);
  const response = { error: 'invalid_token', error_description: cause.message };
  return Object.defineProperties(error, {
    [BRANDS]: { value: new Set(['mcp.OAuthError']) },
    cause: { value: cause },
    code: { value: response.error },
    toResponseObject: { value: () => response },
  });
}
