// What the service is made of. LatchkeyModule puts the guard before every route of it.
import { LatchkeyModule } from '@latchkey/nestjs';
import { createFriends, readSettings } from '@latchkey-apps/friends';
import { Module } from '@nestjs/common';
import { FriendsController } from './friends.controller.ts';
import { PublicController } from './public.controller.ts';
import { FRIENDS } from './tokens.ts';

@Module({
  imports: [LatchkeyModule.forRootAsync({ useFactory: () => readSettings().options })],
  controllers: [PublicController, FriendsController],
  providers: [{ provide: FRIENDS, useFactory: createFriends }],
})
export class AppModule {}
