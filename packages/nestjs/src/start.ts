// What is refused when an application starts: handlers that would answer without what their
// decorators ask. And what is only said, since nothing here can see it.
import { type Authenticator, type CombinedAuthenticator, ConfigError } from '@latchkey/core';
import { checkCombinedAccess, warn } from '@latchkey/core/adapter';
import { lineOf, methodsOf, readAccess } from './access.ts';
import { type Home, metadata, noteOf, statedAt } from './notes.ts';

/** The members of a module of Nest that are read here. */
interface ModuleView {
  readonly controllers: ReadonlyMap<unknown, WrapperView>;
  readonly providers: ReadonlyMap<unknown, WrapperView>;
}
interface WrapperView {
  readonly token?: unknown;
  readonly metatype?: unknown;
  readonly instance?: unknown;
}

// The metadata keys of Nest's decorators, which have not changed for many releases. Importing them
// would need the optional packages.
const GATEWAY = 'websockets:is_gateway';
const MESSAGE = 'microservices:pattern';
const RESOLVED_TYPE = 'graphql:resolver_type';
const RESOLVED_FIELD = 'graphql:resolve_property';
const RESOLVED_REFERENCE = 'graphql:resolve_reference';
const GRAPHQL_OPTIONS = 'GqlModuleOptions';
const GUARDED_OPERATIONS: readonly unknown[] = [undefined, 'Query', 'Mutation', 'Subscription'];

/** True if a class is a gateway. */
export const isGateway = (type: object): boolean => metadata.getMetadata(GATEWAY, type) === true;

/** True if a class itself is marked as public. */
export const isPublicClass = (type: object): boolean => noteOf(type)?.isPublic === true;

/**
 * Checks every handler of an application, and says which message handlers no guard may be before.
 * @throws ConfigError for a handler that has lost what decorators said of it, for a field of
 *   GraphQL with rules where Nest runs no guard on fields, for a context of GraphQL that all
 *   requests share, and for rules on several combined authenticators
 */
export function checkHandlers(
  modules: readonly ModuleView[],
  { kind }: Pick<Authenticator | CombinedAuthenticator, 'kind'>,
): void {
  const wrappers = modules.flatMap(({ controllers, providers }) => [
    ...controllers.values(),
    ...providers.values(),
  ]);
  const graphql = wrappers.filter(({ token }) => token === GRAPHQL_OPTIONS).map(({ instance }) => instance);
  if (graphql.some(sharesContext))
    throw new ConfigError(
      'GraphQLModule context',
      'expected a function, got an object, and drivers give all callers that of the first; make it () => ({ … })',
    );
  const areFieldsGuarded = graphql.every(guardsFields);
  const open = new Set<string>();
  for (const { metatype, instance } of wrappers) {
    const type = classOf(metatype, instance);
    if (type === undefined) continue;
    for (const [name, method] of effectiveMethods(type)) {
      const path = `${type.name}.${name}`;
      const { isAsking, isPublic, whole } = readAccess(type, method);
      checkInstance(path, instance, name, method);
      if (kind === 'combined' && !isPublic) checkCombinedAccess(whole, path);
      if (isAsking && !areFieldsGuarded && isField(method))
        throw new ConfigError(
          path,
          "the field has requirements, but Nest runs no guard on fields; give GraphQLModule fieldResolverEnhancers: ['guards']",
        );
      if (metadata.getMetadata(MESSAGE, method) !== undefined && !isAsking) open.add(path);
    }
  }
  if (open.size > 0)
    warn(
      'LATCHKEY_UNSAFE',
      `${[...open].join(', ')}: open to every client in a hybrid application without inheritAppConfig: true, and denied in any other`,
    );
}

/** The methods that a class declares or inherits, as they are called, if they have decorators. */
function effectiveMethods(type: Home): ReadonlyMap<string, object> {
  const seen = new Set<string>();
  const methods = new Map<string, object>();
  for (const at of lineOf(type)) {
    for (const [name, method] of methodsOf(at)) {
      const isSaid =
        metadata.getMetadataKeys(method).length > 0 || statedAt(at.prototype, name) !== undefined;
      if (isSaid && !seen.has(name)) methods.set(name, method);
      seen.add(name);
    }
  }
  return methods;
}

function checkInstance(path: string, instance: unknown, name: string, method: object): void {
  if (noteOf(method) === undefined || typeof instance !== 'object' || instance === null) return;
  const own = Object.getOwnPropertyDescriptor(instance, name);
  if (own !== undefined && own.value !== method)
    throw new ConfigError(
      path,
      'the constructor replaces the method and loses its decorators; bind it where it is called',
    );
}

function isField(method: object): boolean {
  return (
    metadata.getMetadata(RESOLVED_FIELD, method) === true ||
    metadata.getMetadata(RESOLVED_REFERENCE, method) === true ||
    !GUARDED_OPERATIONS.includes(metadata.getMetadata(RESOLVED_TYPE, method))
  );
}

function guardsFields(options: unknown): boolean {
  const enhancers: unknown = Reflect.get(Object(options), 'fieldResolverEnhancers');
  return Array.isArray(enhancers) && enhancers.includes('guards');
}

/**
 * Drivers put the first request on a context that is an object, and leave it there for all others.
 */
function sharesContext(options: unknown): boolean {
  const context: unknown = Reflect.get(Object(options), 'context');
  return typeof context === 'object' && context !== null;
}

/** The class of what Nest has made: a provider may be made by a function. */
function classOf(metatype: unknown, instance: unknown): Home | undefined {
  const made: unknown = typeof instance === 'object' && instance !== null && Object.getPrototypeOf(instance);
  const type: unknown = made ? Reflect.get(Object(made), 'constructor') : metatype;
  return typeof type === 'function' && type !== Object ? (type as Home) : undefined;
}
