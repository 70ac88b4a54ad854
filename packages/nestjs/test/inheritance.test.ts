// T-104: decorators with inheritance, overriding, wrapping and copying. A method is opened only by
// the class that declares or inherits it, and a restriction is never lost without an error.
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { Controller, Get, type INestApplication, Injectable, Scope, type Type } from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  Authenticate,
  type AuthenticatorOptions,
  ConfigError,
  LatchkeyModule,
  Public,
  RequireClaims,
} from '../src/index.ts';
import { create, listen, onMethod } from './application.ts';

let issuer: TestIssuer;
let options: AuthenticatorOptions;
let dev: string;
let ops: string;
const apps: INestApplication[] = [];

beforeAll(async () => {
  issuer = await createIssuer();
  options = {
    keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
    audience: issuer.audience,
  };
  dev = await issuer.mint({ sub: 'alice', roles: ['dev'] });
  ops = await issuer.mint({ sub: 'bob', roles: ['ops'] });
});

afterEach(async () => {
  vi.restoreAllMocks();
  for (const app of apps.splice(0)) await app.close();
});

afterAll(() => issuer.close());

const isDev = () => RequireClaims({ roles: ['dev'] });

async function start(...controllers: readonly Type[]): Promise<string> {
  const app = await create({ imports: [LatchkeyModule.forRoot(options)], controllers: [...controllers] });
  apps.push(app);
  return listen(app);
}

/** The statuses for no token, the token of a dev, and the token of an ops. */
async function statuses(url: string, path: string): Promise<readonly number[]> {
  const tokens = [{}, { authorization: `Bearer ${dev}` }, { authorization: `Bearer ${ops}` }];
  return Promise.all(tokens.map(async (headers) => (await fetch(`${url}/${path}`, { headers })).status));
}

/** A class with methods `base` and `replaced`; decorators on the class, and on `replaced`. */
function baseWith(onClass: readonly ClassDecorator[], onReplaced: readonly MethodDecorator[] = []) {
  class Base {
    base(): object {
      return {};
    }
    replaced(): object {
      return {};
    }
  }
  onMethod(Base, 'base', Get('base'));
  onMethod(Base, 'replaced', Get('replaced'), ...onReplaced);
  for (const decorate of onClass) decorate(Base);
  return Base;
}

/** Extends the class with a method `added`, and one that replaces `replaced`. */
function extend(
  Base: ReturnType<typeof baseWith>,
  onClass: readonly ClassDecorator[] = [],
  onReplaced: readonly MethodDecorator[] = [],
) {
  class Derived extends Base {
    added(): object {
      return {};
    }
    override replaced(): object {
      return {};
    }
  }
  onMethod(Derived, 'added', Get('added'));
  onMethod(Derived, 'replaced', Get('replaced'), ...onReplaced);
  for (const decorate of onClass) decorate(Derived);
  Controller()(Derived);
  return Derived;
}

/** Replaces a method by a function, like a decorator that measures or logs. */
const wrapping =
  (copies: boolean): MethodDecorator =>
  (target, key) => {
    const original: (...args: unknown[]) => unknown = Reflect.get(target, key);
    const wrapper = function (this: unknown, ...args: unknown[]) {
      return Reflect.apply(original, this, args);
    };
    if (copies)
      for (const name of Reflect.getMetadataKeys(original))
        Reflect.defineMetadata(name, Reflect.getMetadata(name, original), wrapper);
    Object.defineProperty(target, key, { value: wrapper, writable: true, configurable: true });
  };

const open = [200, 200, 200];
const needsToken = [401, 200, 200];
const needsDev = [401, 200, 403];

