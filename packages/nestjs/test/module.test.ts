// The module: one authenticator for all imports, and applications that would be open do not start.

import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { Controller, Get, type INestApplication, Inject, type Type } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { WebSocketGateway } from '@nestjs/websockets';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  Auth,
  Authenticate,
  type Authenticator,
  type AuthenticatorOptions,
  ConfigError,
  createAuthenticator,
  LATCHKEY_AUTHENTICATOR,
  LatchkeyModule,
  Public,
  RequireClaims,
  requireAll,
} from '../src/index.ts';
import { create, listen, moduleOf, onMethod } from './application.ts';

let issuer: TestIssuer;
const apps: INestApplication[] = [];

beforeEach(async () => {
  issuer = await createIssuer();
});

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
  await issuer.close();
});

const optionsFor = ({ issuer: name, jwksUrl, audience }: TestIssuer): AuthenticatorOptions => ({
  keySets: [{ issuer: name, jwksUrl, allowHttp: true }],
  audience,
});

function controllerAt(path: string): Type {
  class Subject {
    read() {
      return {};
    }
  }
  onMethod(Subject, 'read', Get());
  Controller(path)(Subject);
  return Subject;
}

async function started(metadata: Parameters<typeof create>[0]): Promise<string> {
  const app = await create(metadata);
  apps.push(app);
  return listen(app);
}

const get = async (url: string) =>
  (await fetch(url, { headers: { authorization: `Bearer ${await issuer.mint()}` } })).status;

describe('one authenticator for the same options', () => {
  it('the same options in several modules, once or twice each, fetch keys once', async () => {
    const options = optionsFor(issuer);
    const feature = (path: string) =>
      moduleOf({ imports: [LatchkeyModule.forRoot(options)], controllers: [controllerAt(path)] });
    const url = await started({
      imports: [feature('a'), feature('b'), LatchkeyModule.forRoot(options), LatchkeyModule.forRoot(options)],
    });
    expect([await get(`${url}/a`), await get(`${url}/b`)]).toEqual([200, 200]);
    expect(issuer.requests).toEqual({ metadata: 0, jwks: 1 });
  });

  it('options that are made later, in several modules', async () => {
    const settings = Symbol('settings');
    const Settings = moduleOf({
      providers: [{ provide: settings, useFactory: async () => optionsFor(issuer) }],
      exports: [settings],
    });
    let made = 0;
    const later = {
      imports: [Settings],
      inject: [settings],
      useFactory: (options: AuthenticatorOptions) => {
        made++;
        return options;
      },
    };
    const url = await started({
      imports: [
        LatchkeyModule.forRootAsync(later),
        moduleOf({ imports: [LatchkeyModule.forRootAsync(later)], controllers: [controllerAt('a')] }),
      ],
    });
    expect([(await fetch(`${url}/a`)).status, await get(`${url}/a`)]).toEqual([401, 200]);
    expect({ made, jwks: issuer.requests.jwks }).toEqual({ made: 1, jwks: 1 });
  });

  it('two options objects do not start', async () => {
    const imports = [LatchkeyModule.forRoot(optionsFor(issuer)), LatchkeyModule.forRoot(optionsFor(issuer))];
    await expect(started({ imports })).rejects.toThrow(ConfigError);
  });

  it.each<[string, readonly MethodDecorator[], readonly ClassDecorator[]]>([
    ['@RequireClaims on a method', [RequireClaims({ sub: 'a' })], []],
    ['@RequireClaims on a class', [], [RequireClaims({ sub: 'a' })]],
    ['@Authenticate with claims', [Authenticate({ claims: { sub: 'a' } })], []],
  ])('several authenticators and %s do not start: rules are for the sources', async (_, onWay, onClass) => {
    class Subject {
      way() {
        return 'handled';
      }
    }
    onMethod(Subject, 'way', Get('way'), ...onWay);
    for (const decorate of [Controller(), ...onClass]) decorate(Subject);
    const both = requireAll({ user: createAuthenticator(optionsFor(issuer)) });
    const starting = started({ imports: [LatchkeyModule.forRoot(both)], controllers: [Subject] });
    await expect(starting).rejects.toThrow(ConfigError);
    await expect(starting).rejects.toThrow('Subject.way.claims: pass the rules to the sources');
  });

  it('two applications of the same options have an engine each, and closing one leaves the other', async () => {
    const metadata = {
      imports: [LatchkeyModule.forRoot(optionsFor(issuer))],
      controllers: [controllerAt('a')],
    };
    const urls = [await started(metadata), await started(metadata)];
    await apps.shift()?.close();
    expect(await get(`${urls[1]}/a`)).toBe(200);
  });

  it('it closes an authenticator that it made, and not one that it was given', async () => {
    const given = createAuthenticator(optionsFor(issuer));
    let closed = 0;
    const counted: Authenticator = {
      ...given,
      close: async () => {
        closed++;
      },
    };
    await started({ imports: [LatchkeyModule.forRoot(counted)] });
    await apps.pop()?.close();
    expect(closed).toBe(0);
    await given.close();
  });

  it('an authenticator that it made is closed with the application', async () => {
    await started({ imports: [LatchkeyModule.forRoot(optionsFor(issuer))], controllers: [] });
    const app = apps.pop();
    const authenticator = app?.get<Authenticator>(LATCHKEY_AUTHENTICATOR);
    await authenticator?.ready();
    await app?.close();
    const before = issuer.requests.jwks;
    await authenticator?.verify(await issuer.mint({}, { kid: 'unknown' })).catch(() => {});
    expect(issuer.requests.jwks).toBe(before);
  });
});

