// An application on NestJS, as a user writes it. It is compiled, bundled and run in many ways.
import 'reflect-metadata';
import {
  Auth,
  Authenticate,
  type Authenticator,
  allOf,
  LATCHKEY_AUTHENTICATOR,
  LatchkeyModule,
  type Principal,
  Public,
  pattern,
  RequireClaims,
} from '@latchkey/nestjs';
import { Controller, Get, Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

@Controller()
class AppController {
  constructor(@Inject(LATCHKEY_AUTHENTICATOR) readonly injected: Authenticator) {}

  @Public()
  @Get('health')
  health(): string {
    return this.injected.kind;
  }

  @Authenticate({ mode: 'strict' })
  @Get('me')
  me(@Auth() auth: Principal): { readonly subject: string | undefined } {
    return { subject: auth.subject };
  }

  @RequireClaims({ roles: allOf('admin'), sub: pattern('[a-z]+') })
  @Get('admin')
  admin(@Auth() auth: Principal): readonly string[] {
    return auth.scopes;
  }
}

export async function start(authenticator: Authenticator) {
  // @ts-expect-error: without the types of the package, this would be no error.
  const _kind: 'combined' = authenticator.kind;
  class AppModule {}
  Module({ imports: [LatchkeyModule.forRoot(authenticator)], controllers: [AppController] })(AppModule);
  const app = await NestFactory.create(AppModule, { logger: ['error'] });
  await app.listen(0, '127.0.0.1');
  const url: string = await app.getUrl();
  return { url, close: () => app.close() };
}
