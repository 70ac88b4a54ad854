// A refusal as Nest answers it: an HttpException, and the headers on the response, because Nest's filters know of none.
import { isAuthError } from '@latchkey/core';
import { type CallHandler, type ExecutionContext, HttpException, type NestInterceptor } from '@nestjs/common';
import { catchError, type Observable } from 'rxjs';
import { callOf, writeHeader } from './context.ts';

/**
 * Makes of an AuthError what Nest answers, with the AuthError as its `cause`, and writes its headers. Any other error stays as it is.
 */
export async function exceptionOf(error: unknown, context: ExecutionContext): Promise<unknown> {
  if (!isAuthError(error)) return error;
  const { code, status, message, headers } = error;
  const call = callOf(context);
  if (call?.type === 'ws') {
    // A gateway's client is told what happened by no other exception. Who has a gateway has the package.
    const { WsException } = await import('@nestjs/websockets');
    return Object.assign(new WsException({ status: 'error', code, message }), { cause: error });
  }
  for (const [name, value] of Object.entries(headers)) writeHeader(call?.response, name, value);
  return new HttpException({ statusCode: status, code, message }, status, { cause: error });
}

/** Answers an AuthError that a handler threw, of `authenticator.verify` say, as the guard answers its own. */
export class RefusalInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const refuse = async (error: unknown) => Promise.reject(await exceptionOf(error, context));
    return next.handle().pipe(catchError(refuse));
  }
}
