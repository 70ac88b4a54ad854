// Answers with public documents: the keys of a signer, the metadata of protected resources, and
// health checks.
import * as core from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import type { Signer } from '@latchkey/core/signing';

/**
 * Makes a handler that answers every request with the public JWK Set of a signer, and with a 503 if
 * its keys cannot be read. It needs no token.
 * @throws ConfigError for anything but a signer, at once
 * @example
 * ```ts
 * // app/.well-known/jwks.json/route.ts
 * export const GET = publishKeys(signer);
 * ```
 */
export function publishKeys(signer: Signer): (request: Request) => Promise<Response> {
  adapter.refuseRequest(signer, 'publishKeys', 'a signer');
  const publish = adapter.keysPublisher(signer);
  return async () => {
    try {
      const { headers, body } = await publish();
      return new Response(body, { headers });
    } catch (error) {
      if (core.isAuthError(error)) return adapter.toResponse(error);
      throw error;
    }
  };
}

/**
 * Makes a handler that answers health checks: 200 `{"status":"ready"}` while the authenticators can
 * judge tokens, else 503 `{"status":"unavailable"}`. It says nothing else, because everybody may
 * ask.
 * @param authenticators those of `createAuthenticator`: each one of a combination
 * @throws ConfigError for anything else, at once
 * @example
 * ```ts
 * // app/health/route.ts
 * export const GET = healthCheck(guard.authenticator);
 * ```
 */
export function healthCheck(
  ...authenticators: readonly core.Authenticator[]
): (request: Request) => Response {
  const answer = adapter.healthAnswerer(...authenticators);
  return () => {
    const { status, headers, body } = answer();
    return new Response(body, { status, headers });
  };
}

/**
 * Makes a function that answers requests for the metadata of the protected resources of
 * authenticators (RFC 9728), at the paths that their challenges name, to everybody. For all other
 * requests it gives undefined: call it first, before a guard.
 * @throws ConfigError for an authenticator without `resource`, at once
 * @example
 * ```ts
 * const metadata = publishResource(guard.authenticator);
 * const fetch = async (request: Request) => metadata(request) ?? (await handle(request));
 * ```
 */
export function publishResource(
  ...authenticators: readonly (core.Authenticator | core.CombinedAuthenticator)[]
): (request: Request) => Response | undefined {
  const { answer } = adapter.resourcePublisher(...authenticators);
  return ({ method, url }) => {
    const found = answer(method, url);
    if (found === undefined) return undefined;
    const { status, headers, body } = found;
    return new Response(body === '' ? null : body, { status, headers });
  };
}
