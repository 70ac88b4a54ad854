// Starts the friends and messages service on Fastify and stops it gracefully. The routes are in
// app.ts.
import { createSample, onStop, readSettings } from '@latchkey-apps/friends';
import { createApp } from './app.ts';

const settings = readSettings();
const { host, port } = settings;
const sample = await createSample(settings);
const app = await createApp(sample);
await app.listen({ host, port });
sample.listening(app.listeningOrigin);

onStop(async () => {
  // Requests in progress are answered; idle connections are closed.
  await app.close();
  await sample.close();
});