describe('T-104: a class that extends another', () => {
  it.each<[string, ClassDecorator[], readonly [base: number[], added: number[], replaced: number[]]]>([
    ['@Public does not open the methods that it adds', [Public()], [open, needsToken, needsToken]],
    [
      'a mode for anonymous requests does not open the methods that it adds',
      [Authenticate({ mode: 'optional' })],
      [open, needsToken, needsToken],
    ],
    ['rules apply to the methods that it adds', [isDev()], [needsDev, needsDev, needsDev]],
    [
      'issuers apply to the methods that it adds, in every mode',
      [Authenticate({ mode: 'permissive', issuers: ['https://issuer.example'] })],
      [
        [200, 200, 200],
        [401, 401, 401],
        [401, 401, 401],
      ],
    ],
  ])('%s', async (_, onBase, [base, added, replaced]) => {
    const url = await start(extend(baseWith(onBase)));
    expect(await statuses(url, 'base')).toEqual(base);
    expect(await statuses(url, 'added')).toEqual(added);
    expect(await statuses(url, 'replaced')).toEqual(replaced);
  });

  it('its own decorators apply to the methods that it inherits', async () => {
    const url = await start(extend(baseWith([Public()]), [isDev()]));
    for (const path of ['base', 'added', 'replaced']) expect(await statuses(url, path)).toEqual(needsDev);
  });

  it('a mixin of a public class is not public', async () => {
    const mixin = (Base: ReturnType<typeof baseWith>) => {
      class Mixed extends Base {
        mixed() {
          return {};
        }
      }
      onMethod(Mixed, 'mixed', Get('mixed'));
      return Mixed;
    };
    const Subject = class extends mixin(baseWith([Public()])) {};
    Controller()(Subject);
    const url = await start(Subject);
    expect(await statuses(url, 'base')).toEqual(open);
    expect(await statuses(url, 'mixed')).toEqual(needsToken);
  });

  it('is public if it is marked so itself, with the methods that it inherits', async () => {
    const url = await start(extend(baseWith([isDev()]), [Public()]));
    for (const path of ['base', 'added', 'replaced']) expect(await statuses(url, path)).toEqual(open);
  });
});

describe('T-104: a method that replaces one with requirements', () => {
  it.each<[string, MethodDecorator]>([
    ['rules', isDev()],
    ['a token', Authenticate()],
  ])('for %s does not start without a decorator', async (_, asked) => {
    const starting = start(extend(baseWith([], [asked])));
    await expect(starting).rejects.toThrow(ConfigError);
    await expect(starting).rejects.toThrow(/^Derived\.replaced: replaces Base\.replaced/);
  });

  it('does not start either if its class has rules, or is public', async () => {
    await expect(start(extend(baseWith([], [isDev()]), [isDev()]))).rejects.toThrow('Derived.replaced');
    await expect(start(extend(baseWith([], [isDev()]), [Public()]))).rejects.toThrow('Derived.replaced');
  });

  it.each<[string, MethodDecorator, number[]]>([
    ['its own rules', RequireClaims({ roles: ['ops'] }), [401, 403, 200]],
    ['@Authenticate', Authenticate(), needsToken],
    ['@Public', Public(), open],
  ])('has its own decorator: %s', async (_, own, expected) => {
    const url = await start(extend(baseWith([], [isDev()]), [], [own]));
    expect(await statuses(url, 'replaced')).toEqual(expected);
  });

  it('of a public method needs a token', async () => {
    const url = await start(extend(baseWith([], [Public()])));
    expect(await statuses(url, 'replaced')).toEqual(needsToken);
  });

  it('and is no longer a handler, starts', async () => {
    const Base = baseWith([], [isDev()]);
    class Subject extends Base {
      override replaced() {
        return {};
      }
    }
    Controller()(Subject);
    expect(await statuses(await start(Subject), 'replaced')).toEqual([404, 404, 404]);
  });
});

