// The login. Its handlers return plain JSON; `SignResponse` replaces two of its fields by tokens.
import { Public, SignResponse } from '@latchkey/nestjs';
import type { Signer } from '@latchkey/nestjs/signing';
import { keysToSign, type Login } from '@latchkey-apps/friends';
import {
  Body,
  Controller,
  HttpCode,
  Inject,
  Post,
  type Type,
  UnauthorizedException,
  UseInterceptors,
} from '@nestjs/common';
import { JsonBody } from './json-body.interceptor.ts';
import { LOGIN } from './tokens.ts';

/**
 * Creates the controller. It is a function, because the decorator needs the signer before Nest
 * injects anything.
 */
export function loginController(signer: Signer): Type {
  @Public()
  @SignResponse({ signer, keysToSign })
  @UseInterceptors(JsonBody)
  @Controller('token')
  class LoginController {
    constructor(@Inject(LOGIN) private readonly login: Login) {}

    @Post()
    @HttpCode(200)
    issue(@Body() body: unknown) {
      const answer = this.login.issue(body);
      if (answer === undefined) throw new UnauthorizedException('Unknown user or password');
      return answer;
    }

    @Post('refresh')
    @HttpCode(200)
    async refresh(@Body() body: unknown) {
      const answer = await this.login.refresh(body);
      if (answer === undefined) throw new UnauthorizedException('Not a refresh token');
      return answer;
    }
  }
  return LoginController;
}
