// Friends and messages on Express: settings from the environment, a port, and a graceful stop.
import { createAuthenticator } from '@latchkey/express';
import { createApp } from './app.ts';

const { ISSUER, AUDIENCE, ALLOW_HTTP_ISSUER, PORT = '3000', HOST = '127.0.0.1' } = process.env;
if (ISSUER === undefined || AUDIENCE === undefined) {
  console.error('ISSUER and AUDIENCE are needed: whom to trust, and who this service is.');
  process.exit(2);
}

const authenticator = createAuthenticator({
  keySets: [{ issuer: ISSUER, useOidcDiscovery: true, allowHttp: ALLOW_HTTP_ISSUER === 'true' }],
  audience: AUDIENCE,
  realm: 'friends-and-messages',
});
// The service starts all the same, and answers 503 until its issuer can be reached.
authenticator.ready().catch((error: Error) => console.error(`keys are not there yet: ${error.message}`));

const app = await createApp(authenticator);
const server = app.listen(Number(PORT), HOST, () => {
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : PORT;
  console.log(`listening on http://${HOST}:${port}`);
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    // Requests under way are answered; connections that only wait are let go.
    server.close(async () => {
      await authenticator.close();
      console.log('stopped');
    });
    server.closeIdleConnections();
  });
}
