// The routes for friends and messages, which need a token, and their rules for it. The login is in
// login.controller.ts.
import { Auth, type Principal, present, RequireClaims } from '@latchkey/nestjs';
import {
  type Friends,
  type Logout,
  type Messages,
  ownToken,
  readMessage,
  systemOnly,
} from '@latchkey-apps/friends';
import {
  BadRequestException,
  Body,
  ConflictException,
  Controller,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  UseInterceptors,
} from '@nestjs/common';
import { JsonBody } from './json-body.interceptor.ts';
import { FRIENDS, LOGOUT, MESSAGES } from './tokens.ts';

@Controller()
export class FriendsController {
  constructor(
    @Inject(FRIENDS) private readonly friends: Friends,
    @Inject(MESSAGES) private readonly messages: Messages,
    @Inject(LOGOUT) private readonly logout: Logout,
  ) {}

  @RequireClaims({ scope: 'friends:read', sub: present() })
  @Get('friends')
  async list(@Auth() auth: Principal) {
    return { friends: await this.friends.of(auth) };
  }

  @RequireClaims({ scope: 'messages:write', sub: present() })
  @UseInterceptors(JsonBody)
  @Post('messages')
  async write(@Auth() auth: Principal, @Body() body: unknown) {
    const message = readMessage(body);
    if (message === undefined) {
      throw new BadRequestException('Expected {"friendToken": …, "text": …}, text of 1 to 1000 characters');
    }
    const friend = await this.friends.verify(message.friendToken, auth);
    const sent = await this.messages.send(auth, friend, message.text);
    if (sent === undefined) throw new ConflictException('You are no longer friends');
    return sent;
  }

  @RequireClaims(ownToken)
  @HttpCode(204)
  @Post('logout')
  async end(@Auth() auth: Principal) {
    await this.logout(auth);
  }

  /** Only for other services, which send the system token. */
  @RequireClaims(systemOnly)
  @Get('internal/friends/:user')
  namesOf(@Param('user') user: string) {
    return { friends: this.friends.namesOf(user) };
  }

  @RequireClaims({ roles: ['admin', 'dev'] })
  @Get('admin')
  admin(@Auth() auth: Principal) {
    return { welcome: auth.subject };
  }
}
