// Friends and messages on Nest: a port, and a graceful stop.
import { createSample, onStop, readSettings } from '@latchkey-apps/friends';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { createAppModule } from './app.module.ts';

const settings = readSettings();
const { host, port } = settings;
const sample = await createSample(settings);
const app = await NestFactory.create<NestExpressApplication>(createAppModule(sample), {
  // Bodies are read by the routes that have one, behind the guard: nobody unknown makes us read
  // one.
  bodyParser: false,
  logger: ['error', 'warn'],
});
app.disable('x-powered-by');

await app.listen(port, host);
const address = app.getHttpServer().address();
sample.listening(`http://${host}:${typeof address === 'object' ? address?.port : port}`);

onStop(async () => {
  // Requests under way are answered; connections that only wait are let go.
  await app.close();
  await sample.close();
});
