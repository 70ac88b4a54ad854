// Friends and messages on Fastify: a port, and a graceful stop.
import { createAuthenticator } from '@latchkey/fastify';
import { onStop, readSettings } from '@latchkey-apps/friends';
import { createApp } from './app.ts';

const { options, host, port } = readSettings();
const authenticator = createAuthenticator(options);
// The service starts all the same, and answers 503 until its issuer can be reached.
authenticator.ready().catch((error: Error) => console.error(`keys are not there yet: ${error.message}`));

const app = await createApp(authenticator);
await app.listen({ host, port });
console.log(`listening on ${app.listeningOrigin}`);

onStop(async () => {
  // Requests under way are answered; connections that only wait are let go.
  await app.close();
  await authenticator.close();
});
