// Starts the friends and messages service on srvx and stops it gracefully. The routes are in
// app.ts.
import { createSample, onStop, readSettings } from '@latchkey-apps/friends';
import { serve } from 'srvx';
import { createApp } from './app.ts';

const settings = readSettings();
const { host, port } = settings;
const sample = await createSample(settings);
const server = serve({ fetch: createApp(sample), port, hostname: host, silent: true });
await server.ready();
sample.listening(new URL(server.url ?? '').origin);

onStop(async () => {
  // Requests in progress are answered; idle connections are closed.
  await server.close();
  await sample.close();
});
