// Every way in which Nest can reach a handler without plain HTTP: GraphQL with both drivers,
// WebSockets, and messages over TCP.

import { type BuiltWay, describeWays, type Way, type WayBench, type WayHeaders } from '@latchkey/conformance';
import { knock } from '@latchkey/test-kit/socket';
import { Controller, type INestApplication, type ModuleMetadata, Scope, type Type } from '@nestjs/common';
import {
  ClientProxyFactory,
  EventPattern,
  MessagePattern,
  type TcpOptions,
  Transport,
} from '@nestjs/microservices';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { createClient } from 'graphql-ws';
import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import {
  Authenticate,
  ConfigError,
  createAuthenticator,
  LatchkeyModule,
  Public,
  RequireClaims,
} from '../src/index.ts';
import { authenticateWebSockets } from '../src/websockets.ts';
import { create, moduleOf, onMethod, platforms } from './application.ts';
import {
  ApolloDriver,
  GraphQLModule,
  MercuriusDriver,
  Mutation,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from './graphql.ts';

interface Started {
  readonly app: INestApplication;
  readonly url: string;
}

async function start(
  { authenticator }: Pick<WayBench, 'authenticator'>,
  { imports = [], ...rest }: ModuleMetadata,
  platform: (typeof platforms)[number] = 'express',
  prepare: (app: INestApplication) => unknown = () => {},
): Promise<Started> {
  const app = await create(
    { imports: [LatchkeyModule.forRoot(authenticator), ...imports], ...rest },
    platform,
  );
  await prepare(app);
  await app.listen(0, '127.0.0.1');
  return { app, url: await app.getUrl() };
}

// -- GraphQL --

const typeDefs = `
  type Parent { way: String }
  type Query { way: String, parent: Parent, other: String }
  type Mutation { way: String }
  type Subscription { way: String }
`;

/** A resolver whose method answers, for a type. */
function resolverOf(
  handled: () => void,
  type: string,
  onMethods: readonly MethodDecorator[],
  onClass: readonly ClassDecorator[] = [],
  answer: () => unknown = () => 'handled',
): Type {
  class Subject {
    way(): unknown {
      handled();
      return answer();
    }
  }
  onMethod(Subject, 'way', ...onMethods);
  for (const decorate of onClass) decorate(Subject);
  Resolver(type)(Subject);
  return Subject;
}

/** A resolver of the type that has the field. */
function parentOf(...onMethods: readonly MethodDecorator[]): Type {
  class Subject {
    parent() {
      return {};
    }
  }
  onMethod(Subject, 'parent', Query('parent'), ...onMethods);
  Resolver()(Subject);
  return Subject;
}

type Driver = 'Apollo' | 'Mercurius';

const graphqlOf = (driver: Driver, options: object = {}) =>
  GraphQLModule.forRoot({
    driver: driver === 'Apollo' ? ApolloDriver : MercuriusDriver,
    typeDefs,
    ...(driver === 'Apollo'
      ? {
          subscriptions: { 'graphql-ws': true },
          context: ({ req, extra }: { req?: object; extra?: { request: object } }) => ({
            req: req ?? extra?.request,
          }),
        }
      : {
          subscription: { context: (_connection: unknown, request: object) => ({ req: request }) },
          context: (request: object, reply: object) => ({ req: request, reply }),
        }),
    ...options,
  });

async function post(url: string, query: string, headers: WayHeaders): Promise<string> {
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query }),
  };
  const { errors } = (await (await fetch(`${url}/graphql`, init)).json()) as { errors?: unknown };
  return errors === undefined ? 'handled' : 'refused';
}

const subscribe = (url: string, headers: WayHeaders): Promise<string> =>
  new Promise((resolve) => {
    class Client extends WebSocket {
      constructor(address: string, protocols: string[]) {
        super(address, protocols, { headers });
      }
    }
    const client = createClient({
      url: `${url.replace('http', 'ws')}/graphql`,
      webSocketImpl: Client,
      retryAttempts: 0,
    });
    const end = (outcome: string) => {
      resolve(outcome);
      void client.dispose();
    };
    client.subscribe(
      { query: 'subscription { way }' },
      {
        next: ({ errors }) => end(errors === undefined ? 'handled' : 'refused'),
        error: () => end('refused'),
        complete: () => end('complete'),
      },
    );
  });

