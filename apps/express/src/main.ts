// Starts the friends and messages service on Express and stops it gracefully. The routes are in
// app.ts.
import { createSample, onStop, readSettings } from '@latchkey-apps/friends';
import { createApp } from './app.ts';

const settings = readSettings();
const { host, port } = settings;
const sample = await createSample(settings);
const app = await createApp(sample);
const server = app.listen(port, host, () => {
  const address = server.address();
  sample.listening(`http://${host}:${typeof address === 'object' ? address?.port : port}`);
});

onStop(async () => {
  // Requests in progress are answered; idle connections are closed.
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeIdleConnections();
  });
  await sample.close();
});
