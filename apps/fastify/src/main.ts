// Friends and messages on Fastify: a port, and a graceful stop.
import { createSample, onStop, readSettings } from '@latchkey-apps/friends';
import { createApp } from './app.ts';

const settings = readSettings();
const { host, port } = settings;
const sample = await createSample(settings);
const app = await createApp(sample);
await app.listen({ host, port });
sample.listening(app.listeningOrigin);

onStop(async () => {
  // Requests under way are answered; connections that only wait are let go.
  await app.close();
  await sample.close();
});
