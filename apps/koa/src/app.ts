// Friends and messages: the routes, what each asks of a token, and how errors are worded. No
// process, no port.
import { bodyParser } from '@koa/bodyparser';
import Router from '@koa/router';
import { authenticate, isAuthError, present, publishKeys, requireClaims, signResponse } from '@latchkey/koa';
import { keysToSign, readMessage, type Sample, systemOnly } from '@latchkey-apps/friends';
import Koa, { type Middleware } from 'koa';

/** Builds the service. Tokens are whatever the authenticator says. */
export async function createApp({ authenticator, friends, login, messages, signer }: Sample): Promise<Koa> {
  const app = new Koa();
  const json = bodyParser({ enableTypes: ['json'], jsonLimit: '10kb', onError: refuseBody });
  app.use(answerErrors);

  const open = new Router();
  open.get('/health', (ctx) => {
    ctx.body = { status: 'ok' };
  });
  open.get('/.well-known/jwks.json', publishKeys(signer));

  // What these reply is plain JSON, of which two fields leave as tokens.
  const signing = signResponse({ signer, keysToSign });
  open.post('/token', json, signing, (ctx) => {
    const answer = login.issue(ctx.request.body);
    ctx.status = answer === undefined ? 401 : 200;
    ctx.body = answer ?? { message: 'Unknown user or password' };
  });
  open.post('/token/refresh', json, signing, async (ctx) => {
    const answer = await login.refresh(ctx.request.body);
    ctx.status = answer === undefined ? 401 : 200;
    ctx.body = answer ?? { message: 'Not a refresh token' };
  });
  app.use(open.routes());

  // From here on a token is needed. Bodies are read after it, so that nobody unknown makes us read
  // one.
  app.use(authenticate(authenticator));
  app.use(json);

  const router = new Router();
  router.get(
    '/friends',
    requireClaims({ scope: 'friends:read', sub: present() }, async (ctx) => {
      ctx.body = { friends: await friends.of(ctx.state.auth) };
    }),
  );
  router.post(
    '/messages',
    requireClaims({ scope: 'messages:write', sub: present() }, async (ctx) => {
      const message = readMessage(ctx.request.body);
      if (message === undefined) {
        ctx.status = 400;
        ctx.body = { message: 'Expected {"friendToken": …, "text": …}, text of 1 to 1000 characters' };
        return;
      }
      const { auth } = ctx.state;
      const friend = await friends.verify(message.friendToken, auth);
      const sent = await messages.send(auth, friend, message.text);
      ctx.status = sent === undefined ? 409 : 201;
      ctx.body = sent ?? { message: 'You are friends no longer' };
    }),
  );
  // For other services of the system, with the system's token.
  router.get(
    '/internal/friends/:user',
    requireClaims(systemOnly, (ctx) => {
      ctx.body = { friends: friends.namesOf(String(ctx.params.user)) };
    }),
  );
  router.get(
    '/admin',
    requireClaims({ roles: ['admin', 'dev'] }, (ctx) => {
      ctx.body = { welcome: ctx.state.auth.subject };
    }),
  );
  app.use(router.routes());
  return app;
}

/** The body parser's errors hold the body, and their messages may quote it: they go no further. */
function refuseBody(error: Error, ctx: Koa.Context): never {
  const tooLarge = 'status' in error && error.status === 413;
  ctx.throw(tooLarge ? 413 : 400, tooLarge ? 'The body is too large' : 'The body is not JSON');
}

/**
 * JSON for every refusal. Status and headers are the error's; only the wording of the body is the
 * application's.
 */
const answerErrors: Middleware = async (ctx, next) => {
  try {
    await next();
  } catch (error) {
    if (isAuthError(error)) {
      ctx.status = error.status;
      ctx.set({ ...error.headers });
      ctx.body = error;
    } else if (error instanceof Koa.HttpError && error.expose) {
      ctx.status = error.status;
      ctx.body = { message: error.message };
    } else {
      throw error;
    }
  }
};