describe('T-104: a decorator that replaces a method', () => {
  const withMethod = (...decorators: MethodDecorator[]) => {
    class Subject {
      read() {
        return {};
      }
    }
    for (const decorate of decorators.toReversed())
      decorate(Subject.prototype, 'read', Object.getOwnPropertyDescriptor(Subject.prototype, 'read') ?? {});
    Controller()(Subject);
    return Subject;
  };

  it.each<[string, MethodDecorator, number[]]>([
    ['rules', isDev(), needsDev],
    ['@Authenticate', Authenticate({ mode: 'optional' }), open],
    ['@Public', Public(), open],
  ])('and its metadata: %s still applies', async (_, ours, expected) => {
    const url = await start(withMethod(Get('read'), wrapping(false), ours));
    expect(await statuses(url, 'read')).toEqual(expected);
  });

  it('and copies the metadata: rules apply', async () => {
    expect(await statuses(await start(withMethod(Get('read'), wrapping(true), isDev())), 'read')).toEqual(
      needsDev,
    );
  });

  it('below a Latchkey decorator: rules apply', async () => {
    expect(await statuses(await start(withMethod(isDev(), Get('read'), wrapping(false))), 'read')).toEqual(
      needsDev,
    );
  });

  it('between two Latchkey decorators: both apply', async () => {
    const url = await start(
      withMethod(Get('read'), Authenticate({ mode: 'optional' }), wrapping(false), isDev()),
    );
    expect(await statuses(url, 'read')).toEqual(needsDev);
  });

  it('in the constructor: does not start', async () => {
    class Subject {
      constructor() {
        this.read = this.read.bind(this);
      }
      read() {
        return {};
      }
    }
    onMethod(Subject, 'read', Get('read'), isDev());
    Controller()(Subject);
    await expect(start(Subject)).rejects.toThrow('Subject.read: the constructor replaces the method');
  });

  it('in the constructor of a class that is made for each request: answers 500, and does not run', async () => {
    let ran = 0;
    class Subject {
      constructor() {
        this.read = this.read.bind(this);
      }
      read() {
        ran++;
        return {};
      }
    }
    onMethod(Subject, 'read', Get('read'), isDev());
    Injectable({ scope: Scope.REQUEST })(Subject);
    Controller({ scope: Scope.REQUEST })(Subject);
    const answers = await statuses(await start(Subject), 'read');
    expect({ answers, ran }).toEqual({ answers: [500, 500, 500], ran: 0 });
  });

  it.each<[string, ClassDecorator[], MethodDecorator[], number[]]>([
    ['the rules of its class', [isDev()], [], needsDev],
    ['its own rules', [], [isDev()], needsDev],
    ['its own rules, not the opening of its class', [Public()], [isDev()], needsDev],
    ['a token where its class is public', [Public()], [], needsToken],
  ])('by copying it to another class: it needs %s', async (_, onClass, onMethods, expected) => {
    class Base {
      read() {
        return {};
      }
    }
    onMethod(Base, 'read', Get('read'), ...onMethods);
    for (const decorate of onClass) decorate(Base);
    class Copy {}
    const { read } = Object.getOwnPropertyDescriptors(Base.prototype);
    Object.defineProperty(Copy.prototype, 'read', read ?? {});
    Controller()(Copy);
    expect(await statuses(await start(Copy), 'read')).toEqual(expected);
  });
});

describe('T-104: decorators on one method or class', () => {
  it.each<[string, () => readonly MethodDecorator[]]>([
    ['two @RequireClaims', () => [isDev(), isDev()]],
    [
      '@Authenticate with claims, and @RequireClaims',
      () => [Authenticate({ claims: { sub: 'a' } }), isDev()],
    ],
    [
      '@RequireClaims, and @Authenticate with claims',
      () => [isDev(), Authenticate({ claims: { sub: 'a' } })],
    ],
    ['two @Authenticate', () => [Authenticate({ mode: 'optional' }), Authenticate({ issuers: ['i'] })]],
    [
      '@Public, and @RequireClaims above a decorator that replaces the method',
      () => [isDev(), wrapping(false), Public()],
    ],
  ])('%s: refused', (_, decorators) => {
    class Subject {
      read() {}
    }
    const decorate = () => {
      for (const one of decorators())
        one(Subject.prototype, 'read', Object.getOwnPropertyDescriptor(Subject.prototype, 'read') ?? {});
    };
    expect(decorate).toThrow(ConfigError);
  });

  it('two on a class are refused too', () => {
    class Subject {}
    isDev()(Subject);
    expect(() => Authenticate({ claims: { sub: 'a' } })(Subject)).toThrow(
      '@RequireClaims: expected one set of rules on Subject, got two; put them into one decorator',
    );
  });

  it('@Authenticate without claims, and @RequireClaims, can be combined', async () => {
    const Base = baseWith([Authenticate({ mode: 'optional' }), isDev()]);
    Controller()(Base);
    expect(await statuses(await start(Base), 'base')).toEqual(needsDev);
  });
});

describe('T-103: message handlers', () => {
  it('start-up warns of those that are open in a hybrid application', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    class Silent {
      message() {}
      event() {}
      open() {}
      read() {}
    }
    onMethod(Silent, 'message', MessagePattern('message'));
    onMethod(Silent, 'event', EventPattern('event') as MethodDecorator);
    onMethod(Silent, 'open', MessagePattern('open'), Public());
    onMethod(Silent, 'read', Get());
    Controller()(Silent);
    // One decorator adds the guard to its whole class.
    class Guarded {
      silent() {}
      asking() {}
    }
    onMethod(Guarded, 'silent', MessagePattern('silent'));
    onMethod(Guarded, 'asking', MessagePattern('asking'), Authenticate());
    Controller()(Guarded);
    await start(Silent, Guarded);
    expect(warned.mock.calls).toEqual([
      [
        'Silent.message, Silent.event: open to every client in a hybrid application without inheritAppConfig: true, and denied in any other',
        { type: 'SecurityWarning', code: 'LATCHKEY_UNSAFE' },
      ],
    ]);
  });
});
