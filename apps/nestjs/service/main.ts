// Friends and messages on Nest: a port, and a graceful stop.
import { type Authenticator, LATCHKEY_AUTHENTICATOR } from '@latchkey/nestjs';
import { onStop, readSettings } from '@latchkey-apps/friends';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.ts';

const { host, port } = readSettings();
const app = await NestFactory.create<NestExpressApplication>(AppModule, {
  // Bodies are read by the routes that have one, behind the guard: nobody unknown makes us read one.
  bodyParser: false,
  logger: ['error', 'warn'],
});
app.disable('x-powered-by');
// The service starts all the same, and answers 503 until its issuer can be reached.
app
  .get<Authenticator>(LATCHKEY_AUTHENTICATOR)
  .ready()
  .catch((error: Error) => console.error(`keys are not there yet: ${error.message}`));

await app.listen(port, host);
const address = app.getHttpServer().address();
console.log(`listening on http://${host}:${typeof address === 'object' ? address?.port : port}`);

// Requests under way are answered; then the module closes the authenticator.
onStop(() => app.close());
