// The decorators. They note what a handler asks for, and see to it that the guard stands before it;
// the guard decides.
import type { RouteAccess, Rules } from '@latchkey/core';
import type { CompiledRules } from '@latchkey/core/adapter';
import { accessWith, argument, compileAccess, compileRules } from '@latchkey/core/adapter';
import { applyDecorators, createParamDecorator, UseGuards } from '@nestjs/common';
import { LatchkeyGuard, principalOf } from './guard.ts';
import { type Note, note } from './notes.ts';

/**
 * Says that a handler, or every handler of a class, is for everybody: no token is looked at, and
 * `@Auth()` is undefined. On a method it counts against what its class says. On a class it opens
 * the methods that the class declares or inherits, and *not* what a subclass adds. On a gateway it
 * does not open the handshake: see `authenticateWebSockets`.
 * @throws ConfigError next to `@RequireClaims` or `@Authenticate` on the same method or class
 * @example
 * ```ts
 * @Public()
 * @Controller('health')
 * class HealthController {}
 * ```
 */
export function Public(): ClassDecorator & MethodDecorator {
  return state({ isPublic: true });
}

/**
 * Lets only those in whose token satisfies the rules. On a method it replaces what `@RequireClaims`
 * on its class says; on a class it holds for subclasses, too. Brings the guard along, so that it
 * holds where Nest runs no global guard: on the message handlers of a gateway.
 * @throws ConfigError for wrong rules, at once; next to `@Public`; and where another decorator on
 *   the same method or class has rules as well
 * @example
 * ```ts
 * @RequireClaims({ roles: allOf('admin') })
 * @Controller('admin')
 * class AdminController {}
 * ```
 */
export function RequireClaims(rules: Rules | CompiledRules): ClassDecorator & MethodDecorator {
  return state({ isPublic: false, rules: compileRules(rules) });
}

/**
 * Says what a handler, or every handler of a class, asks instead of what the options say: a mode,
 * the issuers that are welcome, and rules, as `@RequireClaims` does. On a method it replaces
 * `@Authenticate` on its class as a whole; without rules, those of the class stay. A mode that lets
 * anonymous requests in does not hold for what a subclass adds.
 * @throws ConfigError for wrong access, at once; next to `@Public`, or to another `@Authenticate`;
 *   and with `claims` next to `@RequireClaims`
 * @example
 * ```ts
 * @Authenticate({ mode: 'optional' })
 * @Controller('news')
 * class NewsController {}
 * ```
 */
export function Authenticate(...access: readonly [access?: RouteAccess]): ClassDecorator & MethodDecorator {
  const asked = compileAccess(argument(access, '@Authenticate', {}), '@Authenticate');
  const { claims } = asked;
  // The rules count as those of @RequireClaims.
  const rules = claims === undefined ? {} : { rules: claims };
  return state({ isPublic: false, access: accessWith(asked, { claims: undefined }), ...rules });
}

/**
 * Gives a parameter the principal; for `requireAll` and `requireAny`, the principals by name.
 * Undefined for an anonymous caller, which only `@Public` and the modes `optional` and `permissive`
 * let pass. Its type is yours to say: `Principal<ClaimsOf<…>>`.
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

function state(said: Note): ClassDecorator & MethodDecorator {
  return applyDecorators(note(said), UseGuards(LatchkeyGuard));
}
