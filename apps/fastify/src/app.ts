// The friends and messages service on Fastify: routes, their rules for tokens, and error bodies. It
// does not listen. The OpenAPI document is in openapi.ts.
import latchkey, {
  compileRules,
  getAuth,
  isAuthError,
  present,
  publishKeys,
  signResponse,
} from '@latchkey/fastify';
import { keysToSign, ownToken, readMessage, type Sample, systemOnly } from '@latchkey-apps/friends';
import fastify, { type FastifyInstance } from 'fastify';
import { publishDocument } from './openapi.ts';

const reader = compileRules({ scope: 'friends:read', sub: present() });
const writer = compileRules({ scope: 'messages:write', sub: present() });
const ending = compileRules(ownToken);
const staff = compileRules({ roles: ['admin', 'dev'] });
const system = compileRules(systemOnly);

/** Builds the service. The authenticator decides which tokens are valid. */
export async function createApp({
  authenticator,
  friends,
  login,
  logout,
  messages,
  signer,
}: Sample): Promise<FastifyInstance> {
  const app = fastify({ bodyLimit: 10 * 1024 });

  // Every route needs a token unless its config says otherwise. Bodies are read after that check.
  await app.register(latchkey, { authenticator });
  acceptJsonOnly(app);
  answerErrors(app);
  await publishDocument(app);

  app.get('/health', { config: { auth: false } }, async () => ({ status: 'ok' }));
  app.get('/.well-known/jwks.json', { config: { auth: false } }, publishKeys(signer));

  // The handlers answer with plain JSON; `signResponse` replaces two of its fields by tokens.
  const signed = { config: { auth: false }, onSend: signResponse({ signer, keysToSign }) } as const;
  app.post('/token', signed, async ({ body }, reply) => {
    const answer = login.issue(body);
    reply.code(answer === undefined ? 401 : 200);
    return answer ?? { message: 'Unknown user or password' };
  });
  app.post('/token/refresh', signed, async ({ body }, reply) => {
    const answer = await login.refresh(body);
    reply.code(answer === undefined ? 401 : 200);
    return answer ?? { message: 'Not a refresh token' };
  });

  app.get('/friends', { config: { auth: { claims: reader } } }, async (request) => ({
    friends: await friends.of(getAuth(request)),
  }));

  app.post('/messages', { config: { auth: { claims: writer } } }, async (request, reply) => {
    const message = readMessage(request.body);
    if (message === undefined) {
      reply.code(400);
      return { message: 'Expected {"friendToken": …, "text": …}, text of 1 to 1000 characters' };
    }
    const auth = getAuth(request);
    const friend = await friends.verify(message.friendToken, auth);
    const sent = await messages.send(auth, friend, message.text);
    reply.code(sent === undefined ? 409 : 201);
    return sent ?? { message: 'You are no longer friends' };
  });

  app.post('/logout', { config: { auth: { claims: ending } } }, async (request, reply) => {
    await logout(getAuth(request));
    reply.code(204);
  });

  // Only for other services, which send the system token.
  app.get<{ Params: { user: string } }>(
    '/internal/friends/:user',
    { config: { auth: { claims: system } } },
    async ({ params }) => ({ friends: friends.namesOf(params.user) }),
  );

  app.get('/admin', { config: { auth: { claims: staff } } }, async (request) => ({
    welcome: getAuth(request).subject,
  }));

  // The plugin protects this handler too: without a token, an unknown path answers 401, not 404.
  app.setNotFoundHandler(async (_request, reply) => {
    reply.code(404);
    return { message: 'Nothing is here' };
  });
  return app;
}

/**
 * Parses JSON objects and arrays. A body of another content type is not parsed and reads as
 * undefined.
 */
function acceptJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    async (_request: unknown, body: string) => {
      if (body === '') return undefined;
      try {
        const parsed: unknown = JSON.parse(body);
        if (typeof parsed === 'object' && parsed !== null) return parsed;
      } catch {}
      throw Object.assign(new Error('expected an object or an array'), { statusCode: 400 });
    },
  );
  app.addContentTypeParser('*', async () => undefined);
}

/**
 * Answers every refusal with JSON. Status and headers come from the error; the application chooses
 * only the body.
 */
function answerErrors(app: FastifyInstance): void {
  app.setErrorHandler(async (error: Error & { readonly statusCode?: number }, request, reply) => {
    if (isAuthError(error)) {
      reply.code(error.status).headers(error.headers);
      return error.toJSON();
    }
    if (error.statusCode === undefined || error.statusCode >= 500) {
      request.log.error(error);
      reply.code(500);
      return { message: 'Something went wrong' };
    }
    // An error of the body parser: the body is too large or not JSON. Its message may quote the
    // body.
    const status = error.statusCode === 413 ? 413 : 400;
    reply.code(status);
    return { message: status === 413 ? 'The body is too large' : 'The body is not JSON' };
  });
}
