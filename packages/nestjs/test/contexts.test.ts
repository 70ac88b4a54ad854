// T-103: execution contexts of every kind, made by hand: the guard decides or denies.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import type { Type } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LatchkeyGuard } from '../src/guard.ts';
import {
  Auth,
  Authenticate,
  type Authenticator,
  createAuthenticator,
  Public,
  RequireClaims,
} from '../src/index.ts';
import { contextOf } from './application.ts';

let issuer: TestIssuer;
let authenticator: Authenticator;
let verified: number;
let guard: LatchkeyGuard;
let token: string;

beforeAll(async () => {
  issuer = await createIssuer();
  authenticator = createAuthenticator({
    keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
    audience: issuer.audience,
    tokenFrom: [{ header: 'Authorization' }, { cookie: 'token' }],
  });
  verified = 0;
  guard = new LatchkeyGuard({
    decide(request, access) {
      verified++;
      return authenticator.decide(request, access);
    },
    conceal: authenticator.conceal,
  });
  token = await issuer.mint({ sub: 'alice', roles: ['dev'] });
});

afterAll(async () => {
  await authenticator.close();
  await issuer.close();
});

const requestWith = (headers: Readonly<Record<string, string>>) => ({
  method: 'GET',
  url: '/',
  headers,
  rawHeaders: Object.entries(headers).flat(),
  params: {},
});
const bearer = () => requestWith({ authorization: `Bearer ${token}` });

const classWith = (...decorators: readonly ClassDecorator[]): Type => {
  class Subject {}
  for (const decorate of decorators) decorate(Subject);
  return Subject;
};

/** The reason of a refusal, or `allowed`. */
async function decide(type: string, args: readonly unknown[], target?: Type): Promise<unknown> {
  try {
    return (await guard.canActivate(contextOf(type, args, target))) ? 'allowed' : 'false';
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } };
    return cause?.code ?? error;
  }
}

describe('T-103: contexts', () => {
  it.each<[string, string, () => readonly unknown[], string]>([
    ['http, a token', 'http', () => [bearer(), {}], 'allowed'],
    ['http, no token', 'http', () => [requestWith({}), {}], 'credentials_missing'],
    ['http without a request', 'http', () => [], 'credentials_missing'],
    ['graphql, a token', 'graphql', () => [{}, {}, { req: bearer() }, {}], 'allowed'],
    ['graphql, no token', 'graphql', () => [{}, {}, { req: requestWith({}) }, {}], 'credentials_missing'],
    ['graphql without a request', 'graphql', () => [{}, {}, {}, {}], 'credentials_missing'],
    ['graphql without a context', 'graphql', () => [{}, {}], 'credentials_missing'],
    ['ws without an authenticated handshake', 'ws', () => [{}, {}], 'credentials_missing'],
    ['ws without a client', 'ws', () => [], 'credentials_missing'],
    ['rpc', 'rpc', () => [bearer(), { req: bearer() }], 'credentials_missing'],
    ['any other', 'telegraf', () => [bearer(), {}, { req: bearer() }], 'credentials_missing'],
  ])('%s', async (_name, type, args, expected) => {
    expect(await decide(type, args())).toBe(expected);
  });

  it.each(['http', 'graphql', 'ws', 'rpc', 'telegraf'])('@Public opens a handler in %s', async (type) => {
    expect(await decide(type, [bearer(), {}], classWith(Public()))).toBe('allowed');
  });

  it('a public message handler accepts a client without an authenticated handshake', async () => {
    expect(await decide('ws', [{}, {}], classWith(Public()))).toBe('allowed');
  });
});

it('T-103: the decision of another application about a request does not count', async () => {
  const other = await createIssuer();
  const stranger = createAuthenticator({
    keySets: [{ issuer: other.issuer, jwksUrl: other.jwksUrl, allowHttp: true }],
    audience: other.audience,
  });
  const context = contextOf('http', [bearer(), {}]);
  expect(await guard.canActivate(context)).toBe(true);
  await expect(new LatchkeyGuard(stranger).canActivate(context)).rejects.toMatchObject({
    cause: { code: 'token_issuer_untrusted' },
  });
  await stranger.close();
  await other.close();
});

