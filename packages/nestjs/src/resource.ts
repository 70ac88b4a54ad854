// Answers requests for the metadata of protected resources, by a middleware before all routes: a
// controller would be under the global prefix of the application.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Authenticator, CombinedAuthenticator } from '@latchkey/core';
import { ConfigError } from '@latchkey/core';
import { resourcePublisher } from '@latchkey/core/adapter';
import * as nest from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { IMPORT, LATCHKEY_AUTHENTICATOR } from './guard.ts';

type Source = Authenticator | CombinedAuthenticator;

/**
 * Makes a module that answers requests for the metadata of protected resources (RFC 9728), at the
 * paths that their challenges name, to everybody, whatever the global prefix is.
 * @param authenticators default: the authenticator of the application
 * @throws ConfigError when the application starts, if one of them has no `resource`
 * @example
 * ```ts
 * @Module({
 *   imports: [
 *     LatchkeyModule.forRoot({
 *       keySets: [{ issuer: 'https://accounts.google.com', useOidcDiscovery: true }],
 *       resource: { url: 'https://api.example.com' },
 *     }),
 *     publishResource(),
 *   ],
 * })
 * class AppModule {}
 * ```
 */
export function publishResource(...authenticators: readonly Source[]): nest.Type {
  class ResourceModule {
    readonly #host: HttpAdapterHost;
    readonly #own: Source | undefined;

    constructor(host: HttpAdapterHost, own: Source | undefined) {
      this.#host = host;
      this.#own = own;
    }

    /** Nest calls it before it adds any route. */
    configure(): void {
      if (authenticators.length === 0 && this.#own === undefined)
        throw new ConfigError('LatchkeyModule', `publishResource needs it; ${IMPORT}`);
      const { answer } = resourcePublisher(
        ...(this.#own === undefined || authenticators.length > 0 ? authenticators : [this.#own]),
      );
      this.#host.httpAdapter.use(
        (
          request: IncomingMessage & { readonly originalUrl?: string },
          response: ServerResponse,
          next: () => void,
        ) => {
          const found = answer(request.method, request.originalUrl ?? request.url);
          if (found === undefined) next();
          else response.writeHead(found.status, found.headers).end(found.body);
        },
      );
    }
  }
  nest.Inject(HttpAdapterHost)(ResourceModule, undefined, 0);
  nest.Inject(LATCHKEY_AUTHENTICATOR)(ResourceModule, undefined, 1);
  nest.Optional()(ResourceModule, undefined, 1);
  nest.Module({})(ResourceModule);
  return ResourceModule;
}
