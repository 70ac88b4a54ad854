// Reads a JSON body after the guard has accepted the request. Nest's own parser runs before the
// guard, so it reads bodies of unauthenticated requests.
import {
  BadRequestException,
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  PayloadTooLargeException,
} from '@nestjs/common';
import { json } from 'express';

const read = json({ limit: '10kb' });

@Injectable()
export class JsonBody implements NestInterceptor {
  async intercept(context: ExecutionContext, next: CallHandler) {
    const http = context.switchToHttp();
    await new Promise<void>((resolve, reject) => {
      read(http.getRequest(), http.getResponse(), (error?: { readonly status?: number }) => {
        // The parser's own message may quote the body.
        if (error === undefined) resolve();
        else if (error.status === 413) reject(new PayloadTooLargeException('The body is too large'));
        else reject(new BadRequestException('The body is not JSON'));
      });
    });
    return next.handle();
  }
}
