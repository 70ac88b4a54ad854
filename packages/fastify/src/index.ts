// Maps Fastify to core: passes the request in, sets `request.auth`, throws errors. No decision is
// made here.
import * as core from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import type { Signer, SignResponseOptions } from '@latchkey/core/signing';
import type * as fastify from 'fastify';
import plugin from 'fastify-plugin';
import { refuseMisplaced, responseSigners } from './misplaced.ts';
import { noteDecided } from './not-found.ts';
import {
  checkApplication,
  checkAuth,
  compileAuth,
  configOf,
  guardLate,
  isSeen,
  REGISTRATION,
  type Registration,
  type RouteConfig,
  requirements,
} from './routes.ts';

export * from '@latchkey/core';
export { compileRules } from '@latchkey/core/adapter';
export { recentDecisions } from './decisions.ts';
export { receiveEvents } from './events.ts';
export { type DocumentTransform, openApiTransform } from './openapi.ts';
export { type RouteConfig, routes } from './routes.ts';

/** A hook that lets a request pass if its principal satisfies rules. */
export type RequirementHook = (request: fastify.FastifyRequest) => Promise<void>;

/** A request that has been authenticated. */
export type AuthenticatedRequest<C extends core.Claims = core.Claims> = fastify.FastifyRequest & {
  /** The principal of the verified token. Its claims are typed by the rules that they satisfied. */
  readonly auth: core.Principal<C>;
};

type Judged = fastify.FastifyRequest & { rawHeaders: readonly string[]; auth: unknown };

type Replied = fastify.FastifyReply;
type Concealing = Pick<core.CombinedAuthenticator, 'conceal'>;
type Deciding = core.Authenticator | core.CombinedAuthenticator;
type Given = core.AuthenticatorOptions | core.DescriptorOptions;

/** The options of an authenticator, or an authenticator; and the settings that only Fastify has. */
export type LatchkeyOptions = {
  /**
   * If true, `app.ready()` fails when any route of the application, in any scope, is undecided.
   * Default false.
   */
  readonly failOnUndecided?: boolean;
  /**
   * The requirement of the application's own `setNotFoundHandler`, like `config.auth` of a route.
   * Default: a token. It applies also where a public route calls `reply.callNotFound()`. Fastify's
   * own answer to an unknown path reveals nothing and needs no token.
   */
  readonly notFound?: RouteConfig['auth'];
} & (
  | (Given & { readonly authenticator?: undefined })
  | { readonly authenticator: core.Authenticator | core.CombinedAuthenticator }
);

/**
 * Authenticates every request to the scope that it is registered in, and to the scopes inside it,
 * before the body is read, and sets `request.auth`: the principal, null for an anonymous request,
 * or for `requireAll` and `requireAny` the principals by name. `config.auth` of a route replaces
 * the requirement of the options, and `false` makes the route public; without it, a route needs a
 * token. Does *not* cover sibling scopes or the scopes around: `routes` reports them. If the plugin
 * is registered again in an inner scope, the inner registration decides there.
 *
 * A refusal goes to the application's error handling as an `AuthError`; Fastify's own error handler
 * answers with its status and headers.
 * @throws ConfigError for wrong options, while Fastify loads the plugin; for a wrong `config.auth`,
 *   when the route is added
 * @example
 * ```ts
 * await app.register(latchkey, {
 *   keySets: [{ issuer: 'https://accounts.google.com', useOidcDiscovery: true }],
 *   audience: 'https://api.example.com',
 * });
 * app.get('/health', { config: { auth: false } }, async () => 'ok');
 * ```
 */
