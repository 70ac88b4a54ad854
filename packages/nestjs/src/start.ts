// What is refused when an application starts: handlers that would answer without what their
// decorators require.
import { type Authenticator, type CombinedAuthenticator, ConfigError } from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import { type DiscoveryService, MetadataScanner } from '@nestjs/core';
import { isGuarded } from './decorators.ts';
import { messageChecks, warnOfOpen } from './messages.ts';

const OPERATIONS: readonly unknown[] = [undefined, 'Query', 'Mutation', 'Subscription'];

/**
 * Checks every handler of an application.
 * @throws ConfigError for a handler that has lost what decorators say of it, for a field of GraphQL
 *   with requirements where Nest runs no guard on fields, for a context of GraphQL that all
 *   requests share, for a gateway whose handshakes are not authenticated, for rules on several
 *   combined authenticators, and for the name of a route that the options do not have
 */
export async function checkHandlers(
  discovery: DiscoveryService,
  authenticator: Authenticator | CombinedAuthenticator,
): Promise<void> {
  // An application with such handlers has the package installed.
  const graphql = await import('@nestjs/graphql').catch(() => undefined);
  const checks = await messageChecks();
  const wrappers = [...discovery.getControllers(), ...discovery.getProviders()];
  const options = wrappers.filter(({ token }) => token === graphql?.GRAPHQL_MODULE_OPTIONS);
  const areFieldsGuarded = options.map(({ instance }) => guardsFields(Object(instance))).every(Boolean);
  const open = new Set<string>();
  for (const { metatype, instance } of wrappers) {
    // A provider may be made by a function.
    const { constructor: type }: { constructor?: unknown } = Object(instance ?? Object(metatype).prototype);
    if (!isClass(type)) continue;
    checks.gateway(type, authenticator);
    for (const name of new MetadataScanner().getAllMethodNames(type.prototype)) {
      const method: object = Reflect.get(type.prototype, name);
      if (Reflect.getMetadataKeys(method).length === 0) continue;
      const path = `${type.name}.${name}`;
      const { isPublic, isAsking, asked } = adapter.decoratedAccess(type, method);
      if ((Object.getOwnPropertyDescriptor(Object(instance), name)?.value ?? method) !== method)
        throw new ConfigError(path, `${REPLACED}; bind it where it is called`);
      if (authenticator.kind === 'combined' && !isPublic) adapter.checkCombinedAccess(asked, path);
      adapter.checkAccessNames(authenticator, asked, path, path);
      if (!isPublic) adapter.warnOfAccess(authenticator, asked, path);
      if (graphql !== undefined && isAsking && !areFieldsGuarded && isField(method, graphql))
        throw new ConfigError(path, UNGUARDED);
      if (!isPublic && !isGuarded(type) && checks.isMessage(method)) open.add(path);
    }
  }
  warnOfOpen([...open]);
}

const REPLACED = 'the constructor replaces the method and loses its decorators';
const UNGUARDED =
  "the field has requirements, but Nest runs no guard on fields; give GraphQLModule fieldResolverEnhancers: ['guards']";
const SHARED =
  'expected a function, got an object, and drivers give all callers that of the first; make it () => ({ … })';

/** True if Nest runs guards on fields. @throws ConfigError for a context that all requests share */
function guardsFields(options: { [name in 'context' | 'fieldResolverEnhancers']?: unknown }): boolean {
  const { context, fieldResolverEnhancers: enhancers } = options;
  // Drivers put the first request on a context that is an object, and leave it there.
  if (typeof context === 'object' && context !== null) throw new ConfigError('GraphQLModule context', SHARED);
  return Array.isArray(enhancers) && enhancers.includes('guards');
}

function isField(method: object, names: typeof import('@nestjs/graphql')): boolean {
  const read = (name: string): unknown => Reflect.getMetadata(name, method);
  if (read(names.RESOLVER_PROPERTY_METADATA) === true) return true;
  const isReference = read(names.RESOLVER_REFERENCE_METADATA) === true;
  return isReference || !OPERATIONS.includes(read(names.RESOLVER_TYPE_METADATA));
}

function isClass(type: unknown): type is adapter.DecoratedClass {
  return typeof type === 'function' && type !== Object;
}
