// Friends and messages on Koa: a port, and a graceful stop.
import { createAuthenticator } from '@latchkey/koa';
import { onStop, readSettings } from '@latchkey-apps/friends';
import { createApp } from './app.ts';

const { options, host, port } = readSettings();
const authenticator = createAuthenticator(options);
// The service starts all the same, and answers 503 until its issuer can be reached.
authenticator.ready().catch((error: Error) => console.error(`keys are not there yet: ${error.message}`));

const app = await createApp(authenticator);
const server = app.listen(port, host, () => {
  const address = server.address();
  console.log(`listening on http://${host}:${typeof address === 'object' ? address?.port : port}`);
});

onStop(async () => {
  // Requests under way are answered; connections that only wait are let go.
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeIdleConnections();
  });
  await authenticator.close();
});
