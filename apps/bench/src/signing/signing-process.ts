// A signing service in its own process: a login, the public keys, and routes that rotate and retire
// keys. Several such services share one directory.
import { createServer, type IncomingMessage } from 'node:http';
import { createDirectoryStore } from '@latchkey/core';
import { createSigner } from '@latchkey/core/signing';
import { listen } from './listen.ts';
import {
  AUDIENCE,
  ISSUER,
  type LoginReply,
  MAX_STALE,
  PUBLISH_AHEAD,
  SECRET,
  TOKEN_LIFETIME,
} from './terms.ts';

const [directory = ''] = process.argv.slice(2);
const signer = createSigner({
  secret: SECRET,
  secrets: createDirectoryStore(directory),
  alg: 'ES256',
  issuer: ISSUER,
  audience: AUDIENCE,
  expiresIn: TOKEN_LIFETIME,
  publishAhead: PUBLISH_AHEAD,
  maxStale: MAX_STALE,
});
/** The times of requests for the public keys, in milliseconds since the epoch. */
const fetches: number[] = [];

const routes = new Map<string, (request: IncomingMessage) => Promise<unknown>>([
  ['POST /token', logIn],
  ['POST /rotate', () => signer.rotate()],
  ['POST /retire', () => signer.retire()],
  ['GET /fetches', async () => fetches],
]);

const server = createServer(async (request, response) => {
  try {
    if (request.url === '/.well-known/jwks.json') {
      fetches.push(Date.now());
      const { headers, body } = await signer.publish();
      response.writeHead(200, headers).end(body);
      return;
    }
    const answer = await routes.get(`${request.method} ${request.url}`)?.(request);
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? { code: 'not_found' }));
  } catch (error) {
    response.writeHead(500, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ code: String(error) }));
  }
});
await listen(server);

async function logIn(request: IncomingMessage): Promise<LoginReply> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const { user } = JSON.parse(Buffer.concat(chunks).toString()) as { readonly user: string };
  const began = Date.now();
  const access_token = await signer.sign({ sub: user, roles: ['role_a', 'role_b'] });
  return { access_token, began, ended: Date.now() };
}
