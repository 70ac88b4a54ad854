// What is refused when an application starts: handlers that would answer without what their
// decorators require. And what is only warned of, because it depends on how the service is started.
import { type Authenticator, type CombinedAuthenticator, ConfigError } from '@latchkey/core';
import { checkCombinedAccess, warn } from '@latchkey/core/adapter';
import { type DiscoveryService, MetadataScanner } from '@nestjs/core';
import { type Home, isPublicClass, readAccess } from './access.ts';
import { isGuarded } from './decorators.ts';

/** The part of `Reflect` that Nest adds. */
interface Metadata {
  getMetadata(key: string, target: object): unknown;
  getMetadataKeys(target: object): readonly string[];
}
const { getMetadata, getMetadataKeys }: Metadata = Reflect as never;

const OPERATIONS: readonly unknown[] = [undefined, 'Query', 'Mutation', 'Subscription'];

/** The authenticators of handshakes. */
export const handshaking = new WeakSet<object>();

/**
 * Checks every handler of an application.
 * @throws ConfigError for a handler that has lost what decorators say of it, for a field of GraphQL
 *   with requirements where Nest runs no guard on fields, for a context of GraphQL that all
 *   requests share, for a gateway whose handshakes are not authenticated, and for rules on several
 *   combined authenticators
 */
export async function checkHandlers(
  discovery: DiscoveryService,
  authenticator: Authenticator | CombinedAuthenticator,
): Promise<void> {
  // An application with such handlers has the package installed.
  const graphql = await import('@nestjs/graphql').catch(() => undefined);
  const sockets = await import('@nestjs/websockets').catch(() => undefined);
  const messages = await import('@nestjs/microservices').catch(() => undefined);
  const isGateway = markedBy((probe) => sockets?.WebSocketGateway()(probe));
  const isMessage = markedBy((value) => messages?.MessagePattern('')({}, '', { value }));
  const wrappers = [...discovery.getControllers(), ...discovery.getProviders()];
  const options = wrappers.filter(({ token }) => token === graphql?.GRAPHQL_MODULE_OPTIONS);
  const areFieldsGuarded = options.map(({ instance }) => readGraphql(instance)).every(Boolean);
  const open = new Set<string>();
  for (const { metatype, instance } of wrappers) {
    const type = classOf(metatype, instance);
    if (type === undefined) continue;
    if (isGateway(type) && !isPublicClass(type) && !handshaking.has(authenticator))
      throw new ConfigError(
        type.name,
        'the handshakes of this gateway are not authenticated; call app.useWebSocketAdapter(authenticateWebSockets(app, new WsAdapter(app))) with authenticateWebSockets of @latchkey/nestjs/websockets',
      );
    for (const name of new MetadataScanner().getAllMethodNames(type.prototype)) {
      const method: object = Reflect.get(type.prototype, name);
      if (getMetadataKeys(method).length === 0) continue;
      const path = `${type.name}.${name}`;
      const { isPublic, isAsking, asked } = readAccess(type, method);
      if ((Object.getOwnPropertyDescriptor(Object(instance), name)?.value ?? method) !== method)
        throw new ConfigError(
          path,
          'the constructor replaces the method and loses its decorators; bind it where it is called',
        );
      if (authenticator.kind === 'combined' && !isPublic) checkCombinedAccess(asked, path);
      if (isAsking && !areFieldsGuarded && isField(method, graphql))
        throw new ConfigError(
          path,
          "the field has requirements, but Nest runs no guard on fields; give GraphQLModule fieldResolverEnhancers: ['guards']",
        );
      if (!isPublic && !isGuarded(type) && isMessage(method)) open.add(path);
    }
  }
  if (open.size > 0)
    warn(
      'LATCHKEY_UNSAFE',
      `${[...open].join(', ')}: open to every client in a hybrid application without inheritAppConfig: true, and denied in any other`,
    );
}

/** Tells what a decorator of Nest is on, without the names of Nest's own metadata. */
function markedBy(decorate: (probe: () => void) => unknown): (target: object) => boolean {
  const probe = () => {};
  decorate(probe);
  const keys = getMetadataKeys(probe);
  return (target) => keys.length > 0 && keys.every((key) => getMetadataKeys(target).includes(key));
}

/** True if the options make Nest run guards on fields. @throws ConfigError for a shared context */
function readGraphql(options: unknown): boolean {
  const { context, fieldResolverEnhancers }: { context?: unknown; fieldResolverEnhancers?: unknown } =
    Object(options);
  // Drivers put the first request on a context that is an object, and leave it there.
  if (typeof context === 'object' && context !== null)
    throw new ConfigError(
      'GraphQLModule context',
      'expected a function, got an object, and drivers give all callers that of the first; make it () => ({ … })',
    );
  return Array.isArray(fieldResolverEnhancers) && fieldResolverEnhancers.includes('guards');
}

function isField(method: object, graphql: typeof import('@nestjs/graphql') | undefined): boolean {
  if (graphql === undefined) return false;
  const type = getMetadata(graphql.RESOLVER_TYPE_METADATA, method);
  return (
    getMetadata(graphql.RESOLVER_PROPERTY_METADATA, method) === true ||
    getMetadata(graphql.RESOLVER_REFERENCE_METADATA, method) === true ||
    !OPERATIONS.includes(type)
  );
}

/** The class of what Nest has made: a provider may be made by a function. */
function classOf(metatype: unknown, instance: unknown): Home | undefined {
  const made: unknown = typeof instance === 'object' && instance !== null && Object.getPrototypeOf(instance);
  const type: unknown = made ? Reflect.get(Object(made), 'constructor') : metatype;
  return typeof type === 'function' && type !== Object ? (type as Home) : undefined;
}