describe('injection', () => {
  it('T-103: needs no metadata of types: an injection token names the authenticator', async () => {
    class Friends {
      readonly authenticator: Authenticator;
      constructor(authenticator: Authenticator) {
        this.authenticator = authenticator;
      }
    }
    Inject(LATCHKEY_AUTHENTICATOR)(Friends, undefined, 0);
    await started({ imports: [LatchkeyModule.forRoot(optionsFor(issuer))], providers: [Friends] });
    const { authenticator } = apps[0]!.get(Friends);
    expect((await authenticator.verify(await issuer.mint({ sub: 'alice' }))).subject).toBe('alice');
  });
});

describe('T-103: an application that would be open does not start', () => {
  let wrong: TestIssuer;
  beforeAll(async () => {
    wrong = await createIssuer();
  });
  afterAll(() => wrong.close());

  it('wrong options', async () => {
    const imports = [LatchkeyModule.forRoot({ keySets: [], audience: 5 } as never)];
    await expect(started({ imports })).rejects.toThrow(ConfigError);
  });

  it.each<[string, (type: Type<{ read(): object }>) => void]>([
    ['@RequireClaims', (type) => RequireClaims({ roles: ['dev'] })(type)],
    ['@Authenticate', (type) => Authenticate()(type)],
    ['@Authenticate on a method', (type) => onMethod(type, 'read', Authenticate())],
    ['@Auth', (type) => Auth()(type.prototype, 'read', 0)],
  ])('%s without the module', async (_, decorate) => {
    const Subject = controllerAt('a');
    decorate(Subject);
    const starting = started({ controllers: [Subject] });
    await expect(starting).rejects.toThrow(ConfigError);
    await expect(starting).rejects.toThrow(
      /^LatchkeyModule: .*put LatchkeyModule\.forRoot\(\{ … \}\) among the imports/,
    );
  });

  it.each<[string, () => Promise<unknown> | unknown, string]>([
    [
      'forRoot()',
      () => Reflect.apply(LatchkeyModule.forRoot, LatchkeyModule, []),
      'LatchkeyModule.forRoot: expected an object with options, got undefined; give it { keySets, audience }',
    ],
    [
      'forRootAsync()',
      () => Reflect.apply(LatchkeyModule.forRootAsync, LatchkeyModule, []),
      'LatchkeyModule.forRootAsync: expected an object with options, got undefined; give it { keySets, audience }',
    ],
    [
      'forRootAsync giving undefined',
      () => started({ imports: [LatchkeyModule.forRootAsync({ useFactory: () => undefined as never })] }),
      'LatchkeyModule.forRootAsync: useFactory: expected an object with options, got undefined; give it { keySets, audience }',
    ],
  ])('%s', async (_, make, message) => {
    await expect((async () => make())()).rejects.toThrow(
      new ConfigError(...(message.split(/: (?=exp)/) as [string, string])),
    );
  });

  it('a gateway whose handshakes are not authenticated', async () => {
    class Gateway {}
    WebSocketGateway()(Gateway);
    const imports = [LatchkeyModule.forRoot(optionsFor(wrong))];
    const app = await create({ imports, providers: [Gateway] });
    apps.push(app);
    app.useWebSocketAdapter(new WsAdapter(app));
    await expect(listen(app)).rejects.toThrow('authenticateWebSockets');
  });

  it('but a gateway that is marked public does start', async () => {
    class Gateway {}
    WebSocketGateway()(Gateway);
    Public()(Gateway);
    const app = await create({
      imports: [LatchkeyModule.forRoot(optionsFor(wrong))],
      providers: [Gateway],
    });
    apps.push(app);
    app.useWebSocketAdapter(new WsAdapter(app));
    await listen(app);
  });
});
