// What decorators note on classes and methods, and how it is read: the nearest note of each kind counts.
import type { CompiledOverrides, CompiledRules } from '@latchkey/core';
import type { ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';

/**
 * What to inject to get the application's authenticator: `@Inject(LATCHKEY_AUTHENTICATOR) authenticator: Authenticator`, to verify
 * a token that did not come as the bearer token of a request, or to await `ready()`. A symbol: no metadata of types is needed.
 */
export const LATCHKEY_AUTHENTICATOR: unique symbol = Symbol('LATCHKEY_AUTHENTICATOR');

/** What a handler asks for. */
export interface Access {
  readonly isPublic: boolean;
  readonly rules: CompiledRules | undefined;
  readonly overrides: CompiledOverrides | undefined;
}

/** True of what is public; false of what says anything else, so that it counts against a class that is public. */
export const IsPublic = Reflector.createDecorator<boolean>();
export const RulesOf = Reflector.createDecorator<CompiledRules>();
export const OverridesOf = Reflector.createDecorator<CompiledOverrides>();

// What `@WebSocketGateway` notes, by the name that it has noted it by for long: importing it would need the package.
const GATEWAY = 'websockets:is_gateway';

const reflector = new Reflector();

/** Reads what the method says, and what it does not say, its class does. Nothing said is a token needed. */
export function accessOf(context: ExecutionContext): Access {
  const targets = [context.getHandler(), context.getClass()];
  return {
    isPublic: reflector.getAllAndOverride(IsPublic, targets) === true,
    rules: reflector.getAllAndOverride(RulesOf, targets),
    overrides: reflector.getAllAndOverride(OverridesOf, targets),
  };
}

/** True if a class is a gateway, and does not say that it is public. */
export function isGuardedGateway(type: Parameters<Reflector['get']>[1]): boolean {
  return reflector.get<boolean>(GATEWAY, type) === true && reflector.get(IsPublic, type) !== true;
}
