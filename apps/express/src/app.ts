// The friends and messages service on Express: routes, their rules for tokens, and error bodies. It
// does not listen.
import {
  authenticate,
  isAuthError,
  present,
  publishKeys,
  requireClaims,
  signResponse,
} from '@latchkey/express';
import { keysToSign, ownToken, readMessage, type Sample, systemOnly } from '@latchkey-apps/friends';
import express, { type ErrorRequestHandler, type Express } from 'express';

/** Builds the service. The authenticator decides which tokens are valid. */
export async function createApp({
  authenticator,
  friends,
  login,
  logout,
  messages,
  signer,
}: Sample): Promise<Express> {
  const app = express();
  const json = express.json({ limit: '10kb' });
  app.disable('x-powered-by');

  app.get('/health', (_request, response) => {
    response.json({ status: 'ok' });
  });
  app.get('/.well-known/jwks.json', publishKeys(signer));

  // The handlers answer with plain JSON; `signResponse` replaces two of its fields by tokens.
  const signing = signResponse({ signer, keysToSign });
  app.post('/token', json, signing, (request, response) => {
    const answer = login.issue(request.body);
    response.status(answer === undefined ? 401 : 200).json(answer ?? { message: 'Unknown user or password' });
  });
  app.post('/token/refresh', json, signing, async (request, response) => {
    const answer = await login.refresh(request.body);
    response.status(answer === undefined ? 401 : 200).json(answer ?? { message: 'Not a refresh token' });
  });

  // All later routes need a token. Bodies are read after that check, so that the service reads no
  // body of an unauthenticated request.
  app.use(authenticate(authenticator), json);

  app.get(
    '/friends',
    requireClaims({ scope: 'friends:read', sub: present() }, async (request, response) => {
      response.json({ friends: await friends.of(request.auth) });
    }),
  );

  app.post(
    '/messages',
    requireClaims({ scope: 'messages:write', sub: present() }, async (request, response) => {
      const message = readMessage(request.body);
      if (message === undefined) {
        response
          .status(400)
          .json({ message: 'Expected {"friendToken": …, "text": …}, text of 1 to 1000 characters' });
        return;
      }
      const friend = await friends.verify(message.friendToken, request.auth);
      const sent = await messages.send(request.auth, friend, message.text);
      response.status(sent === undefined ? 409 : 201).json(sent ?? { message: 'You are no longer friends' });
    }),
  );

  app.post(
    '/logout',
    requireClaims(ownToken, async (request, response) => {
      await logout(request.auth);
      response.status(204).end();
    }),
  );

  // Only for other services, which send the system token.
  app.get(
    '/internal/friends/:user',
    requireClaims(systemOnly, (request, response) => {
      response.json({ friends: friends.namesOf(String(request.params.user)) });
    }),
  );

  app.get(
    '/admin',
    requireClaims({ roles: ['admin', 'dev'] }, (request, response) => {
      response.json({ welcome: request.auth.subject });
    }),
  );

  app.use(answerError);
  return app;
}

/**
 * Answers every refusal with JSON. Status and headers come from the error; the application chooses
 * only the body.
 */
const answerError: ErrorRequestHandler = (error, _request, response, next) => {
  if (response.headersSent) {
    next(error);
  } else if (isAuthError(error)) {
    response.status(error.status).set(error.headers).json(error);
  } else if (error instanceof Error && 'status' in error && Number(error.status) < 500) {
    // An error of the body parser: the body is too large or not JSON. Its message may quote the
    // body.
    const status = error.status === 413 ? 413 : 400;
    response
      .status(status)
      .json({ message: status === 413 ? 'The body is too large' : 'The body is not JSON' });
  } else {
    next(error);
  }
};
