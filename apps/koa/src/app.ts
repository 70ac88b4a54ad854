// Friends and messages: the routes, what each asks of a token, and how errors are worded. No process, no port.
import { bodyParser } from '@koa/bodyparser';
import Router from '@koa/router';
import {
  type Authenticator,
  authenticate,
  isAuthError,
  type Principal,
  present,
  requireClaims,
} from '@latchkey/koa';
import { createFriends, readMessage } from '@latchkey-apps/friends';
import Koa, { type Middleware } from 'koa';

/** Builds the service. Tokens are whatever the authenticator says. */
export async function createApp(authenticator: Authenticator): Promise<Koa> {
  const friends = await createFriends();
  const app = new Koa();
  app.use(answerErrors);

  const open = new Router();
  open.get('/health', (ctx) => {
    ctx.body = { status: 'ok' };
  });
  open.get('/.well-known/jwks.json', (ctx) => {
    ctx.set('Cache-Control', 'public, max-age=300');
    ctx.body = friends.jwks;
  });
  app.use(open.routes());

  // From here on a token is needed. Bodies are read after it, so that nobody unknown makes us read one.
  app.use(authenticate(authenticator));
  app.use(bodyParser({ enableTypes: ['json'], jsonLimit: '10kb', onError: refuseBody }));

  const router = new Router();
  router.get(
    '/friends',
    requireClaims({ scope: 'friends:read', sub: present() }, async (ctx) => {
      ctx.body = { friends: await friends.of(callerOf(ctx.state.auth)) };
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
      const caller = callerOf(ctx.state.auth);
      const friend = await friends.tokens.verify(message.friendToken, { friendOf: caller });
      ctx.status = 201;
      ctx.body = { to: friend.subject, from: caller, text: message.text };
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

function callerOf({ subject }: Principal): string {
  if (subject === undefined) throw new Error('a token without sub passed the rules');
  return subject;
}

/** The body parser's errors hold the body, and their messages may quote it: they go no further. */
function refuseBody(error: Error, ctx: Koa.Context): never {
  const tooLarge = 'status' in error && error.status === 413;
  ctx.throw(tooLarge ? 413 : 400, tooLarge ? 'The body is too large' : 'The body is not JSON');
}

/** JSON for every refusal. Status and headers are the error's; only the wording of the body is the application's. */
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
