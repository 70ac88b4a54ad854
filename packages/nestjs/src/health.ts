// Answers health checks, by a controller.
import { type Authenticator, ConfigError } from '@latchkey/core';
import { healthAnswerer } from '@latchkey/core/adapter';
import * as nest from '@nestjs/common';
import { Public } from './decorators.ts';
import { IMPORT, LATCHKEY_AUTHENTICATOR } from './guard.ts';

/** The members that Express's response and Fastify's reply both have. */
interface Reply {
  status(code: number): unknown;
  header(name: string, value: string): unknown;
  send(body: string): unknown;
}

/**
 * Makes a controller that answers health checks: 200 `{"status":"ready"}` while the authenticators
 * can judge tokens, else 503 `{"status":"unavailable"}`. It says nothing else, because everybody
 * may ask.
 * @param path of the route
 * @param authenticators those of `createAuthenticator`: each one of a combination. Default: the
 *   authenticator of the application
 * @throws ConfigError for anything else: at once, or when the application starts
 * @example
 * ```ts
 * @Module({ controllers: [healthCheck('health')] })
 * class AppModule {}
 * ```
 */
export function healthCheck(path: string, ...authenticators: readonly Authenticator[]): nest.Type {
  const given = authenticators.length === 0 ? undefined : healthAnswerer(...authenticators);
  class HealthController {
    readonly #answer: ReturnType<typeof healthAnswerer>;

    constructor(own: Authenticator | undefined) {
      if (given === undefined && own === undefined)
        throw new ConfigError('LatchkeyModule', `healthCheck needs it; ${IMPORT}`);
      this.#answer = given ?? healthAnswerer(...(own === undefined ? [] : [own]));
    }

    check(reply: Reply): void {
      const { status, headers, body } = this.#answer();
      reply.status(status);
      for (const [name, value] of Object.entries(headers)) reply.header(name, value);
      reply.send(body);
    }
  }
  nest.Inject(LATCHKEY_AUTHENTICATOR)(HealthController, undefined, 0);
  nest.Optional()(HealthController, undefined, 0);
  nest.Res()(HealthController.prototype, 'check', 0);
  const descriptor = Object.getOwnPropertyDescriptor(HealthController.prototype, 'check');
  if (descriptor !== undefined) nest.Get(path)(HealthController.prototype, 'check', descriptor);
  Public()(HealthController);
  nest.Controller()(HealthController);
  return HealthController;
}
