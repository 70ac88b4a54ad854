// Signs fields of a Response. Which replies are signed, and how, is core's.
import * as adapter from '@latchkey/core/adapter';
import type { SignResponseOptions } from '@latchkey/core/signing';

/** Statuses whose `Response` cannot have a body. */
const WITHOUT_BODY = new Set([204, 205, 304]);

/**
 * Makes a function that signs fields of a `Response`. It rejects for a 2xx that is not JSON, or has
 * a field that cannot be signed: answer with an empty 500 then, and with nothing of the response.
 * Responses with another status keep their body only if it has none of the fields.
 * @throws ConfigError for wrong options, at once
 * @example
 * ```ts
 * const sign = signResponse({ signer, keysToSign: ['access_token'] });
 *
 * export async function POST(): Promise<Response> {
 *   const access_token = { sub: 'alice', exp: Math.floor(Date.now() / 1000) + 300 };
 *   return sign(Response.json({ access_token }));
 * }
 * ```
 */
export function signResponse(options: SignResponseOptions): (response: Response) => Promise<Response> {
  adapter.refuseRequest(options, 'signResponse', 'options, such as { signer, keysToSign }');
  const { sign } = adapter.createResponseSigner(options);
  return async (response) => {
    const { status, statusText, body } = response;
    const headers = new Headers(response.headers);
    const signed = await sign({
      status,
      body: body ?? undefined,
      getHeader: (name) => headers.get(name) ?? undefined,
      setHeader: (name, value) => headers.set(name, value),
      removeHeader: (name) => headers.delete(name),
    });
    // Without a result, the reply has no body. Each other body was read.
    if (signed === undefined) return response;
    const left = signed.body.length === 0 || WITHOUT_BODY.has(status) ? null : signed.body;
    return new Response(left as string | null, { status, statusText, headers });
  };
}