const asksFor = ({ rules }: WayBench) => RequireClaims(rules);

const onGraphql =
  (
    driver: Driver,
    query: string,
    providers: (bench: WayBench) => readonly Type[],
    options: object = {},
  ): Way['build'] =>
  async (bench): Promise<BuiltWay> => {
    const metadata = { imports: [graphqlOf(driver, options)], providers: [...providers(bench)] };
    const { app, url } = await start(bench, metadata, driver === 'Apollo' ? 'express' : 'fastify');
    return {
      ask: (headers) => (query === '' ? subscribe(url, headers) : post(url, query, headers)),
      close: () => app.close(),
    };
  };

const refusals = ['refused', 'refused', 'refused', 'handled'] as const;
const guards = { fieldResolverEnhancers: ['guards'] };

const graphqlWays = (driver: Driver): readonly Way[] => [
  ...(['Query', 'Mutation'] as const).map(
    (type): Way => ({
      name: `${driver}: ${type}`,
      outcomes: refusals,
      build: onGraphql(driver, `${type.toLowerCase()} { way }`, (bench) => [
        resolverOf(bench.handled, '', [(type === 'Query' ? Query : Mutation)('way'), asksFor(bench)]),
        parentOf(Public()),
      ]),
    }),
  ),
  {
    name: `${driver}: rules on the class`,
    outcomes: refusals,
    build: onGraphql(driver, '{ way }', (bench) => [
      resolverOf(bench.handled, '', [Query('way')], [asksFor(bench)]),
    ]),
  },
  {
    name: `${driver}: an alias, next to a public operation`,
    outcomes: refusals,
    build: onGraphql(driver, '{ parent { __typename } a: way }', (bench) => [
      resolverOf(bench.handled, '', [Query('way'), asksFor(bench)]),
      parentOf(Public()),
    ]),
  },
  {
    name: `${driver}: a field of a public operation`,
    outcomes: refusals,
    build: onGraphql(
      driver,
      '{ parent { way } }',
      (bench) => [
        resolverOf(bench.handled, 'Parent', [ResolveField('way'), asksFor(bench)]),
        parentOf(Public()),
      ],
      guards,
    ),
  },
  {
    name: `${driver}: a field of a class with rules`,
    outcomes: refusals,
    build: onGraphql(
      driver,
      '{ parent { way } }',
      (bench) => [
        resolverOf(bench.handled, 'Parent', [ResolveField('way')], [asksFor(bench)]),
        parentOf(Public()),
      ],
      guards,
    ),
  },
  {
    name: `${driver}: a field without a decorator, of an operation with rules`,
    outcomes: refusals,
    build: onGraphql(driver, '{ parent { way } }', (bench) => [
      resolverOf(bench.handled, 'Parent', [ResolveField('way')]),
      parentOf(asksFor(bench)),
    ]),
  },
  {
    name: `${driver}: a field without a decorator, of a public operation`,
    lets: 'everybody',
    because: 'Nest runs no guard on fields unless fieldResolverEnhancers says so: docs/guides/nestjs.md',
    outcomes: ['handled', 'handled', 'handled', 'handled'],
    build: onGraphql(driver, '{ parent { way } }', (bench) => [
      resolverOf(bench.handled, 'Parent', [ResolveField('way')]),
      parentOf(Public()),
    ]),
  },
  {
    name: `${driver}: a resolver for each request`,
    outcomes: refusals,
    build: onGraphql(driver, '{ way }', (bench) => {
      const Subject = resolverOf(bench.handled, '', [Query('way'), asksFor(bench)]);
      Resolver({ scope: Scope.REQUEST })(Subject);
      return [Subject];
    }),
  },
  {
    name: `${driver}: a subscription`,
    outcomes: refusals,
    build: onGraphql(driver, '', (bench) => [
      resolverOf(bench.handled, '', [Subscription('way'), asksFor(bench)], [], async function* () {
        yield { way: 'handled' };
      }),
      parentOf(),
    ]),
  },
];