it.each<[string, (request: object) => object]>([
  ['a copy', (request) => ({ ...request })],
  [
    'a copy with its symbols',
    (request) => Object.defineProperties({}, Object.getOwnPropertyDescriptors(request)),
  ],
  ['an object that inherits', (request) => Object.create(request)],
])('T-108: a decision about a request does not count for %s', async (_name, copyOf) => {
  const request = bearer();
  expect(await decide('http', [request, {}])).toBe('allowed');
  const copy = Object.assign(copyOf(request), requestWith({}));
  expect(await decide('http', [copy, {}])).toBe('credentials_missing');
  expect(await decide('graphql', [{}, {}, { req: copy }, {}])).toBe('credentials_missing');
  const context = { req: bearer() };
  expect(await decide('graphql', [{}, {}, context, {}])).toBe('allowed');
  const other = Object.assign(copyOf(context), { req: requestWith({}) });
  expect(await decide('graphql', [{}, {}, other, {}])).toBe('credentials_missing');
});

it.each<[string, (request: object) => readonly [string, readonly unknown[]]]>([
  ['http', (request) => ['http', [request, {}]]],
  ['graphql', (req) => ['graphql', [{}, {}, { req }, {}]]],
])('T-143: a decision by other overrides does not count for these: %s', async (_name, argsOf) => {
  const anonymous = classWith(Authenticate({ mode: 'optional' }));
  const elsewhere = classWith(Authenticate({ issuers: ['https://issuer.example'] }));
  const forOthers = classWith(Authenticate({ audience: 'https://other.example' }));
  const strong = classWith(Authenticate({ acr: ['urn:example:mfa'] }));
  const [type, none] = argsOf(requestWith({}));
  expect(await decide(type, none, anonymous)).toBe('allowed');
  expect(await decide(type, none)).toBe('credentials_missing');
  expect(await decide(type, none, anonymous)).toBe('allowed');
  const [, known] = argsOf(bearer());
  expect(await decide(type, known)).toBe('allowed');
  expect(await decide(type, known, elsewhere)).toBe('token_issuer_untrusted');
  expect(await decide(type, known, strong)).toBe('authentication_insufficient');
  expect(await decide(type, known)).toBe('allowed');
  expect(await decide(type, known, forOthers)).toBe('token_audience_mismatch');
  expect(await decide(type, known)).toBe('allowed');
});

describe('T-105: the result of the guard', () => {
  it('is true, or a promise of true, and otherwise it throws or rejects', async () => {
    const given = [
      guard.canActivate(contextOf('http', [bearer(), {}])),
      guard.canActivate(contextOf('graphql', [{}, {}, { req: bearer() }, {}])),
      guard.canActivate(contextOf('http', [requestWith({}), {}], classWith(Public()))),
    ];
    for (const each of given) {
      expect(each === true || each instanceof Promise).toBe(true);
      expect(await each).toBe(true);
    }
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['false', false],
    ['an empty string', ''],
    ['an empty object', {}],
    ['a decision without an error', { ok: false }],
  ])('is never true for a decision that is %s, now or later', async (_name, decision) => {
    for (const given of [decision, Promise.resolve(decision)]) {
      const broken = new LatchkeyGuard({ decide: () => given as never, conceal: () => undefined });
      const deciding = async () => broken.canActivate(contextOf('http', [bearer(), {}]));
      await expect(deciding()).rejects.toBeInstanceOf(Error);
    }
  });

  it('is a refusal with 503 if an endpoint never answers', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const asking = createAuthenticator({
      keySets: [],
      audience: null,
      remote: { url: `http://127.0.0.1:${port}/`, allowHttp: true, timeout: '200ms' },
    });
    await expect(
      new LatchkeyGuard(asking).canActivate(contextOf('http', [bearer(), {}])),
    ).rejects.toMatchObject({ cause: { code: 'remote_unavailable', status: 503 } });
    await asking.close();
    silent.closeAllConnections();
    await new Promise((resolve) => silent.close(resolve));
  });
});

