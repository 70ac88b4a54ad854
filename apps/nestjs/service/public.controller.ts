// What everybody may ask.
import { Public } from '@latchkey/nestjs';
import type { Friends } from '@latchkey-apps/friends';
import { Controller, Get, Header, Inject } from '@nestjs/common';
import { FRIENDS } from './tokens.ts';

@Public()
@Controller()
export class PublicController {
  constructor(@Inject(FRIENDS) private readonly friends: Friends) {}

  @Get('health')
  health() {
    return { status: 'ok' };
  }

  @Get('.well-known/jwks.json')
  @Header('Cache-Control', 'public, max-age=300')
  keys() {
    return this.friends.jwks;
  }
}