// -- WebSockets --

function gatewayOf(
  { handled }: WayBench,
  onMethods: readonly MethodDecorator[],
  onClass: readonly ClassDecorator[] = [],
) {
  class Gateway {
    way() {
      handled();
      return 'handled';
    }
  }
  onMethod(Gateway, 'way', SubscribeMessage('way'), ...onMethods);
  for (const decorate of onClass) decorate(Gateway);
  WebSocketGateway()(Gateway);
  return Gateway;
}

const onGateway =
  (
    platform: (typeof platforms)[number],
    gateway: (bench: WayBench) => Type,
    access: (bench: WayBench) => Parameters<typeof authenticateWebSockets>[2] = () => ({}),
  ): Way['build'] =>
  async (bench) => {
    const { app, url } = await start(bench, { providers: [gateway(bench)] }, platform, (made) =>
      made.useWebSocketAdapter(authenticateWebSockets(made, new WsAdapter(made), access(bench))),
    );
    return {
      ask: async (headers) => {
        const outcome = await knock(url.replace('http', 'ws'), headers, JSON.stringify({ event: 'way' }));
        return typeof outcome === 'string' && outcome.includes('insufficient') ? 'refused' : outcome;
      },
      close: () => app.close(),
    };
  };

const socketWays = (platform: (typeof platforms)[number]): readonly Way[] => [
  {
    name: `${platform}: a message with rules`,
    outcomes: [401, 401, 'refused', '"handled"'],
    build: onGateway(platform, (bench) => gatewayOf(bench, [asksFor(bench)])),
  },
  {
    name: `${platform}: a gateway with rules`,
    outcomes: [401, 401, 'refused', '"handled"'],
    build: onGateway(platform, (bench) => gatewayOf(bench, [], [asksFor(bench)])),
  },
  {
    name: `${platform}: a handshake with rules`,
    outcomes: [401, 401, 403, '"handled"'],
    build: onGateway(
      platform,
      (bench) => gatewayOf(bench, []),
      ({ rules }) => ({ claims: rules }),
    ),
  },
  {
    name: `${platform}: a gateway that extends a public one`,
    outcomes: [401, 401, 403, '"handled"'],
    build: onGateway(
      platform,
      (bench) => {
        class Base {}
        Public()(Base);
        class Gateway extends Base {
          way() {
            bench.handled();
            return 'handled';
          }
        }
        onMethod(Gateway, 'way', SubscribeMessage('way'));
        WebSocketGateway()(Gateway);
        return Gateway;
      },
      ({ rules }) => ({ claims: rules }),
    ),
  },
];

// -- Messages over TCP --

const onMessage =
  (
    kind: 'message' | 'event',
    onMethods: (bench: WayBench) => readonly MethodDecorator[],
    inheritAppConfig: boolean,
  ): Way['build'] =>
  async (bench) => {
    let heard = () => {};
    class Subject {
      way() {
        bench.handled();
        heard();
        return 'handled';
      }
    }
    onMethod(
      Subject,
      'way',
      kind === 'message' ? MessagePattern('way') : (EventPattern('way') as MethodDecorator),
      ...onMethods(bench),
    );
    Controller()(Subject);
    const { app } = await start(bench, { controllers: [Subject] }, 'express', async (made) => {
      const options: TcpOptions = { transport: Transport.TCP, options: { host: '127.0.0.1', port: 0 } };
      made.connectMicroservice(options, { inheritAppConfig });
      await made.startAllMicroservices();
    });
    const [microservice] = app.getMicroservices();
    const server: { address(): { port: number } } = Reflect.get(
      microservice as object,
      'serverInstance',
    ).unwrap();
    return {
      ask: async (headers) => {
        const client = ClientProxyFactory.create({
          transport: Transport.TCP,
          options: { host: '127.0.0.1', port: server.address().port },
        });
        try {
          if (kind === 'message')
            return await firstValueFrom(client.send<string>('way', headers)).catch(() => 'refused');
          const ran = new Promise<string>((resolve) => {
            heard = () => resolve('handled');
          });
          await firstValueFrom(client.emit('way', headers), { defaultValue: undefined });
          return await ran;
        } finally {
          client.close();
        }
      },
      close: () => app.close(),
    };
  };

