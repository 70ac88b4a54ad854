// Turns a refusal into an HttpException, and writes its headers to the response, because Nest's
// filters write no headers. No decision is made here.
import { type AuthError, isAuthError } from '@latchkey/core';
import {
  type ArgumentsHost,
  Catch,
  HttpException,
  type NestInterceptor,
  UseInterceptors,
} from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { catchError } from 'rxjs';
import { callOf, writeHeader } from './context.ts';

/**
 * Turns an AuthError into the exception that Nest answers, with the AuthError as its `cause`, and
 * writes its headers. Returns any other error unchanged.
 */
export async function exceptionOf(error: unknown, host: ArgumentsHost): Promise<unknown> {
  if (!isAuthError(error)) return error;
  if (host.getType<string>() !== 'ws') return httpExceptionOf(error, host);
  // Nest reports only a WsException to the client of a gateway. An application with a gateway has
  // the package installed.
  const { WsException } = await import('@nestjs/websockets');
  const { code, message } = error;
  return Object.assign(new WsException({ status: 'error', code, message }), { cause: error });
}

/**
 * Answers an AuthError that a handler threw, for example from `authenticator.verify`, in the same
 * way as a refusal of the guard. It is a filter and not an interceptor: an interceptor would cost
 * every request more than all other work here, and a filter costs only refused requests.
 */
export class RefusalFilter extends BaseExceptionFilter {
  override catch(error: AuthError, host: ArgumentsHost): void {
    const exception = httpExceptionOf(error, host);
    // Other kinds, such as GraphQL, answer the exception that a filter throws.
    if (host.getType<string>() !== 'http') throw exception;
    super.catch(exception, host);
  }
}
// The AuthError may come from another copy of core. Nest would compare by `instanceof`.
class AnyAuthError extends Error {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isAuthError(value);
  }
}
Catch(AnyAuthError)(RefusalFilter);

const answering = new WeakSet<object>();

/**
 * Adds the filter to a gateway, so that errors of its handlers are answered too: Nest runs no
 * global filter there.
 */
export function answerRefusals(gateway: Parameters<ClassDecorator>[0]): void {
  if (answering.has(gateway)) return;
  answering.add(gateway);
  const interceptor: NestInterceptor = {
    intercept: (context, next) =>
      next.handle().pipe(catchError(async (error) => Promise.reject(await exceptionOf(error, context)))),
  };
  UseInterceptors(interceptor)(gateway);
}

function httpExceptionOf(error: AuthError, host: ArgumentsHost): HttpException {
  const { code, status, message, headers } = error;
  const response = callOf(host)?.response;
  for (const [name, value] of Object.entries(headers)) writeHeader(response, name, value);
  return new HttpException({ statusCode: status, code, message }, status, { cause: error });
}
