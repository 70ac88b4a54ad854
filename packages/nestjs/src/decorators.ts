// The decorators. They note what a handler asks for, and see to it that the guard stands before it; the guard decides.
import type { RouteAccess, Rules } from '@latchkey/core';
import { ConfigError } from '@latchkey/core';
import type { CompiledRules } from '@latchkey/core/adapter';
import { compileAccess, compileRules } from '@latchkey/core/adapter';
import { applyDecorators, createParamDecorator, UseGuards } from '@nestjs/common';
import { AccessNote, IsPublic, RulesOf } from './access.ts';
import { LatchkeyGuard, principalOf } from './guard.ts';

const stated = new WeakMap<object, boolean>();

/**
 * Says that a handler, or every handler of a class, is for everybody: no token is looked at, and `@Auth()` is undefined. On a method it
 * counts against what its class says. On a gateway it does not open the handshake: see `authenticateWebSockets`.
 * @throws ConfigError beside `@RequireClaims` or `@Authenticate` on the same method or class
 * @example
 * ```ts
 * @Public()
 * @Controller('health')
 * class HealthController {}
 * ```
 */
export function Public(): ClassDecorator & MethodDecorator {
  return state(true);
}

/**
 * Lets only those in whose token satisfies the rules. On a method it replaces what `@RequireClaims` on its class says. Brings the guard
 * along, so that it holds where Nest runs no global guard: on the message handlers of a gateway.
 * @throws ConfigError for wrong rules, at once; and beside `@Public`
 * @example
 * ```ts
 * @RequireClaims({ roles: allOf('admin') })
 * @Controller('admin')
 * class AdminController {}
 * ```
 */
export function RequireClaims(rules: Rules | CompiledRules): ClassDecorator & MethodDecorator {
  return state(false, RulesOf(compileRules(rules)));
}

/**
 * Says what a handler, or every handler of a class, asks instead of what the options say: a mode, the issuers that are welcome, and
 * rules, as `@RequireClaims` does. On a method it replaces `@Authenticate` on its class as a whole; without rules, those of the class stay.
 * @throws ConfigError for wrong access, at once; and together with `@Public`
 * @example
 * ```ts
 * @Authenticate({ mode: 'optional' })
 * @Controller('news')
 * class NewsController {}
 * ```
 */
export function Authenticate(access: RouteAccess = {}): ClassDecorator & MethodDecorator {
  const { claims, ...asked } = access;
  const rules = claims === undefined ? [] : [RulesOf(compileRules(claims))];
  return state(false, AccessNote(compileAccess(asked)), ...rules);
}

/**
 * Gives a parameter the principal; for `requireAll` and `requireAny`, the principals by name. Undefined for an anonymous
 * caller, which only `@Public` and the modes `optional` and `permissive` let pass. Its type is yours to say: `Principal<ClaimsOf<…>>`.
 * @example
 * ```ts
 * @Controller('me')
 * class MeController {
 *   @Get()
 *   me(@Auth() auth: Principal) {
 *     return auth.subject;
 *   }
 * }
 * ```
 */
export const Auth: () => ParameterDecorator = createParamDecorator<undefined>((_data, context) =>
  principalOf(context),
);

function state(isPublic: boolean, ...notes: readonly MethodDecorator[]): ClassDecorator & MethodDecorator {
  const decorate = applyDecorators(IsPublic(isPublic), UseGuards(LatchkeyGuard), ...notes);
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor) => {
    const subject: object = descriptor?.value ?? target;
    // Which of them is nearer would hang on the order of lines.
    if (stated.get(subject) === !isPublic)
      throw new ConfigError('@Public', `stands beside a decorator that asks for a token`);
    stated.set(subject, isPublic);
    decorate(target, key, descriptor);
  };
}