export const latchkey: fastify.FastifyPluginAsync<LatchkeyOptions> = plugin(
  async (scope: fastify.FastifyInstance, options: LatchkeyOptions) => {
    if (typeof scope?.addHook !== 'function')
      throw new core.ConfigError(
        '@latchkey/fastify',
        'expected to be registered, got a call; write app.register(latchkey, options)',
      );
    if (Object.hasOwn(scope, REGISTRATION))
      throw new core.ConfigError(
        '@latchkey/fastify',
        'is registered in this scope already; register it once, or again in an inner scope',
      );
    const { failOnUndecided, notFound, authenticator } = readPluginOptions(scope, options);
    const registration: Registration = { scope, authenticator, decide };
    // The default is null, because all requests would share an object.
    if (!scope.hasDecorator(REGISTRATION)) scope.decorateRequest('auth', null);
    scope.decorate(REGISTRATION, registration);
    scope.addHook('onRoute', (route) => {
      refuseMisplaced(route);
      const path = `${route.method} ${route.url} config.auth`;
      checkAuth(compileAuth(configOf(route), path), authenticator, path);
    });
    if (!isSeen(scope)) guardLate(scope);
    scope.addHook('onReady', async () => {
      checkApplication(scope, failOnUndecided);
      await adapter.loadKeys(authenticator);
    });
    scope.addHook('onRequest', (request, reply, done) => {
      // A nearer registration decides.
      if (Reflect.get(request.server, REGISTRATION) !== registration) return done();
      endUpgrade(request, reply);
      return decide(request, reply) ?? done();
    });

    function decide(given: fastify.FastifyRequest, reply: fastify.FastifyReply): void | Promise<void> {
      const request = given as Judged;
      // Other code may have set `request.auth`. Handlers must not take that value for a principal,
      // least of all after a refusal.
      request.auth = null;
      request.rawHeaders = request.raw.rawHeaders;
      const asked = askedOf(request, notFound);
      if (asked === false) {
        if (request.is404) noteDecided(request);
        return conceal(authenticator, request, reply);
      }
      const decision = adapter.decide<unknown, Replied>(authenticator, request, asked, FASTIFY, reply);
      conceal(authenticator, request, reply);
      const take = (auth: unknown): void => {
        (request as { auth: unknown }).auth = auth ?? null;
        if (request.is404) noteDecided(request);
      };
      return adapter.whenDecided<unknown, void>(decision, take);
    }
  },
  { fastify: '5.x', name: '@latchkey/fastify' },
);

// biome-ignore lint/style/noDefaultExport: the only one of the repository, as users of Fastify expect of a plugin.
export default latchkey;

/**
 * Makes a hook, for `onRequest` or later, that lets a request pass if its principal satisfies the
 * rules. The plugin must have set the principal, so an anonymous request does not pass. Where a
 * request passes several hooks, each must be satisfied, in addition to the route's `config.auth`.
 * @throws ConfigError for wrong rules, at once
 * @example
 * ```ts
 * app.get('/admin', { onRequest: requireClaims({ roles: allOf('admin') }) }, async () => 'hello');
 * ```
 */
export function requireClaims<const R extends core.Rules>(
  rules: R | adapter.CompiledRules<R>,
  ...others: readonly never[]
): RequirementHook {
  adapter.refuseRequest(rules, 'requireClaims', "rules, such as { scope: 'read' }");
  if (others.length > 0)
    throw new core.ConfigError(
      'requireClaims',
      `expected one argument, got ${others.length + 1}; put all rules into one object`,
    );
  const compiled = adapter.compileRules(rules);
  const hook: RequirementHook = async (request) => {
    (request as Judged).auth = getAuth(request, compiled);
  };
  requirements.set(hook, compiled);
  return hook;
}

/**
 * Returns the principal of a request. With rules of `compileRules`, those in `config.auth` or
 * others, it judges the principal by them and types its claims; a claim with a schema has the
 * output of the schema. Not for the principals of `requireAll`: read those from `request.auth`.
 * @throws AuthError `credentials_missing` for an anonymous request, `scope_insufficient`,
 *   `claims_insufficient`
 * @example
 * ```ts
 * const admin = compileRules({ roles: allOf('admin') });
 * app.get('/admin', { config: { auth: { claims: admin } } }, async (request) => {
 *   return getAuth(request, admin).claims.roles;
 * });
 * ```
 */
export function getAuth<const R extends core.Rules = Record<never, never>>(
  request: fastify.FastifyRequest,
  ...rules: readonly [rules?: adapter.CompiledRules<R>]
): core.Principal<core.ClaimsOf<R>> {
  const judged = request as Partial<AuthenticatedRequest> & adapter.RequestParameters;
  // Set when the plugin has decided, also about an anonymous request.
  if (!Object.hasOwn(Object(judged), 'rawHeaders'))
    throw adapter.notAuthenticated(
      'getAuth',
      'the plugin; register @latchkey/fastify around this route, before its hooks',
    );
  const asked = adapter.compileRules<R>(
    adapter.argument(rules, 'rules', NO_RULES) as adapter.CompiledRules<R>,
  );
  return adapter.authorizeRequest(request, judged.auth ?? undefined, asked, judged);
}

