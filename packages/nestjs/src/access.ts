// What decorators note on classes and methods, and how it is read: the nearest note of each kind counts.
import type { CompiledAccess, CompiledRules } from '@latchkey/core/adapter';
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
  readonly access: CompiledAccess | undefined;
}

/** True of what is public; false of what says anything else, so that it counts against a class that is public. */
export const IsPublic = Reflector.createDecorator<boolean>();
export const RulesOf = Reflector.createDecorator<CompiledRules>();
export const AccessNote = Reflector.createDecorator<CompiledAccess>();

// What `@WebSocketGateway` notes, by the name that it has noted it by for long: importing it would need the package.
const GATEWAY = 'websockets:is_gateway';

const reflector = new Reflector();
type Noted = Parameters<Reflector['get']>[1];

// By the handler and by the class, which may have inherited it: what is noted is noted before either is called.
const known = new WeakMap<object, WeakMap<object, Access>>();

/** Reads what the method says, and what it does not say, its class does. Nothing said is a token needed. */
export function accessOf(context: ExecutionContext): Access {
  const handler = context.getHandler();
  const type = context.getClass();
  const before = known.get(handler)?.get(type);
  if (before !== undefined) return before;
  const targets = [handler, type];
  const access = Object.freeze({
    isPublic: reflector.getAllAndOverride(IsPublic, targets) === true,
    rules: reflector.getAllAndOverride(RulesOf, targets),
    access: reflector.getAllAndOverride(AccessNote, targets),
  });
  const classes = known.get(handler) ?? new WeakMap<object, Access>();
  known.set(handler, classes.set(type, access));
  return access;
}

/** True if a class is a gateway. */
export const isGateway = (type: Noted): boolean => reflector.get<boolean>(GATEWAY, type) === true;

/** True if a class says that it is public. */
export const isPublicClass = (type: Noted): boolean => reflector.get(IsPublic, type) === true;
