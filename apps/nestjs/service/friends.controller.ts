// Friends and messages: the routes that need a token, and what each asks of it.
import { Auth, type Principal, present, RequireClaims } from '@latchkey/nestjs';
import { type Friends, readMessage } from '@latchkey-apps/friends';
import { BadRequestException, Body, Controller, Get, Inject, Post, UseInterceptors } from '@nestjs/common';
import { JsonBody } from './json-body.interceptor.ts';
import { FRIENDS } from './tokens.ts';

@Controller()
export class FriendsController {
  constructor(@Inject(FRIENDS) private readonly friends: Friends) {}

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
    const friend = await this.friends.requireCapability(message.friendToken, auth);
    return { to: friend.subject, from: auth.subject, text: message.text };
  }

  @RequireClaims({ roles: ['admin', 'dev'] })
  @Get('admin')
  admin(@Auth() auth: Principal) {
    return { welcome: auth.subject };
  }
}
