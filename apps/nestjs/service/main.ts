// Starts the friends and messages service on Nest and stops it gracefully. The routes are in the
// controllers, the OpenAPI document is in openapi.ts.
import { createSample, onStop, readSettings } from '@latchkey-apps/friends';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { createAppModule } from './app.module.ts';
import { publishDocument } from './openapi.ts';

const settings = readSettings();
const { host, port } = settings;
const sample = await createSample(settings);
const app = await NestFactory.create<NestExpressApplication>(createAppModule(sample), {
  // JsonBody reads bodies after the guard, so that the service reads no body of an unauthenticated
  // request.
  bodyParser: false,
  logger: ['error', 'warn'],
});
app.disable('x-powered-by');
publishDocument(app);

await app.listen(port, host);
const address = app.getHttpServer().address();
sample.listening(`http://${host}:${typeof address === 'object' ? address?.port : port}`);

onStop(async () => {
  // Requests in progress are answered; idle connections are closed.
  await app.close();
  await sample.close();
});
