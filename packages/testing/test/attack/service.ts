// A service with an authenticator of core, and nothing else.
import type { RequestListener } from 'node:http';
import { type Authenticator, isAuthError, type RouteAccess } from '@latchkey/core';

/** Answers at `/orders`, for tokens that the access accepts. */
export function serviceWith(authenticator: Authenticator, access: RouteAccess = {}): RequestListener {
  return async (request, response) => {
    if (request.url?.split('?')[0] !== '/orders') {
      response.writeHead(404).end();
      return;
    }
    try {
      const principal = await authenticator.authenticate(request, access);
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ subject: principal?.subject }));
    } catch (error) {
      const refusal = isAuthError(error) ? error : undefined;
      response.writeHead(refusal?.status ?? 500, { ...refusal?.headers }).end();
    }
  };
}
