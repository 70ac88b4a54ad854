// The decorators. They note the requirements of a handler and add the guard to it; the guard
// decides.
import type { RouteAccess, Rules } from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import { createParamDecorator, UseGuards } from '@nestjs/common';
import { LatchkeyGuard, principalOf } from './guard.ts';
import { refuseTarget } from './misuse.ts';

/**
 * Makes a handler, or every handler of a class, public: tokens are not checked, and `@Auth()` is
 * undefined. On a method it overrides the decorators of the class. On a class it opens the methods
 * that the class declares or inherits, but *not* those that a subclass adds. On a gateway it does
 * not open the handshake: see `authenticateWebSockets`.
 * @throws ConfigError next to `@RequireClaims` or `@Authenticate` on the same method or class
 * @example
 * ```ts
 * @Public()
 * @Controller('health')
 * class HealthController {}
 * ```
 */
export function Public(...none: readonly never[]): adapter.AccessDecorator {
  refuseTarget(none, 0, '@Public', '@Public()');
  return adapter.noteAccess({ isPublic: true });
}

/**
 * Lets a request pass only if its token satisfies the rules. On a method it replaces
 * `@RequireClaims` of the class; on a class it applies to subclasses too. It also adds the guard,
 * so that it works where Nest runs no global guard: on the message handlers of a gateway.
 * @throws ConfigError for wrong rules, at once; next to `@Public`; and if another decorator on the
 *   same method or class has rules too
 * @example
 * ```ts
 * @RequireClaims({ roles: allOf('admin') })
 * @Controller('admin')
 * class AdminController {}
 * ```
 */
export function RequireClaims(
  rules: Rules | adapter.CompiledRules,
  ...others: readonly never[]
): adapter.AccessDecorator {
  refuseTarget([rules, ...others], 1, '@RequireClaims', "@RequireClaims({ roles: 'admin' })");
  return requiring({ isPublic: false, rules: adapter.compileRules(rules) });
}

/**
 * Replaces the requirements of the options for a handler, or for every handler of a class: a mode,
 * the accepted issuers, the audience, and rules, as `@RequireClaims` does. On a method it replaces
 * `@Authenticate` of the class as a whole; without rules, those of the class stay. A mode that lets
 * anonymous requests pass does not apply to methods that a subclass adds.
 * @throws ConfigError for wrong access, at once; next to `@Public`, or to another `@Authenticate`;
 *   and with `claims` next to `@RequireClaims`
 * @example
 * ```ts
 * @Authenticate({ mode: 'optional' })
 * @Controller('news')
 * class NewsController {}
 * ```
 */
export function Authenticate(...access: readonly [access?: RouteAccess]): adapter.AccessDecorator {
  refuseTarget(access, 1, '@Authenticate', '@Authenticate({ claims, issuers, mode })');
  const asked = adapter.compileAccess(adapter.argument(access, '@Authenticate', {}), '@Authenticate');
  const { claims } = asked;
  // The rules have the same effect as those of @RequireClaims.
  const rules = claims === undefined ? {} : { rules: claims };
  return requiring({ isPublic: false, access: adapter.accessWith(asked, { claims: undefined }), ...rules });
}

/**
 * Passes the principal to a parameter; for `requireAll` and `requireAny`, the principals by name.
 * It is undefined for an anonymous request, which only `@Public` and the modes `optional` and
 * `permissive` let pass. You declare its type: `Principal<ClaimsOf<…>>`.
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
export function Auth(...none: readonly never[]): ParameterDecorator {
  refuseTarget(none, 0, '@Auth', '@Auth()');
  const decorate = parameter();
  return (target, key, index) => {
    guard(target);
    decorate(target, key, index);
  };
}

const parameter = createParamDecorator<undefined>((_data, context) => principalOf(context));

/** Notes what a handler requires, and adds the guard to its class. */
function requiring(said: adapter.AccessNote): adapter.AccessDecorator {
  const decorate = adapter.noteAccess(said);
  return (...on) => {
    guard(on[0]);
    decorate(...on);
  };
}

const guarded = new WeakSet<object>();

/**
 * Adds the guard to a class, or to that of a method, so that it runs where Nest runs no global
 * guard. On the class it stays if another decorator replaces the method.
 */
function guard(target: object): void {
  const type = typeof target === 'function' ? target : target.constructor;
  if (!isGuarded(type)) UseGuards(LatchkeyGuard)(type);
  guarded.add(type);
}

/** True if the guard was added to a class, or to one that it extends. */
export function isGuarded(type: adapter.DecoratedClass): boolean {
  return adapter.lineageOf(type).some((at) => guarded.has(at));
}
