// The module: provides one authenticator and the global guard, and refuses to start with handlers
// that would be open. No request is decided here.
import type { AuthError, Authenticator, CombinedAuthenticator } from '@latchkey/core';
import { ConfigError, isAuthError } from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import * as nest from '@nestjs/common';
import * as nestCore from '@nestjs/core';
import { throwError } from 'rxjs';
import { httpExceptionOf } from './context.ts';
import { IMPORT, LATCHKEY_AUTHENTICATOR, LatchkeyGuard } from './guard.ts';
import { messageOf } from './messages.ts';
import { noteRoutes } from './routes.ts';
import { checkHandlers } from './start.ts';

/** Options; or an authenticator, or several combined, which you made: you then close it. */
export type LatchkeyOptions = adapter.AuthenticationSource;

/** The factory of options, with the providers that it needs. */
export type LatchkeyAsyncOptions = Pick<nest.ModuleMetadata, 'imports'> &
  Pick<nest.FactoryProvider<LatchkeyOptions>, 'inject' | 'useFactory'>;

const OPTIONS: unique symbol = Symbol('LATCHKEY_OPTIONS');
// Nest distinguishes modules by their object.
const modules = new WeakMap<object, nest.DynamicModule>();

/**
 * Adds the guard to every HTTP handler and GraphQL resolver, and provides the authenticator to
 * every module. Import it once, or several times with the same options object: that is the same
 * module and the same authenticator. Before the application listens, it loads the keys, for a few
 * seconds at most. When the application shuts down, it closes the authenticator that it made.
 *
 * When the application starts, a ConfigError is thrown for a second authenticator; for a gateway
 * that is not `@Public` and whose handshakes are not authenticated; and for a handler that is not
 * guarded as its decorators require.
 * @example
 * ```ts
 * @Module({
 *   imports: [
 *     LatchkeyModule.forRoot({
 *       keySets: [{ issuer: 'https://accounts.google.com', useOidcDiscovery: true }],
 *       audience: 'https://api.example.com',
 *     }),
 *   ],
 * })
 * class AppModule {}
 * ```
 */
export class LatchkeyModule {
  /** @throws ConfigError if no import of the application is one of the functions below */
  constructor(authenticator?: unknown) {
    if (authenticator === undefined)
      throw new ConfigError('LatchkeyModule', `imported without options, so it guards nothing; ${IMPORT}`);
  }

  /** @throws ConfigError for wrong options, when the application is created */
  static forRoot(options: LatchkeyOptions): nest.DynamicModule {
    refuseNoOptions(options, 'LatchkeyModule.forRoot');
    return moduleFor(options, { provide: OPTIONS, useValue: options });
  }

  /** Does the same as `forRoot`, with options that a factory makes from injected providers. */
  static forRootAsync(options: LatchkeyAsyncOptions): nest.DynamicModule {
    refuseNoOptions(options, 'LatchkeyModule.forRootAsync');
    const { imports = [], inject = [], useFactory } = options;
    return moduleFor(options, { provide: OPTIONS, inject, useFactory }, imports);
  }
}
nest.Module({})(LatchkeyModule);
nest.Inject(LATCHKEY_AUTHENTICATOR)(LatchkeyModule, undefined, 0);
nest.Optional()(LatchkeyModule, undefined, 0);

/** What Nest calls when an application starts and stops. */
const lifecycle: nest.FactoryProvider = {
  provide: Symbol('LATCHKEY_LIFECYCLE'),
  inject: [LATCHKEY_AUTHENTICATOR, OPTIONS, nestCore.DiscoveryService, nestCore.HttpAdapterHost],
  useFactory: (
    authenticator: Authenticator | CombinedAuthenticator,
    options: LatchkeyOptions,
    discovery: nestCore.DiscoveryService,
    { httpAdapter }: nestCore.HttpAdapterHost,
  ) => {
    // Nest and the application add their routes later.
    noteRoutes(httpAdapter, discovery);
    return {
      async onModuleInit() {
        if (discovery.getProviders().filter(({ token }) => token === lifecycle.provide).length > 1)
          throw new ConfigError(
            'LatchkeyModule',
            'imported with several options objects: make it one of them',
          );
        await checkHandlers(discovery, authenticator);
      },
      // Without keys after a few seconds, there is a warning, and the application starts.
      onApplicationBootstrap: () => adapter.loadKeys(authenticator),
      // Closes the authenticator, if it was made here.
      onApplicationShutdown: () =>
        options !== authenticator && 'close' in authenticator && authenticator.close(),
    };
  },
};

/**
 * Answers an AuthError that a handler threw, for example from `authenticator.verify`, in the same
 * way as a refusal of the guard. It is a filter and not an interceptor: an interceptor would cost
 * every request more than all other work here, and a filter costs only refused requests.
 */
class RefusalFilter extends nestCore.BaseExceptionFilter {
  override catch(error: AuthError, host: nest.ArgumentsHost): unknown {
    const type = host.getType<string>();
    if (type === 'rpc') return throwError(() => messageOf(error));
    const exception = httpExceptionOf(error, host);
    if (type === 'http') return super.catch(exception, host);
    // Other kinds, such as GraphQL, answer the exception that a filter throws.
    throw exception;
  }
}
// The AuthError may come from another copy of core. Nest would compare by its class.
nest.Catch({ [Symbol.hasInstance]: isAuthError } as never)(RefusalFilter);

/** Has the guard, so that `overrideGuard` of a test replaces the global one too. */
class GuardHost {}
nest.UseGuards(LatchkeyGuard)(GuardHost);

function refuseNoOptions(options: unknown, path: string): void {
  if (typeof options === 'object' && options !== null) return;
  const got = options === null ? 'null' : typeof options;
  throw new ConfigError(path, `expected an object with options, got ${got}; give it { keySets, audience }`);
}

function moduleFor(
  key: object,
  options: nest.Provider,
  imports: nest.ModuleMetadata['imports'] = [],
): nest.DynamicModule {
  const made = modules.get(key) ?? {
    module: LatchkeyModule,
    global: true,
    imports: [nestCore.DiscoveryModule, ...imports],
    providers: [
      options,
      lifecycle,
      GuardHost,
      {
        provide: LATCHKEY_AUTHENTICATOR,
        inject: [OPTIONS],
        useFactory: (read: LatchkeyOptions) => {
          refuseNoOptions(read, 'LatchkeyModule.forRootAsync: useFactory');
          return adapter.toAuthenticator(read);
        },
      },
      {
        provide: nestCore.APP_GUARD,
        inject: [nestCore.ModuleRef],
        useFactory: (references: nestCore.ModuleRef): nest.CanActivate => ({
          canActivate: (context) => references.get(LatchkeyGuard).canActivate(context),
        }),
      },
      { provide: nestCore.APP_FILTER, useClass: RefusalFilter },
    ],
    exports: [LATCHKEY_AUTHENTICATOR],
  };
  modules.set(key, made);
  return made;
}
