// A service that verifies the tokens, in its own process. It knows only the URL of the signers'
// public keys.
import { createServer } from 'node:http';
import { createAuthenticator, isAuthError } from '@latchkey/core';
import { listen } from './listen.ts';
import { AUDIENCE, ISSUER } from './terms.ts';

const [jwksUrl = ''] = process.argv.slice(2);
const authenticator = createAuthenticator({
  keySets: [{ issuer: ISSUER, jwksUrl, allowHttp: true }],
  audience: AUDIENCE,
});
await authenticator.ready();

const server = createServer(async (request, response) => {
  let status = 200;
  let answer: object;
  try {
    const principal = await authenticator.authenticate(request);
    answer = { caller: principal?.subject };
  } catch (error) {
    status = isAuthError(error) ? error.status : 500;
    answer = isAuthError(error) ? error.toJSON() : { code: String(error) };
  }
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
});
await listen(server);
