// Signs the values that handlers return, by an interceptor, and publishes the keys, by a
// controller. Core does the signing.
import type { ServerResponse } from 'node:http';
import { createResponseSigner, holdReply, keysPublisher } from '@latchkey/core/adapter';
import type { Signer, SignResponseOptions } from '@latchkey/core/signing';
import * as nest from '@nestjs/common';
import { concatMap, type Observable, tap } from 'rxjs';
import { Public } from './decorators.ts';
import { refuseTarget } from './misuse.ts';

/** The members that Express's response and Fastify's reply both have. */
interface Reply extends Pick<ServerResponse, 'statusCode' | 'getHeader' | 'removeHeader'> {
  /**
   * Node's response, on the reply of Fastify. The response of Express is Node's response itself.
   */
  readonly raw?: ServerResponse;
  header(name: string, value: string): unknown;
}

/**
 * Signs fields of the value that a handler, or every handler of a class, returns. A 2xx that is not
 * JSON, or has a field that cannot be signed, is thrown as if by the handler. A reply that is sent
 * past Nest, as with `@Res()`, is signed too, or becomes a 500 without a body; so do a view and
 * events. A handler that sends its reply later must return nothing. An exception is sent with its
 * status, and with its body if that is JSON without the fields.
 * @throws ConfigError for wrong options, at once
 * @example
 * ```ts
 * @Controller('token')
 * class TokenController {
 *   @SignResponse({ signer, keysToSign: ['access_token'] })
 *   @Post()
 *   issue() {
 *     return { access_token: { sub: 'alice', exp: Math.floor(Date.now() / 1000) + 300 } };
 *   }
 * }
 * ```
 */
export function SignResponse(
  options: SignResponseOptions,
  ...others: readonly never[]
): ClassDecorator & MethodDecorator {
  refuseTarget([options, ...others], 1, '@SignResponse', '@SignResponse({ signer, keysToSign })');
  const { sign } = createResponseSigner(options);
  const interceptor: nest.NestInterceptor = {
    intercept(context: nest.ExecutionContext, next: nest.CallHandler): Observable<unknown> {
      const reply = context.switchToHttp().getResponse<Reply>();
      const { raw = reply as unknown as ServerResponse } = reply;
      // Holds a reply that the handler sends itself, and the reply of filters to an exception.
      const held = holdReply(raw, sign);
      let isReturned = false;
      return next.handle().pipe(
        // The values keep their order, because Nest sends the last one.
        concatMap(async (body: unknown) => {
          if (held.isBegun()) return body;
          isReturned = body !== undefined;
          const signed = await sign({
            status: reply.statusCode,
            body: body instanceof nest.StreamableFile ? refusedFile(body) : body,
            getHeader: (name) => reply.getHeader(name),
            setHeader: (name, value) => reply.header(name, value),
            removeHeader: (name) => reply.removeHeader(name),
            response: raw,
          });
          return signed === undefined ? body : signed.object;
        }),
        // Without a value, the handler may send its reply later.
        tap({ complete: () => isReturned && !held.isBegun() && held.release() }),
      );
    },
  };
  return nest.UseInterceptors(interceptor);
}

/**
 * Makes a public controller that answers with the public JWK Set of a signer.
 * @example
 * ```ts
 * @Module({ controllers: [publishKeys(signer)] })
 * class KeysModule {}
 * ```
 */
export function publishKeys(signer: Signer, path = '.well-known/jwks.json'): nest.Type {
  const publish = keysPublisher(signer);
  class KeysController {
    async keys(reply: Reply): Promise<unknown> {
      const { headers, jwks } = await publish();
      for (const [name, value] of Object.entries(headers)) reply.header(name, value);
      return jwks;
    }
  }
  const { prototype } = KeysController;
  nest.Get(path)(prototype, 'keys', { value: prototype.keys });
  nest.Res({ passthrough: true })(prototype, 'keys', 0);
  for (const decorate of [nest.Controller(), Public()]) decorate(KeysController);
  return KeysController;
}

/**
 * Core cannot know Nest's files. It refuses a Blob, and clears the head of what was about the body.
 */
function refusedFile(file: nest.StreamableFile): Blob {
  // Nest 12 lets go of what it is read from, and Nest 11 does not.
  file
    .getStream()
    .on('error', () => {})
    .destroy();
  return new Blob([]);
}
