// Signing what handlers return, and publishing the keys: an interceptor and a controller.
import { ConfigError } from '@latchkey/core';
import { createResponseSigner } from '@latchkey/core/adapter';
import type { Signer, SignResponseOptions } from '@latchkey/core/signing';
import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Get,
  type NestInterceptor,
  Res,
  StreamableFile,
  type Type,
  UseInterceptors,
} from '@nestjs/common';
import { concatMap, type Observable } from 'rxjs';
import { Public } from './decorators.ts';

/** Of Express's response and Fastify's reply, what both have. */
interface Reply {
  readonly statusCode: number;
  getHeader(name: string): unknown;
  removeHeader(name: string): unknown;
  header(name: string, value: string): unknown;
}

// What `@Res()` and `@Next()` note, by the names that they have noted it by for long.
const { getMetadata } = Reflect as { getMetadata?(note: string, type: object, method: string): unknown };
const ARGUMENTS = '__routeArguments__';
const PASSTHROUGH = '__responsePassthrough__';

/**
 * Signs fields of what a handler returns, or every handler of a class. What cannot be signed is thrown, as by the handler. What a handler
 * sends by itself cannot be held back, so one with `@Res()` or `@Next()`, but for `{ passthrough: true }`, is refused before it runs.
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
export function SignResponse(options: SignResponseOptions): ClassDecorator & MethodDecorator {
  const { sign } = createResponseSigner(options);
  const interceptor: NestInterceptor = {
    intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
      refuseSending(context);
      const reply = context.switchToHttp().getResponse<Reply>();
      return next.handle().pipe(
        // In their order: the last is what is sent.
        concatMap(async (body: unknown) => {
          const signed = await sign({
            status: reply.statusCode,
            // Core cannot know Nest's files. It refuses a Blob, and clears the head of what was about the body.
            body: body instanceof StreamableFile ? new Blob([]) : body,
            getHeader: (name) => reply.getHeader(name),
            setHeader: (name, value) => reply.header(name, value),
            removeHeader: (name) => reply.removeHeader(name),
          });
          return signed === undefined ? body : signed.object;
        }),
      );
    },
  };
  return UseInterceptors(interceptor);
}

/**
 * Makes a public controller that answers with the public JWK Set of a signer.
 * @example
 * ```ts
 * @Module({ controllers: [publishKeys(signer)] })
 * class KeysModule {}
 * ```
 */
export function publishKeys(signer: Signer, path = '.well-known/jwks.json'): Type {
  class KeysController {
    async keys(reply: Reply): Promise<unknown> {
      const { headers, jwks } = await signer.publish();
      for (const [name, value] of Object.entries(headers)) reply.header(name, value);
      return jwks;
    }
  }
  const { prototype } = KeysController;
  const descriptor = Object.getOwnPropertyDescriptor(prototype, 'keys') as PropertyDescriptor;
  for (const decorate of [Get(path), Public()]) decorate(prototype, 'keys', descriptor);
  Res({ passthrough: true })(prototype, 'keys', 0);
  Controller()(KeysController);
  return KeysController;
}

function refuseSending(context: ExecutionContext): void {
  const type = context.getClass();
  const method = nameOf(context.getHandler(), type.prototype);
  const kinds = method === undefined ? ['1:'] : Object.keys(Object(getMetadata?.(ARGUMENTS, type, method)));
  // The kinds of parameters: 1 is the response, 2 is next.
  const sends = kinds.some((kind) => /^[12]:/.test(kind));
  if (sends && (method === undefined || getMetadata?.(PASSTHROUGH, type, method) !== true))
    throw new ConfigError(`${type.name}.${method}`, 'sends by itself, with @Res() or @Next(), and is signed');
}

/** By what its class calls it: a decorator may have put a function of another name, or of none, in its place. */
function nameOf(handler: object, prototype: object | null): string | undefined {
  for (let at = prototype; at !== null; at = Object.getPrototypeOf(at)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at)))
      if (value === handler) return name;
  }
  return undefined;
}
