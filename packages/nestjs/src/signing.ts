// Signing what handlers return, and publishing the keys: an interceptor and a controller.
import { ConfigError, createResponseSigner, type Signer, type SignResponseOptions } from '@latchkey/core';
import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Get,
  type NestInterceptor,
  Res,
  type Type,
  UseInterceptors,
} from '@nestjs/common';
import { mergeMap, type Observable } from 'rxjs';
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
 */
export function SignResponse(options: SignResponseOptions): ClassDecorator & MethodDecorator {
  const { sign } = createResponseSigner(options);
  const interceptor: NestInterceptor = {
    intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
      refuseSending(context);
      const reply = context.switchToHttp().getResponse<Reply>();
      return next.handle().pipe(
        mergeMap(async (body: unknown) => {
          const header = (name: string) => reply.getHeader(name);
          const signed = await sign({ status: reply.statusCode, header, body });
          if (signed === undefined) return body;
          for (const name of signed.without) reply.removeHeader(name);
          for (const [name, value] of Object.entries(signed.headers)) reply.header(name, value);
          return signed.object;
        }),
      );
    },
  };
  return UseInterceptors(interceptor);
}

/** Makes a controller that answers with the public JWK Set of a signer, for everybody: `controllers: [publishKeys(signer)]`. */
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
  const [type, method] = [context.getClass(), context.getHandler().name];
  // The kinds of parameters: 1 is the response, 2 is next.
  const sends = Object.keys(Object(getMetadata?.(ARGUMENTS, type, method))).some((kind) =>
    /^[12]:/.test(kind),
  );
  if (sends && getMetadata?.(PASSTHROUGH, type, method) !== true)
    throw new ConfigError(`${type.name}.${method}`, 'sends by itself, with @Res() or @Next(), and is signed');
}