/**
 * Makes an `onSend` hook that signs fields of the reply of a route: `app.post('/token', { onSend:
 * signResponse(…) }, handler)`. A 2xx that is not JSON, has trailers, was compressed by a hook
 * before, or has a field that cannot be signed, is a 500. It does not sign replies that are not
 * sent through Fastify (`reply.hijack()`, `reply.raw`).
 * @throws ConfigError for wrong options, at once
 * @example
 * ```ts
 * const onSend = signResponse({ signer, keysToSign: ['access_token'] });
 * app.post('/token', { config: { auth: false }, onSend }, async () => ({
 *   access_token: { sub: 'alice', exp: Math.floor(Date.now() / 1000) + 300 },
 * }));
 * ```
 */
export function signResponse(options: SignResponseOptions): fastify.onSendAsyncHookHandler {
  adapter.refuseRequest(options, 'signResponse', 'options, such as { signer, keysToSign }');
  const { sign } = adapter.createResponseSigner(options);
  const hook: fastify.onSendAsyncHookHandler = async (request, reply, body) => {
    if (!isPayload(body, request)) throw new Error('signResponse: expected to be called as an onSend hook');
    dropTrailers(reply);
    const signed = await sign({
      status: reply.statusCode,
      body,
      getHeader: (name) => reply.getHeader(name),
      setHeader: (name, value) => reply.header(name, value),
      removeHeader: (name) => reply.removeHeader(name),
      response: reply.raw,
    });
    return signed?.body ?? body;
  };
  responseSigners.add(hook);
  return hook;
}

/**
 * True for what Fastify gives to `onSend`, and not for what it gives to other hooks: a callback, an
 * object, a request.
 */
function isPayload(body: unknown, { raw }: fastify.FastifyRequest): boolean {
  if (body === undefined || body === null || typeof body === 'string' || body instanceof Uint8Array)
    return true;
  if (typeof body !== 'object' || body === raw) return false;
  return 'pipe' in body || 'getReader' in body || body instanceof Response;
}

/**
 * Makes a handler that answers with the public JWK Set of a signer. The set is public: give its
 * route `config: { auth: false }`.
 * @example
 * ```ts
 * app.get('/.well-known/jwks.json', { config: { auth: false } }, publishKeys(signer));
 * ```
 */
export function publishKeys(signer: Signer): fastify.RouteHandlerMethod {
  adapter.refuseRequest(signer, 'publishKeys', 'a signer');
  const publish = adapter.keysPublisher(signer);
  return async (_request, reply) => {
    const { headers, body } = await publish();
    return reply.headers(headers).send(body);
  };
}

/**
 * Makes a handler that answers health checks: 200 `{"status":"ready"}` while the authenticators can
 * judge tokens, else 503 `{"status":"unavailable"}`. It says nothing else, because everybody may
 * ask: give its route `config: { auth: false }`.
 * @param authenticators those of `createAuthenticator`: each one of a combination
 * @throws ConfigError for anything else, at once
 * @example
 * ```ts
 * app.get('/health', { config: { auth: false } }, healthCheck(authenticator));
 * ```
 */
export function healthCheck(...authenticators: readonly core.Authenticator[]): fastify.RouteHandlerMethod {
  const answer = adapter.healthAnswerer(...authenticators);
  return (_request, reply) => {
    const { status, headers, body } = answer();
    return reply.code(status).headers(headers).send(body);
  };
}

/**
 * Makes a plugin that answers requests for the metadata of the protected resources of
 * authenticators (RFC 9728), at the paths that their challenges name, to everybody. Register it on
 * the application, before or after the plugin that authenticates.
 * @throws ConfigError for an authenticator without `resource`, at once; with a prefix, while
 *   Fastify loads the plugin
 * @example
 * ```ts
 * await app.register(publishResource(authenticator));
 * await app.register(latchkey, { authenticator });
 * ```
 */
export function publishResource(...authenticators: readonly Deciding[]): fastify.FastifyPluginAsync {
  const { answer } = adapter.resourcePublisher(...authenticators);
  return async (scope) => {
    if (scope.prefix !== '')
      throw new core.ConfigError(
        'publishResource',
        `clients look for the metadata at the root, not under ${scope.prefix}; register it on the application`,
      );
    // The paths change with the options, and Fastify takes no route after the start.
    for (const url of [adapter.METADATA_PATH, `${adapter.METADATA_PATH}/*`])
      scope.route({
        method: ['GET', 'HEAD', 'OPTIONS'],
        url,
        config: { auth: false },
        handler: (request, reply) => {
          const found = answer(request.method, request.originalUrl);
          if (found === undefined) return reply.callNotFound();
          return reply.code(found.status).headers(found.headers).send(found.body);
        },
      });
  };
}

/**
 * @throws Error for a 2xx that already has trailers. Later trailers, and those of another status,
 *   are not sent.
 */
