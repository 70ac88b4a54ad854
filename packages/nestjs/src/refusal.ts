// A refusal as Nest answers it: an HttpException, and the headers on the response, because Nest's
// filters know of none.
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
 * Makes of an AuthError what Nest answers, with the AuthError as its `cause`, and writes its
 * headers. Any other error stays as it is.
 */
export async function exceptionOf(error: unknown, host: ArgumentsHost): Promise<unknown> {
  if (!isAuthError(error)) return error;
  if (host.getType<string>() !== 'ws') return httpExceptionOf(error, host);
  // A gateway's client is told what happened by no other exception. Who has a gateway has the
  // package.
  const { WsException } = await import('@nestjs/websockets');
  const { code, message } = error;
  return Object.assign(new WsException({ status: 'error', code, message }), { cause: error });
}

/**
 * Answers an AuthError that a handler threw, of `authenticator.verify` say, as the guard answers
 * its own. A filter, not an interceptor: that would cost every request more than all else here, and
 * this costs only those that are refused.
 */
export class RefusalFilter extends BaseExceptionFilter {
  override catch(error: AuthError, host: ArgumentsHost): void {
    const exception = httpExceptionOf(error, host);
    // What is not answered here, GraphQL say, is answered by what a filter throws.
    if (host.getType<string>() !== 'http') throw exception;
    super.catch(exception, host);
  }
}
// Of whichever copy of core. Nest asks by `instanceof`.
class AnyAuthError extends Error {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isAuthError(value);
  }
}
Catch(AnyAuthError)(RefusalFilter);

const answering = new WeakSet<object>();

/**
 * Sees to it that what a gateway's handlers throw is answered too: there, Nest asks no filter of
 * the whole application.
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