const nobody = {
  lets: 'none',
  because: 'a message has no credentials that the guard can read: docs/guides/routes.md',
  outcomes: ['refused', 'refused', 'refused', 'refused'],
} as const;
const everybody = {
  lets: 'everybody',
  because: 'Nest runs no global guard there, and start-up warns: docs/guides/routes.md',
  outcomes: ['handled', 'handled', 'handled', 'handled'],
} as const;

const messageWays: readonly Way[] = [
  { name: 'a message', ...nobody, build: onMessage('message', () => [], true) },
  { name: 'a message with rules', ...nobody, build: onMessage('message', (bench) => [asksFor(bench)], true) },
  {
    name: 'a public message',
    lets: 'everybody',
    because: '@Public opens what it is put on',
    outcomes: ['handled', 'handled', 'handled', 'handled'],
    build: onMessage('message', () => [Public()], true),
  },
  {
    name: 'a message with rules, without inheritAppConfig',
    ...nobody,
    build: onMessage('message', (bench) => [asksFor(bench)], false),
  },
  {
    name: 'a message with @Authenticate, without inheritAppConfig',
    ...nobody,
    build: onMessage('message', () => [Authenticate()], false),
  },
  { name: 'a message without inheritAppConfig', ...everybody, build: onMessage('message', () => [], false) },
  { name: 'an event without inheritAppConfig', ...everybody, build: onMessage('event', () => [], false) },
];

describeWays('Nest with Apollo', graphqlWays('Apollo'));
describeWays('Nest with Mercurius', graphqlWays('Mercurius'));
for (const platform of platforms) describeWays(`Nest with sockets on ${platform}`, socketWays(platform));
describeWays('Nest with messages over TCP', messageWays);

describe('T-106: a field of GraphQL with requirements', () => {
  const bench = () => ({
    authenticator: createAuthenticator({
      keySets: [{ issuer: 'i', jwksUrl: 'https://i.example/jwks' }],
      audience: 'me',
    }),
  });

  it.each<[string, readonly MethodDecorator[], readonly ClassDecorator[]]>([
    ['by its method', [RequireClaims({ roles: ['admin'] })], []],
    ['by its class', [], [RequireClaims({ roles: ['admin'] })]],
    ['for a token only', [Authenticate()], []],
  ])('%s: does not start if Nest runs no guard on fields', async (_, onMethods, onClass) => {
    const providers = [
      resolverOf(() => {}, 'Parent', [ResolveField('way'), ...onMethods], onClass),
      parentOf(),
    ];
    const starting = start(bench(), { imports: [graphqlOf('Apollo')], providers });
    await expect(starting).rejects.toThrow(ConfigError);
    await expect(starting).rejects.toThrow(/^Subject\.way: .*fieldResolverEnhancers: \['guards'\]/);
  });

  it('does not start if one module of several would not guard it', async () => {
    const inner = moduleOf({
      providers: [
        resolverOf(() => {}, 'Parent', [ResolveField('way'), RequireClaims({ sub: 'a' })]),
        parentOf(),
      ],
    });
    const imports = [
      inner,
      graphqlOf('Apollo', { ...guards, path: '/a' }),
      graphqlOf('Apollo', { path: '/b' }),
    ];
    await expect(start(bench(), { imports })).rejects.toThrow('fieldResolverEnhancers');
  });
});