function dropTrailers(reply: fastify.FastifyReply): void {
  reply.raw.addTrailers = () => {};
  const kept = Object.getOwnPropertySymbols(reply).find(
    (key) => key.description === 'fastify.reply.trailers',
  );
  const trailers: unknown = kept === undefined ? null : Reflect.get(reply, kept);
  if (typeof trailers !== 'object' || trailers === null) return;
  for (const name of Object.keys(trailers)) reply.removeTrailer(name);
  if (reply.statusCode >= 200 && reply.statusCode <= 299)
    throw new Error('signResponse: the reply has trailers');
}

const NO_RULES = adapter.compileRules({});

/**
 * Splits the options into the settings that only Fastify has, and the authenticator, which is given
 * or made from all other options.
 * @throws ConfigError
 */
function readPluginOptions(scope: fastify.FastifyInstance, options: LatchkeyOptions) {
  if (typeof Reflect.get(Object(options), 'decide') === 'function')
    throw new core.ConfigError(
      'options',
      'expected { authenticator }, got an authenticator; write app.register(latchkey, { authenticator })',
    );
  const names = Object.keys(Object(options));
  const {
    failOnUndecided = false,
    notFound,
    authenticator,
    ...others
  } = adapter.readObject(options, names, '');
  if (typeof failOnUndecided !== 'boolean')
    throw new core.ConfigError('failOnUndecided', 'expected true or false');
  const ofNotFound: RouteConfig =
    notFound === undefined ? {} : { auth: notFound as core.RouteAccess | false };
  const other = authenticator === undefined ? undefined : Object.keys(others)[0];
  if (other !== undefined)
    throw new core.ConfigError(other, 'is not allowed next to authenticator; give it to createAuthenticator');
  const made = authenticator ?? createFor(scope, others as unknown as Given);
  if (typeof (made as Deciding).decide !== 'function')
    throw new core.ConfigError(
      'authenticator',
      'expected an authenticator; make one with createAuthenticator',
    );
  adapter.toAuthenticator(made as Deciding);
  if ((made as Deciding).readsBody)
    throw new core.ConfigError(
      'authenticator',
      'its tokenFrom names a body, which is read after authentication',
    );
  checkAuth(compileAuth(ofNotFound, 'notFound'), made as Deciding, 'notFound');
  return { failOnUndecided, notFound: ofNotFound, authenticator: made as Deciding };
}

/** Closes the authenticator that was made here when the application closes. */
function createFor(scope: fastify.FastifyInstance, options: Given): core.Authenticator {
  const authenticator = core.createAuthenticator(options, { bodies: 'never' });
  scope.addHook('onClose', () => authenticator.close());
  return authenticator;
}

function askedOf({ is404, routeOptions, server }: fastify.FastifyRequest, notFound: RouteConfig) {
  const { config, handler } = routeOptions;
  if (!is404) return compileAuth(config);
  // Recognizes Fastify's own handler by its name; a handler of the application is always bound, so
  // it has another name. Middleware of @fastify/express or @fastify/middie, which decorate `use`,
  // answers before both.
  const isOwn = handler.name === 'basic404' && !('use' in server);
  return isOwn ? false : compileAuth(Object.hasOwn(config, 'auth') ? config : notFound);
}

/** For the event `latchkey:decision`. */
const FASTIFY: adapter.RequestPlace<Replied> = Object.freeze({
  framework: 'fastify',
  routeOf: ({ request }: Replied) => (request.is404 ? undefined : request.routeOptions.url),
  whenAnswered: ({ raw }: Replied, done: () => void) => adapter.onceResponded(raw, done),
});

/**
 * Closes the socket of a refused upgrade, which is answered like a request. Node leaves it open,
 * and `@fastify/websocket` closes only sockets that its own hook has seen.
 */
function endUpgrade({ raw }: fastify.FastifyRequest, reply: fastify.FastifyReply): void {
  // Node sets this for a request of the event `upgrade`. A reply with 101 never finishes.
  if (Reflect.get(raw, 'upgrade') === true) reply.raw.once('finish', () => raw.socket.destroySoon());
}

/**
 * Removes a token in the query from all properties that Fastify derives from the URL before any
 * hook.
 */
function conceal(by: Concealing, request: Judged, reply: fastify.FastifyReply): void {
  const raw = request.raw as typeof request.raw & { originalUrl?: string };
  const concealment = adapter.concealToken(by, request, raw, raw.originalUrl);
  if (concealment !== undefined) reply.headers(concealment.headers);
}
