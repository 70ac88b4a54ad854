// The friends and messages service on Koa: routes, their rules for tokens, and error bodies. It
// does not listen.
import { bodyParser } from '@koa/bodyparser';
import Router from '@koa/router';
import { authenticate, isAuthError, present, publishKeys, requireClaims, signResponse } from '@latchkey/koa';
import { keysToSign, ownToken, readMessage, type Sample, systemOnly } from '@latchkey-apps/friends';
import Koa, { type Middleware } from 'koa';

/** Builds the service. The authenticator decides which tokens are valid. */
export async function createApp({
  authenticator,
  friends,
  login,
  logout,
  messages,
  signer,
}: Sample): Promise<Koa> {
  const app = new Koa();
  const json = bodyParser({ enableTypes: ['json'], jsonLimit: '10kb', onError: refuseBody });
  app.use(answerErrors);

  const open = new Router();
  open.get('/health', (ctx) => {
    ctx.body = { status: 'ok' };
  });
  open.get('/.well-known/jwks.json', publishKeys(signer));

  // The handlers answer with plain JSON; `signResponse` replaces two of its fields by tokens.
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

  // All later routes need a token. Bodies are read after that check, so that the service reads no
  // body of an unauthenticated request.
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
      ctx.body = sent ?? { message: 'You are no longer friends' };
    }),
  );
  router.post(
    '/logout',
    requireClaims(ownToken, async (ctx) => {
      await logout(ctx.state.auth);
      ctx.status = 204;
    }),
  );
  // Only for other services, which send the system token.
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

/**
 * Replaces errors of the body parser, because they contain the body and their messages may quote
 * it.
 */
function refuseBody(error: Error, ctx: Koa.Context): never {
  const tooLarge = 'status' in error && error.status === 413;
  ctx.throw(tooLarge ? 413 : 400, tooLarge ? 'The body is too large' : 'The body is not JSON');
}

/**
 * Answers every refusal with JSON. Status and headers come from the error; the application chooses
 * only the body.
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
