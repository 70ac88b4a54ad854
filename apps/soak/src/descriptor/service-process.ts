// A service that follows a descriptor, in its own process. It sends its parent its URL and the
// result of each change.
import { subscribe } from 'node:diagnostics_channel';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { authorize, createAuthenticator, isAuthError, route } from '@latchkey/core';
import { type AuthenticatedRequest, authenticate } from '@latchkey/express';
import express, { type ErrorRequestHandler, type Request } from 'express';
import { ROUTE } from './terms.ts';

/** A message to the parent. */
export type Told =
  | { readonly kind: 'listens'; readonly url: string }
  | { readonly kind: 'applied' | 'refused' }
  /** An unhandled error, which no request should cause. */
  | { readonly kind: 'broke'; readonly message: string };

const [descriptor = ''] = process.argv.slice(2);
const tell = (told: Told) => process.send?.(told);
subscribe('latchkey:descriptor:applied', () => tell({ kind: 'applied' }));
subscribe('latchkey:descriptor:refused', () => tell({ kind: 'refused' }));
process.on('unhandledRejection', (error) => tell({ kind: 'broke', message: String(error) }));
process.on('disconnect', () => process.exit());

const authenticator = createAuthenticator({ descriptor });
await authenticator.ready();
const asked = route(ROUTE);
const app = express();
app.disable('x-powered-by');
app.use(authenticate(authenticator));
app.get(`/${ROUTE}`, (request: Request, response) => {
  const { auth } = request as AuthenticatedRequest;
  authorize(auth, asked, request);
  response.json({ of: auth.subject });
});
const answerError: ErrorRequestHandler = (error, _request, response, _next) => {
  const refusal = isAuthError(error) ? error : undefined;
  response
    .status(refusal?.status ?? 500)
    .set(refusal?.headers ?? {})
    .json({ code: refusal?.code ?? String(error) });
};
app.use(answerError);

const server: Server = app.listen(0, '127.0.0.1', () =>
  tell({ kind: 'listens', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }),
);
// Longer than a run, because closing a connection while the client reuses it would count as a
// failure.
server.keepAliveTimeout = 600_000;
