// Starts the notes service and stops it gracefully. The routes are in app.ts. Without ISSUER, it
// trusts an issuer in this process, and prints tokens of it.
import { createServer } from 'node:http';
import { createAuthenticator } from '@latchkey/express';
import { createIssuer } from '@latchkey/testing';
import { onStop } from '@latchkey-apps/friends';
import { createApp } from './app.ts';
import { createCalendar } from './calendar.ts';
import { scopes } from './notes.ts';

const { ISSUER, ALLOW_HTTP_ISSUER, RESOURCE, PORT = '3000', HOST = '127.0.0.1' } = process.env;

const { CALENDAR_URL, TOKEN_ENDPOINT = '', CLIENT_ID = 'notes', SECRETS = '/run/secrets' } = process.env;

const server = createServer();
await new Promise<void>((resolve) => server.listen(Number(PORT), HOST, resolve));
const address = server.address();
const listens = `http://${HOST}:${typeof address === 'object' ? address?.port : PORT}`;

// The URL that clients know the service by. Tokens name it in `aud`.
const url = RESOURCE ?? `${listens}/mcp`;
const trial = ISSUER === undefined ? await createIssuer() : undefined;
const authenticator = createAuthenticator({
  keySets: trial?.options.keySets ?? [
    { issuer: ISSUER ?? '', useDiscovery: 'any', allowHttp: ALLOW_HTTP_ISSUER === 'true' },
  ],
  resource: { url, name: 'Notes', scopes },
});
const calendar =
  CALENDAR_URL === undefined
    ? undefined
    : createCalendar({
        url: CALENDAR_URL,
        tokenEndpoint: TOKEN_ENDPOINT,
        clientId: CLIENT_ID,
        secrets: SECRETS,
      });
server.on('request', createApp(authenticator, new URL(url).hostname, calendar));
console.log(`listening on ${listens}`);

if (trial !== undefined) {
  const token = (scope: string) => trial.mint({ aud: url, sub: 'alice', client_id: 'trial', scope });
  console.log(`export READER=${await token('notes:read')}`);
  console.log(`export WRITER=${await token('notes:read notes:write')}`);
}

onStop(async () => {
  // Streams would stay open as long as their clients do.
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  await authenticator.close();
  await calendar?.close();
  await trial?.close();
});
