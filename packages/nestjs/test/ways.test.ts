// Every way in which Nest can reach a handler over HTTP, on both platforms. GraphQL, sockets and
// messages are in ways-past-http.test.ts.
import { fileURLToPath } from 'node:url';
import { type BuiltWay, describeWays, type Way, type WayBench, type WayHeaders } from '@latchkey/conformance';
import {
  All,
  Controller,
  type ControllerOptions,
  Delete,
  Get,
  Head,
  type INestApplication,
  Injectable,
  type ModuleMetadata,
  Options,
  Param,
  Post,
  Res,
  Scope,
  Sse,
  type Type,
  UseGuards,
  UseInterceptors,
  UsePipes,
  VersioningType,
} from '@nestjs/common';
import { LazyModuleLoader, RouterModule } from '@nestjs/core';
import { of, tap } from 'rxjs';
import { Authenticate, LatchkeyModule, Public, publishKeys, RequireClaims } from '../src/index.ts';
import { create, moduleOf, onMethod, platforms } from './application.ts';

const files = fileURLToPath(new URL('files', import.meta.url));

interface Parts extends WayBench {
  /** The decorator that requires the claims. */
  readonly asks: () => ClassDecorator & MethodDecorator;
}

type Metadata = ModuleMetadata & {
  /** Before it listens. */
  readonly prepare?: (app: INestApplication) => unknown;
  /** When it listens. */
  readonly started?: (app: INestApplication) => unknown;
};

/** A row of controllers, requested over HTTP. */
const on =
  (platform: (typeof platforms)[number], make: (parts: Parts) => Metadata) =>
  async (bench: WayBench): Promise<BuiltWay> => {
    const {
      prepare,
      started,
      imports = [],
      ...rest
    } = make({ ...bench, asks: () => RequireClaims(bench.rules) });
    const latchkey = LatchkeyModule.forRoot(bench.authenticator);
    const app = await create({ imports: [latchkey, ...imports], ...rest }, platform);
    await prepare?.(app);
    await app.listen(0, '127.0.0.1');
    await started?.(app);
    return { port: Number(new URL(await app.getUrl()).port), close: () => app.close() };
  };

/** The same, for replies that keep their connection open. */
const byFetch =
  (build: Way['build']): Way['build'] =>
  async (bench) => {
    const { port, close } = await build(bench);
    const ask = async (headers: WayHeaders) => {
      const response = await fetch(`http://127.0.0.1:${port}/way`, { headers });
      await response.text();
      return response.status;
    };
    return { ask, close };
  };

/** A controller whose method `read` answers. */
function controllerOf(
  { handled }: WayBench,
  onMethods: readonly MethodDecorator[],
  onClass: readonly ClassDecorator[] = [],
  at: ControllerOptions = {},
): Type {
  class Subject {
    read(): unknown {
      handled();
      return 'handled';
    }
  }
  onMethod(Subject, 'read', ...onMethods);
  for (const decorate of onClass) decorate(Subject);
  Controller(at)(Subject);
  return Subject;
}

