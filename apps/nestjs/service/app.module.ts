// The module of the service. LatchkeyModule guards every route. The routes are in the controllers.
import { LatchkeyModule, publishKeys } from '@latchkey/nestjs';
import type { Sample } from '@latchkey-apps/friends';
import { type DynamicModule, Module } from '@nestjs/common';
import { FriendsController } from './friends.controller.ts';
import { HealthController } from './health.controller.ts';
import { loginController } from './login.controller.ts';
import { FRIENDS, LOGIN, LOGOUT, MESSAGES } from './tokens.ts';

@Module({})
class AppModule {}

export function createAppModule({
  authenticator,
  friends,
  login,
  logout,
  messages,
  signer,
}: Sample): DynamicModule {
  return {
    module: AppModule,
    imports: [LatchkeyModule.forRoot(authenticator)],
    controllers: [HealthController, publishKeys(signer), loginController(signer), FriendsController],
    providers: [
      { provide: FRIENDS, useValue: friends },
      { provide: LOGIN, useValue: login },
      { provide: LOGOUT, useValue: logout },
      { provide: MESSAGES, useValue: messages },
    ],
  };
}
