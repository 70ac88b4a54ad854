// Starts the friends and messages service on Hono and stops it gracefully. The routes are in
// app.ts.
import { serve } from '@hono/node-server';
import { createSample, onStop, readSettings } from '@latchkey-apps/friends';
import { createApp } from './app.ts';

const settings = readSettings();
const { host, port } = settings;
const sample = await createSample(settings);
const { fetch } = createApp(sample);
const server = serve({ fetch, port, hostname: host }, (address) =>
  sample.listening(`http://${host}:${address.port}`),
);

onStop(async () => {
  // Requests in progress are answered; idle connections are closed.
  await new Promise((resolve) => {
    server.close(resolve);
    if ('closeIdleConnections' in server) server.closeIdleConnections();
  });
  await sample.close();
});