const waysOn = (platform: (typeof platforms)[number]): readonly Way[] => [
  {
    name: 'a method with rules',
    build: on(platform, (parts) => ({ controllers: [controllerOf(parts, [Get('way'), parts.asks()])] })),
  },
  {
    name: 'a class with rules',
    build: on(platform, (parts) => ({ controllers: [controllerOf(parts, [Get('way')], [parts.asks()])] })),
  },
  {
    name: '@Authenticate with claims',
    build: on(platform, (parts) => ({
      controllers: [controllerOf(parts, [Get('way'), Authenticate({ claims: parts.rules })])],
    })),
  },
  {
    name: 'rules in a public class',
    build: on(platform, (parts) => ({
      controllers: [controllerOf(parts, [Get('way'), parts.asks()], [Public()])],
    })),
  },
  {
    name: 'HEAD of a GET route',
    request: { method: 'HEAD' },
    build: on(platform, (parts) => ({ controllers: [controllerOf(parts, [Get('way'), parts.asks()])] })),
  },
  ...(
    [
      ['HEAD', Head],
      ['OPTIONS', Options],
      ['DELETE', Delete],
    ] as const
  ).map(
    ([method, decorator]): Way => ({
      name: `${method} of a route of its own`,
      request: { method },
      build: on(platform, (parts) => ({
        controllers: [controllerOf(parts, [decorator('way'), parts.asks()])],
      })),
    }),
  ),
  {
    name: 'POST with a body',
    request: { method: 'POST' },
    outcomes: [401, 401, 403, 201],
    build: on(platform, (parts) => ({ controllers: [controllerOf(parts, [Post('way'), parts.asks()])] })),
  },
  {
    name: '@All',
    request: { method: 'PUT' },
    build: on(platform, (parts) => ({ controllers: [controllerOf(parts, [All('way'), parts.asks()])] })),
  },
  {
    name: 'a wildcard',
    request: { path: '/a/b/way' },
    build: on(platform, (parts) => ({
      controllers: [controllerOf(parts, [Get(platform === 'express' ? '*path' : '*'), parts.asks()])],
    })),
  },
  {
    name: 'several paths',
    request: { path: '/b/way' },
    build: on(platform, (parts) => ({
      controllers: [controllerOf(parts, [Get(['way', 'other']), parts.asks()], [], { path: ['a', 'b'] })],
    })),
  },
  {
    name: 'a global prefix',
    request: { path: '/api/way' },
    build: on(platform, (parts) => ({
      controllers: [controllerOf(parts, [Get('way'), parts.asks()])],
      prepare: (app) => app.setGlobalPrefix('api'),
    })),
  },
  {
    name: 'a version in the path',
    request: { path: '/v2/way' },
    build: on(platform, (parts) => ({
      controllers: [
        controllerOf({ ...parts, handled: () => {} }, [Get('way'), Public()], [], { version: '1' }),
        controllerOf(parts, [Get('way'), parts.asks()], [], { version: '2' }),
      ],
      prepare: (app) => app.enableVersioning({ type: VersioningType.URI }),
    })),
  },
  {
    name: 'a version in a header',
    request: { headers: { 'x-version': '2' } },
    build: on(platform, (parts) => ({
      controllers: [
        controllerOf({ ...parts, handled: () => {} }, [Get('way'), Public()], [], { version: '1' }),
        controllerOf(parts, [Get('way'), parts.asks()], [], { version: '2' }),
      ],
      prepare: (app) => app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' }),
    })),
  },
  {
    name: 'a controller for one host',
    build: on(platform, (parts) => ({
      controllers: [controllerOf(parts, [Get('way'), parts.asks()], [], { host: 'localhost' })],
    })),
  },
  {
    name: 'a module at a path',
    request: { path: '/inner/way' },
    build: on(platform, (parts) => {
      const inner = moduleOf({ controllers: [controllerOf(parts, [Get('way'), parts.asks()])] });
      return { imports: [inner, RouterModule.register([{ path: 'inner', module: inner }])] };
    }),
  },
  {
    name: 'an inherited method',
    build: on(platform, (parts) => {
      class Subject extends controllerOf(parts, [Get('way'), parts.asks()]) {}
      Controller()(Subject);
      return { controllers: [Subject] };
    }),
  },
  {
    name: 'a method that a subclass of a public class adds',
    outcomes: [401, 401, 403, 200],
    build: on(platform, (parts) => {
      class Base {}
      Public()(Base);
      class Subject extends Base {
        read() {
          parts.handled();
          return 'handled';
        }
      }
      onMethod(Subject, 'read', Get('way'), parts.asks());
      Controller()(Subject);
      return { controllers: [Subject] };
    }),
  },
  {
    name: 'a mixin',
    build: on(platform, (parts) => {
      const mixin = <T extends Type>(Base: T) => {
        const Mixed = class extends Base {
          read() {
            parts.handled();
            return 'handled';
          }
        };
        onMethod(Mixed as Type, 'read' as never, Get('way'), parts.asks());
        return Mixed;
      };
      class Subject extends mixin(class {}) {}
      Controller()(Subject);
      return { controllers: [Subject] };
    }),
  },
  {
    name: 'a method that a decorator below a Latchkey decorator has wrapped',
    build: on(platform, (parts) => {
      const Subject = controllerOf(parts, []);
      const { read } = Subject.prototype;
      Subject.prototype.read = function (...args: unknown[]) {
        return Reflect.apply(read, this, args);
      };
      onMethod(Subject, 'read', Get('way'), parts.asks());
      return { controllers: [Subject] };
    }),
  },
  {
    name: 'a class that a decorator has replaced',
    build: on(platform, (parts) => {
      const Subject = controllerOf(parts, [Get('way')], [parts.asks()]);
      return { controllers: [class extends Subject {}] };
    }),
  },
  ...([Scope.REQUEST, Scope.TRANSIENT] as const).map(
    (scope): Way => ({
      name: `a controller of the scope ${Scope[scope]}`,
      build: on(platform, (parts) => ({
        controllers: [controllerOf(parts, [Get('way'), parts.asks()], [], { scope })],
      })),
    }),
  ),
  {
    name: 'a provider for each request, of a controller',
    build: on(platform, ({ handled, asks }) => {
      class Service {
        read() {
          handled();
          return 'handled';
        }
      }
      Injectable({ scope: Scope.REQUEST })(Service);
      class Subject {
        readonly service: Service;
        constructor(service: Service) {
          this.service = service;
        }
        read() {
          return this.service.read();
        }
      }
      Reflect.defineMetadata('design:paramtypes', [Service], Subject);
      onMethod(Subject, 'read', Get('way'), asks());
      Controller()(Subject);
      return { controllers: [Subject], providers: [Service] };
    }),
  },
  {
    name: 'the constructor of a controller for each request',
    lets: 'everybody',
    because: 'Nest calls it before guards run',
    outcomes: [401, 401, 403, 200],
    build: on(platform, ({ handled, asks }) => {
      class Subject {
        constructor() {
          handled();
        }
        read() {
          return 'handled';
        }
      }
      onMethod(Subject, 'read', Get('way'), asks());
      Controller({ scope: Scope.REQUEST })(Subject);
      return { controllers: [Subject] };
    }),
  },
  {
    name: 'server-sent events',
    build: byFetch(
      on(platform, ({ handled, asks }) => {
        class Subject {
          read() {
            handled();
            return of({ data: 'handled' });
          }
        }
        onMethod(Subject, 'read', Sse('way'), asks());
        Controller()(Subject);
        return { controllers: [Subject] };
      }),
    ),
  },
  {
    name: 'a handler that sends its reply itself',
    build: on(platform, ({ handled, asks }) => {
      class Subject {
        read(response: { send(text: string): unknown }) {
          handled();
          response.send('handled');
        }
      }
      Res()(Subject.prototype, 'read', 0);
      onMethod(Subject, 'read', Get('way'), asks());
      Controller()(Subject);
      return { controllers: [Subject] };
    }),
  },
  {
    name: 'an interceptor',
    build: on(platform, (parts) => ({
      controllers: [
        controllerOf({ ...parts, handled: () => {} }, [
          Get('way'),
          parts.asks(),
          UseInterceptors({ intercept: (_context, next) => next.handle().pipe(tap(() => parts.handled())) }),
        ]),
      ],
    })),
  },
  {
    name: 'a pipe',
    request: { path: '/way/1' },
    build: on(platform, ({ handled, asks }) => {
      class Subject {
        read(id: string) {
          return id;
        }
      }
      Param('id')(Subject.prototype, 'read', 0);
      const transform = (value: unknown) => {
        handled();
        return value;
      };
      onMethod(Subject, 'read', Get('way/:id'), asks(), UsePipes({ transform }));
      Controller()(Subject);
      return { controllers: [Subject] };
    }),
  },
  {
    name: 'a guard of the application, behind that of Latchkey',
    build: on(platform, (parts) => {
      const canActivate = () => {
        parts.handled();
        return true;
      };
      const silent = { ...parts, handled: () => {} };
      return {
        controllers: [
          controllerOf(silent, [Get('way'), UseGuards({ canActivate }), parts.asks()], [parts.asks()]),
        ],
      };
    }),
  },
  {
    name: 'a global guard that allows every request',
    build: on(platform, (parts) => ({
      controllers: [controllerOf(parts, [Get('way'), parts.asks()])],
      prepare: (app) => app.useGlobalGuards({ canActivate: () => true }),
    })),
  },
  {
    name: 'middleware of a module',
    lets: 'everybody',
    because: 'Nest runs middleware before guards',
    outcomes: [401, 401, 403, 200],
    build: on(platform, (parts) => ({
      controllers: [controllerOf({ ...parts, handled: () => {} }, [Get('way'), parts.asks()])],
      prepare: (app) =>
        app.use((_request: unknown, _response: unknown, next: () => void) => {
          parts.handled();
          next();
        }),
    })),
  },
  {
    name: 'a route of the platform, past Nest',
    lets: 'everybody',
    because: 'Nest runs no guard for it: docs/guides/routes.md',
    build: on(platform, ({ handled }) => ({
      prepare: (app) =>
        app.getHttpAdapter().get('/way', (_request: unknown, response: { send(text: string): unknown }) => {
          handled();
          response.send('handled');
        }),
    })),
  },
  {
    name: 'a static file of the platform, past Nest',
    request: { path: '/files/way' },
    lets: 'everybody',
    because: 'Nest runs no guard for it: docs/guides/routes.md',
    build: on(platform, ({ handled }) => ({
      prepare: (app) => {
        const serve = { prefix: '/files/', setHeaders: () => handled() };
        Reflect.get(app, 'useStaticAssets').call(
          app,
          ...(platform === 'express' ? [files, serve] : [{ root: files, ...serve }]),
        );
      },
    })),
  },
  {
    name: 'a module that is loaded later',
    lets: 'none',
    because: 'Nest adds no routes of a module that is loaded later',
    outcomes: [404, 404, 404, 404],
    build: on(platform, (parts) => ({
      started: (app) =>
        app
          .get(LazyModuleLoader)
          .load(() => moduleOf({ controllers: [controllerOf(parts, [Get('way'), parts.asks()])] })),
    })),
  },
  {
    name: 'a module that is imported twice',
    build: on(platform, (parts) => {
      const inner = moduleOf({
        imports: [LatchkeyModule.forRoot(parts.authenticator)],
        controllers: [controllerOf(parts, [Get('way'), parts.asks()])],
      });
      return { imports: [inner, moduleOf({ imports: [inner] })] };
    }),
  },
  {
    name: 'published keys, without a token',
    request: { path: '/.well-known/jwks.json' },
    lets: 'everybody',
    because: 'publishKeys makes a public controller',
    build: on(platform, ({ handled }) => {
      const publish = async () => {
        handled();
        return { headers: {}, jwks: { keys: [] }, body: '' };
      };
      return { controllers: [publishKeys({ publish } as never)] };
    }),
  },
];

for (const platform of platforms) describeWays(`Nest on ${platform}`, waysOn(platform));
