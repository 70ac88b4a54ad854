// The friends and messages service for a server that calls `fetch`: routes, their rules for tokens,
// and error bodies. It does not listen.
import { createGuard, isAuthError, present, publishKeys, signResponse, withAuth } from '@latchkey/web';
import { keysToSign, ownToken, readMessage, type Sample, systemOnly } from '@latchkey-apps/friends';

type Handler = (request: Request) => Response | Promise<Response>;

const MAX_BODY_BYTES = 10_240;
const INTERNAL = '/internal/friends/';

/** Builds the service. The authenticator decides which tokens are valid. */
export function createApp({ authenticator, friends, login, logout, messages, signer }: Sample): Handler {
  const guard = createGuard(authenticator);
  // The handlers answer with plain JSON; `sign` replaces two of its fields by tokens.
  const sign = signResponse({ signer, keysToSign });
  const routes = new Map<string, Handler>([
    ['GET /health', () => Response.json({ status: 'ok' })],
    ['GET /.well-known/jwks.json', publishKeys(signer)],
    [
      'POST /token',
      async (request) => {
        const answer = login.issue(await bodyOf(request));
        return sign(answer === undefined ? said(401, 'Unknown user or password') : Response.json(answer));
      },
    ],
    [
      'POST /token/refresh',
      async (request) => {
        const answer = await login.refresh(await bodyOf(request));
        return sign(answer === undefined ? said(401, 'Not a refresh token') : Response.json(answer));
      },
    ],
    [
      'GET /friends',
      withAuth(guard, async (_, auth) => Response.json({ friends: await friends.of(auth) }), {
        claims: { scope: 'friends:read', sub: present() },
      }),
    ],
    [
      'POST /messages',
      withAuth(
        guard,
        async (request, auth) => {
          const message = readMessage(await bodyOf(request));
          if (message === undefined)
            return said(400, 'Expected {"friendToken": …, "text": …}, text of 1 to 1000 characters');
          const friend = await friends.verify(message.friendToken, auth);
          const sent = await messages.send(auth, friend, message.text);
          if (sent === undefined) return said(409, 'You are no longer friends');
          return Response.json(sent, { status: 201 });
        },
        { claims: { scope: 'messages:write', sub: present() } },
      ),
    ],
    [
      'POST /logout',
      withAuth(
        guard,
        async (_, auth) => {
          await logout(auth);
          return new Response(null, { status: 204 });
        },
        { claims: ownToken },
      ),
    ],
    [
      'GET /admin',
      withAuth(guard, (_, auth) => Response.json({ welcome: auth.subject }), {
        claims: { roles: ['admin', 'dev'] },
      }),
    ],
  ]);
  // Only for other services, which send the system token.
  const namesOf = withAuth(
    guard,
    (request) => {
      const user = decodeURIComponent(new URL(request.url).pathname.slice(INTERNAL.length));
      return Response.json({ friends: friends.namesOf(user) });
    },
    { claims: systemOnly },
  );
  // An unknown path needs a token too.
  const missing = withAuth(guard, () => said(404, 'Not Found'));
  return async (request) => {
    const { pathname } = new URL(request.url);
    const isInternal = request.method === 'GET' && pathname.startsWith(INTERNAL);
    const handle = isInternal ? namesOf : (routes.get(`${request.method} ${pathname}`) ?? missing);
    try {
      return await handle(request);
    } catch (error) {
      // Refusals that the friends service throws.
      if (isAuthError(error)) return Response.json(error, { status: error.status, headers: error.headers });
      if (error instanceof BadBody) return said(error.status, error.message);
      return said(500, 'Internal Server Error');
    }
  };
}

/** A body that the service does not take. Its message quotes nothing of the body. */
class BadBody extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Reads a JSON body, and no more of it than a message needs; undefined for one of another type.
 * @throws BadBody
 */
async function bodyOf({ headers, body }: Request): Promise<unknown> {
  if (!/^application\/json\s*(?:;|$)/i.test(headers.get('content-type') ?? '')) return undefined;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_BODY_BYTES) throw new BadBody(413, 'The body is too large');
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new BadBody(400, 'The body is not JSON');
  }
}

function said(status: number, message: string): Response {
  return Response.json({ message }, { status });
}
