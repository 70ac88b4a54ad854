// The module: provides one authenticator and the global guard, and refuses to start with handlers
// that would be open. No request is decided here.
import type {
  AuthError,
  Authenticator,
  AuthenticatorOptions,
  CombinedAuthenticator,
  DescriptorOptions,
} from '@latchkey/core';
import { ConfigError, isAuthError } from '@latchkey/core';
import { loadKeys, toAuthenticator } from '@latchkey/core/adapter';
import type {
  ArgumentsHost,
  CanActivate,
  DynamicModule,
  FactoryProvider,
  OnApplicationBootstrap,
  OnApplicationShutdown,
  OnModuleInit,
} from '@nestjs/common';
import { Catch, Inject, Module, type ModuleMetadata, type Provider, UseGuards } from '@nestjs/common';
import {
  APP_FILTER,
  APP_GUARD,
  BaseExceptionFilter,
  DiscoveryModule,
  DiscoveryService,
  ModuleRef,
} from '@nestjs/core';
import { throwError } from 'rxjs';
import { LATCHKEY_AUTHENTICATOR } from './access.ts';
import { httpExceptionOf, messageOf } from './context.ts';
import { LatchkeyGuard } from './guard.ts';
import { checkHandlers } from './start.ts';

/** Options; or an authenticator, or several combined, which you made: you then close it. */
export type LatchkeyOptions =
  | AuthenticatorOptions
  | DescriptorOptions
  | Authenticator
  | CombinedAuthenticator;

/** The factory of options, with the providers that it needs. */
export type LatchkeyAsyncOptions = Pick<ModuleMetadata, 'imports'> &
  Pick<FactoryProvider<LatchkeyOptions>, 'inject' | 'useFactory'>;

const OPTIONS: unique symbol = Symbol('LATCHKEY_OPTIONS');
// Nest distinguishes modules by their object.
const modules = new WeakMap<object, DynamicModule>();

/**
 * Adds the guard to every HTTP handler and GraphQL resolver, and provides the authenticator to
 * every module. Import it once, or several times with the same options object: that is the same
 * module and the same authenticator.
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
export class LatchkeyModule implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown {
  readonly #authenticator: Authenticator | CombinedAuthenticator;
  readonly #options: LatchkeyOptions;
  readonly #discovery: DiscoveryService;

  constructor(
    authenticator: Authenticator | CombinedAuthenticator,
    options: LatchkeyOptions,
    discovery: DiscoveryService,
  ) {
    this.#authenticator = authenticator;
    this.#options = options;
    this.#discovery = discovery;
  }

  /** @throws ConfigError for wrong options, when the application is created */
  static forRoot(options: LatchkeyOptions): DynamicModule {
    refuseNoOptions(options, 'LatchkeyModule.forRoot');
    return moduleFor(options, { provide: OPTIONS, useValue: options });
  }

  /** Does the same as `forRoot`, with options that a factory makes from injected providers. */
  static forRootAsync(options: LatchkeyAsyncOptions): DynamicModule {
    refuseNoOptions(options, 'LatchkeyModule.forRootAsync');
    const { imports = [], inject = [], useFactory } = options;
    return moduleFor(options, { provide: OPTIONS, inject, useFactory }, imports);
  }

  /**
   * @throws ConfigError for a second authenticator; for a gateway that is not `@Public` and whose
   *   handshakes are not authenticated; and for a handler that is not guarded as its decorators
   *   require
   */
  async onModuleInit(): Promise<void> {
    const all = this.#discovery.getProviders().filter(({ metatype }) => metatype === LatchkeyModule);
    if (all.length > 1)
      throw new ConfigError('LatchkeyModule', 'imported with several options objects: make it one of them');
    await checkHandlers(this.#discovery, this.#authenticator);
  }

  /**
   * Waits a few seconds for the keys. If they cannot be loaded, there is a warning, and the
   * application starts.
   */
  async onApplicationBootstrap(): Promise<void> {
    await loadKeys(this.#authenticator);
  }

  /** Closes the authenticator, if it was made here. */
  async onApplicationShutdown(): Promise<void> {
    if (this.#options !== this.#authenticator && 'close' in this.#authenticator)
      await this.#authenticator.close();
  }
}
Inject(LATCHKEY_AUTHENTICATOR)(LatchkeyModule, undefined, 0);
Inject(OPTIONS)(LatchkeyModule, undefined, 1);
Inject(DiscoveryService)(LatchkeyModule, undefined, 2);
Module({})(LatchkeyModule);

/**
 * Answers an AuthError that a handler threw, for example from `authenticator.verify`, in the same
 * way as a refusal of the guard. It is a filter and not an interceptor: an interceptor would cost
 * every request more than all other work here, and a filter costs only refused requests.
 */
class RefusalFilter extends BaseExceptionFilter {
  override catch(error: AuthError, host: ArgumentsHost): unknown {
    const type = host.getType<string>();
    if (type === 'rpc') return throwError(() => messageOf(error));
    const exception = httpExceptionOf(error, host);
    if (type === 'http') return super.catch(exception, host);
    // Other kinds, such as GraphQL, answer the exception that a filter throws.
    throw exception;
  }
}
// The AuthError may come from another copy of core. Nest would compare by `instanceof`.
class AnyAuthError extends Error {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isAuthError(value);
  }
}
Catch(AnyAuthError)(RefusalFilter);

/** Has the guard, so that `overrideGuard` of a test replaces the global one too. */
class GuardHost {}
UseGuards(LatchkeyGuard)(GuardHost);

function refuseNoOptions(options: unknown, path: string): void {
  if (typeof options === 'object' && options !== null) return;
  const got = options === null ? 'null' : typeof options;
  throw new ConfigError(path, `expected an object with options, got ${got}; give it { keySets, audience }`);
}

function moduleFor(key: object, options: Provider, imports: ModuleMetadata['imports'] = []): DynamicModule {
  const made = modules.get(key) ?? {
    module: LatchkeyModule,
    global: true,
    imports: [DiscoveryModule, ...imports],
    providers: [
      options,
      GuardHost,
      {
        provide: LATCHKEY_AUTHENTICATOR,
        inject: [OPTIONS],
        useFactory: (read: LatchkeyOptions) => {
          refuseNoOptions(read, 'LatchkeyModule.forRootAsync: useFactory');
          return toAuthenticator(read);
        },
      },
      {
        provide: APP_GUARD,
        inject: [ModuleRef],
        useFactory: (references: ModuleRef): CanActivate => ({
          canActivate: (context) => references.get(LatchkeyGuard).canActivate(context),
        }),
      },
      { provide: APP_FILTER, useClass: RefusalFilter },
    ],
    exports: [LATCHKEY_AUTHENTICATOR],
  };
  modules.set(key, made);
  return made;
}
