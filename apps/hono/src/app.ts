// The friends and messages service on Hono: routes, their rules for tokens, and error bodies. It
// does not listen.
import {
  type AuthVariables,
  authenticate,
  isAuthError,
  present,
  publishKeys,
  requireClaims,
  signResponse,
} from '@latchkey/hono';
import { keysToSign, ownToken, readMessage, type Sample, systemOnly } from '@latchkey-apps/friends';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';

/** Builds the service. The authenticator decides which tokens are valid. */
export function createApp({ authenticator, friends, login, logout, messages, signer }: Sample): Hono {
  const app = new Hono();
  app.onError(answerError);
  app.get('/health', (c) => c.json({ status: 'ok' }));
  app.get('/.well-known/jwks.json', publishKeys(signer));

  // The handlers answer with plain JSON; `signResponse` replaces two of its fields by tokens.
  const signing = signResponse({ signer, keysToSign });
  app.post('/token', limited, signing, async (c) => {
    const answer = login.issue(await bodyOf(c));
    return answer === undefined ? c.json({ message: 'Unknown user or password' }, 401) : c.json(answer);
  });
  app.post('/token/refresh', limited, signing, async (c) => {
    const answer = await login.refresh(await bodyOf(c));
    return answer === undefined ? c.json({ message: 'Not a refresh token' }, 401) : c.json(answer);
  });

  // All later routes need a token. Their bodies are read after that check.
  app.use(authenticate(authenticator));

  const routes = new Hono<{ Variables: AuthVariables }>();
  routes.get('/friends', requireClaims({ scope: 'friends:read', sub: present() }), async (c) =>
    c.json({ friends: await friends.of(c.var.auth) }),
  );
  routes.post('/messages', requireClaims({ scope: 'messages:write', sub: present() }), limited, async (c) => {
    const message = readMessage(await bodyOf(c));
    if (message === undefined)
      return c.json({ message: 'Expected {"friendToken": …, "text": …}, text of 1 to 1000 characters' }, 400);
    const { auth } = c.var;
    const friend = await friends.verify(message.friendToken, auth);
    const sent = await messages.send(auth, friend, message.text);
    return sent === undefined ? c.json({ message: 'You are no longer friends' }, 409) : c.json(sent, 201);
  });
  routes.post('/logout', requireClaims(ownToken), async (c) => {
    await logout(c.var.auth);
    return c.body(null, 204);
  });
  // Only for other services, which send the system token.
  routes.get('/internal/friends/:user', requireClaims(systemOnly), (c) =>
    c.json({ friends: friends.namesOf(c.req.param('user')) }),
  );
  routes.get('/admin', requireClaims({ roles: ['admin', 'dev'] }), (c) =>
    c.json({ welcome: c.var.auth.subject }),
  );
  app.route('/', routes);
  return app;
}

const limited = bodyLimit({
  maxSize: 10_240,
  onError: (c) => c.json({ message: 'The body is too large' }, 413),
});

/**
 * Reads a JSON body; undefined for one of another type.
 * @throws HTTPException that quotes nothing of the body
 */
async function bodyOf(c: Context): Promise<unknown> {
  if (!/^application\/json\s*(?:;|$)/i.test(c.req.header('content-type') ?? '')) return undefined;
  try {
    return await c.req.json();
  } catch {
    throw new HTTPException(400, { message: 'The body is not JSON' });
  }
}

/**
 * Answers refusals as they are, also those that the friends service throws, and other errors that
 * are for the client with their message.
 */
function answerError(error: Error, c: Context): Response {
  if (isAuthError(error)) return Response.json(error, { status: error.status, headers: error.headers });
  if (!(error instanceof HTTPException)) return c.json({ message: 'Internal Server Error' }, 500);
  return error.res === undefined ? c.json({ message: error.message }, error.status) : error.getResponse();
}
