// The module: provides one authenticator and the global guard, and refuses to start with gateways
// whose handshakes are open. No request is decided here.
import type {
  Authenticator,
  AuthenticatorOptions,
  CombinedAuthenticator,
  DescriptorOptions,
} from '@latchkey/core';
import { ConfigError } from '@latchkey/core';
import { argument, toAuthenticator } from '@latchkey/core/adapter';
import type { DynamicModule, FactoryProvider, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { Inject, Module, type ModuleMetadata, type Provider } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, ModulesContainer } from '@nestjs/core';
import { LATCHKEY_AUTHENTICATOR } from './access.ts';
import { LatchkeyGuard } from './guard.ts';
import { answerRefusals, RefusalFilter } from './refusal.ts';
import { checkHandlers, isGateway, isPublicClass } from './start.ts';
import { handshaking } from './websocket.ts';

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
export class LatchkeyModule implements OnModuleInit, OnApplicationShutdown {
  readonly #authenticator: Authenticator | CombinedAuthenticator;
  readonly #options: LatchkeyOptions;
  readonly #modules: ModulesContainer;

  constructor(
    authenticator: Authenticator | CombinedAuthenticator,
    options: LatchkeyOptions,
    all: ModulesContainer,
  ) {
    this.#authenticator = authenticator;
    this.#options = options;
    this.#modules = all;
    // This runs before gateways are connected, which is before any hook.
    for (const { metatype } of providersOf(all))
      if (metatype && isGateway(metatype)) answerRefusals(metatype);
  }

  /** @throws ConfigError for wrong options, when the application is created */
  static forRoot(options: LatchkeyOptions): DynamicModule {
    argument([options], 'LatchkeyModule', {});
    return moduleFor(options, { provide: OPTIONS, useValue: options });
  }

  /** Does the same as `forRoot`, with options that a factory makes from injected providers. */
  static forRootAsync(options: LatchkeyAsyncOptions): DynamicModule {
    const { imports = [], inject = [], useFactory } = options;
    return moduleFor(options, { provide: OPTIONS, inject, useFactory }, imports);
  }

  /**
   * @throws ConfigError for a second authenticator; for a gateway that is not `@Public` and whose
   *   handshakes are not authenticated; and for a handler that is not guarded as its decorators
   *   require
   */
  onModuleInit(): void {
    const all = [...this.#modules.values()];
    if (all.filter(({ metatype }) => metatype === LatchkeyModule).length > 1)
      throw new ConfigError('LatchkeyModule', 'imported with several options objects: make it one of them');
    checkHandlers(all, this.#authenticator);
    if (handshaking.has(this.#authenticator)) return;
    for (const { metatype } of providersOf(this.#modules)) {
      if (!metatype || !isGateway(metatype) || isPublicClass(metatype)) continue;
      const fix = 'call app.useWebSocketAdapter(authenticateWebSockets(app, new WsAdapter(app)))';
      throw new ConfigError(metatype.name, `the handshakes of this gateway are not authenticated; ${fix}`);
    }
  }

  /** Closes the authenticator, if it was made here. */
  async onApplicationShutdown(): Promise<void> {
    if (this.#options !== this.#authenticator && 'close' in this.#authenticator)
      await this.#authenticator.close();
  }
}
Inject(LATCHKEY_AUTHENTICATOR)(LatchkeyModule, undefined, 0);
Inject(OPTIONS)(LatchkeyModule, undefined, 1);
Inject(ModulesContainer)(LatchkeyModule, undefined, 2);
Module({})(LatchkeyModule);

function providersOf(modules: ModulesContainer) {
  return [...modules.values()].flatMap(({ providers }) => [...providers.values()]);
}

/**
 * Returns the same module for the same options, because Nest distinguishes modules by their object.
 */
function moduleFor(key: object, options: Provider, imports: ModuleMetadata['imports'] = []): DynamicModule {
  const authenticator: Provider = {
    provide: LATCHKEY_AUTHENTICATOR,
    inject: [OPTIONS],
    useFactory: (read: LatchkeyOptions) => toAuthenticator(read),
  };
  const guard: Provider = { provide: APP_GUARD, useClass: LatchkeyGuard };
  const filter: Provider = { provide: APP_FILTER, useClass: RefusalFilter };
  const providers = [options, authenticator, guard, filter];
  const exports = [LATCHKEY_AUTHENTICATOR];
  const made = modules.get(key) ?? { module: LatchkeyModule, global: true, imports, providers, exports };
  modules.set(key, made);
  return made;
}