describe('T-106: GraphQL', () => {
  /** Returns the value of `@Auth()`, called as Nest does. */
  const authOf = (args: readonly unknown[], target?: Type): { readonly subject?: string } | undefined => {
    class Subject {
      read() {}
    }
    Auth()(Subject.prototype, 'read', 0);
    const noted = Reflect.getMetadata('__routeArguments__', Subject, 'read') as Record<
      string,
      { factory: (data: unknown, context: unknown) => { subject?: string } | undefined }
    >;
    return Object.values(noted)[0]?.factory(undefined, contextOf('graphql', args, target));
  };

  it('a hundred aliases of one field need one verification', async () => {
    const graphql = { req: bearer() };
    verified = 0;
    const aliases = Array.from({ length: 100 }, () => decide('graphql', [{}, {}, graphql, {}]));
    expect(new Set(await Promise.all(aliases))).toEqual(new Set(['allowed']));
    expect(verified).toBe(1);
  });

  it('each field is judged by its own rules', async () => {
    const graphql = { req: bearer() };
    const admin = classWith(RequireClaims({ roles: ['admin'] }));
    expect(await decide('graphql', [{}, {}, graphql, {}])).toBe('allowed');
    expect(await decide('graphql', [{}, {}, graphql, {}], admin)).toBe('claims_insufficient');
  });

  it('a field has the principal of its operation, guarded or not, and a public field has none', async () => {
    const graphql = { req: bearer() };
    const own = [{}, {}, graphql, {}];
    const open = [{}, {}, graphql, {}];
    await decide('graphql', own);
    const everybody = classWith(Public());
    await decide('graphql', open, everybody);
    expect(authOf(own)?.subject).toBe('alice');
    expect(authOf(open, everybody)).toBeUndefined();
    expect(authOf([{}, {}, graphql, {}])?.subject).toBe('alice');
  });

  it('the headers of a refusal are on the response, by the method that it has', async () => {
    const written: Record<string, string> = {};
    const note = (name: string, value: string) => {
      written[name] = value;
    };
    await decide('graphql', [{}, {}, { req: requestWith({}), res: { setHeader: note } }, {}]);
    expect(written).toEqual({ 'WWW-Authenticate': 'Bearer', 'Cache-Control': 'no-store' });
  });

  it.each(['headersSent', 'sent'])(
    'T-083: headers that were sent already, by %s, are not changed',
    async (left) => {
      const inQuery = createAuthenticator({
        keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
        audience: issuer.audience,
        tokenFrom: [{ query: 'access_token' }],
      });
      const written: string[] = [];
      const response = { [left]: true, setHeader: (name: string) => written.push(name) };
      const request = { ...requestWith({}), url: `/?access_token=${token}&a=1` };
      const context = contextOf('graphql', [{}, {}, { req: request, res: response }, {}]);
      expect(await new LatchkeyGuard(inQuery).canActivate(context)).toBe(true);
      expect([request.url, written]).toEqual(['/?a=1', []]);
      await inQuery.close();
    },
  );

  it('a subscription whose upgrade another origin sent with a cookie is refused', async () => {
    const upgrade = (origin: string) =>
      requestWith({
        host: 'api.example.com',
        upgrade: 'websocket',
        connection: 'Upgrade',
        origin,
        cookie: `token=${token}`,
      });
    const subscribe = (origin: string) => decide('graphql', [{}, {}, { req: upgrade(origin) }, {}]);
    expect(await subscribe('https://evil.example')).toBe('origin_refused');
  });

  it('overrides of a resolver apply', async () => {
    const anonymous = classWith(Authenticate({ mode: 'optional' }));
    expect(await decide('graphql', [{}, {}, { req: requestWith({}) }, {}], anonymous)).toBe('allowed');
  });
});
