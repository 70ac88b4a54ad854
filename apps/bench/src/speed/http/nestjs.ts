// The contestants on NestJS with Express: one route behind each guard, set up as its README says.
// Decorators are called as compiled TypeScript does.
import 'reflect-metadata';
import { Auth, LatchkeyModule, RequireClaims } from '@latchkey/nestjs';
import {
  type CanActivate,
  Controller,
  type DynamicModule,
  type ExecutionContext,
  Get,
  Inject,
  Module,
  type Provider,
  Req,
  type Type,
  UnauthorizedException,
} from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import { JwtModule, type JwtModuleOptions, JwtService } from '@nestjs/jwt';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import type { NestExpressApplication } from '@nestjs/platform-express';
import jsonwebtoken from 'jsonwebtoken';
import jwksRsa, { type JwksClient } from 'jwks-rsa';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { ROUTE, SCOPE, type Terms } from '../terms.ts';
import type { Starters } from './starter.ts';

interface WithUser {
  user?: { readonly sub: string };
  readonly headers: { readonly authorization?: string };
}

/** The starters, by the contestant's name. */
export const starters: Starters<NestExpressApplication> = {
  bare() {
    class Guard implements CanActivate {
      canActivate() {
        return true;
      }
    }
    class Friends {
      of(_request: unknown) {
        return { of: 'public' };
      }
    }
    return createApplication(Friends, { providers: [{ provide: APP_GUARD, useClass: Guard }] });
  },

  latchkey({ issuer, audience, jwksUrl, algorithm }) {
    class Friends {
      of(auth: { readonly subject?: string }) {
        return { of: auth.subject };
      }
    }
    decorate(Friends, RequireClaims({ scope: SCOPE }));
    const keyset = { issuer, jwksUrl, allowHttp: true, allowedAlgorithms: [algorithm] };
    const imports = [LatchkeyModule.forRoot({ keySets: [keyset], audience })];
    return createApplication(Friends, { imports }, Auth());
  },

  'nestjs-jwt'(terms) {
    const client = jwksRsa({ jwksUri: terms.jwksUrl, cache: true, rateLimit: true });
    return guardedByService({
      secretOrKeyProvider: (_type, token) => keyOf(String(token), client),
      verifyOptions: checks(terms),
    });
  },

  'nestjs-jwt-fixed': (terms) =>
    guardedByService({ publicKey: terms.publicKey, verifyOptions: checks(terms) }),

  'nestjs-passport'(terms) {
    class JwtStrategy extends PassportStrategy(Strategy) {
      constructor() {
        super({
          jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
          secretOrKeyProvider: jwksRsa.passportJwtSecret({ jwksUri: terms.jwksUrl, cache: true }),
          ...checks(terms),
        });
      }
      validate(payload: unknown) {
        return payload;
      }
    }
    const guard = { provide: APP_GUARD, useClass: AuthGuard('jwt') };
    return createApplication(userController(), { providers: [JwtStrategy, guard] });
  },
};

function checks({ issuer, audience, algorithm }: Terms) {
  return { issuer, audience, algorithms: [algorithm] };
}

async function keyOf(token: string, client: JwksClient): Promise<string> {
  const decoded = jsonwebtoken.decode(token, { complete: true });
  return (await client.getSigningKey(decoded?.header.kid)).getPublicKey();
}

/** The guard in Nest's own documentation. */
function guardedByService(options: JwtModuleOptions): Promise<NestExpressApplication> {
  class Guard implements CanActivate {
    readonly #service: JwtService;
    constructor(service: JwtService) {
      this.#service = service;
    }
    async canActivate(context: ExecutionContext): Promise<boolean> {
      const request = context.switchToHttp().getRequest<WithUser>();
      const [type, token] = request.headers.authorization?.split(' ') ?? [];
      if (type !== 'Bearer' || token === undefined) throw new UnauthorizedException();
      try {
        request.user = await this.#service.verifyAsync(token);
      } catch {
        throw new UnauthorizedException();
      }
      return true;
    }
  }
  Inject(JwtService)(Guard, undefined, 0);
  const imports = [JwtModule.register({ global: true, ...options })];
  return createApplication(userController(), {
    imports,
    providers: [{ provide: APP_GUARD, useClass: Guard }],
  });
}

function userController(): Type<{ of(request: WithUser): unknown }> {
  return class Friends {
    of(request: WithUser) {
      return { of: request.user?.sub };
    }
  };
}

async function createApplication(
  controller: Type<{ of(given: never): unknown }>,
  parts: { readonly imports?: DynamicModule[]; readonly providers?: Provider[] },
  parameter: ParameterDecorator = Req(),
): Promise<NestExpressApplication> {
  parameter(controller.prototype, 'of', 0);
  decorate(controller, Get(ROUTE));
  Controller()(controller);
  class AppModule {}
  Module({ controllers: [controller], ...parts })(AppModule);
  return NestFactory.create<NestExpressApplication>(AppModule, { logger: false });
}

function decorate(controller: Type, decorator: MethodDecorator): void {
  const descriptor = Object.getOwnPropertyDescriptor(controller.prototype, 'of');
  if (descriptor !== undefined) decorator(controller.prototype, 'of', descriptor);
}
