// The context of GraphQL: one caller's request is never another's.
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import type { INestApplication } from '@nestjs/common';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Auth, ConfigError, createAuthenticator, LatchkeyModule, type Principal } from '../src/index.ts';
import { create, listen, onMethod } from './application.ts';
import { ApolloDriver, GraphQLModule, MercuriusDriver, Query, Resolver } from './graphql.ts';

const DRIVERS = { Apollo: ApolloDriver, Mercurius: MercuriusDriver } as const;
const drivers = Object.keys(DRIVERS) as (keyof typeof DRIVERS)[];

let key: SigningKey;
let app: INestApplication | undefined;

beforeAll(async () => {
  key = await generateSigningKey('ES256', 'one');
});

afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function start(driver: keyof typeof DRIVERS, context: unknown): Promise<string> {
  class Subject {
    way(auth: Principal) {
      return auth.subject;
    }
  }
  onMethod(Subject, 'way', Query('way'));
  Auth()(Subject.prototype, 'way', 0);
  Resolver()(Subject);
  const authenticator = createAuthenticator({
    keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
    audience: 'me',
  });
  const graphql = { driver: DRIVERS[driver], typeDefs: 'type Query { way: String }', context };
  const imports = [LatchkeyModule.forRoot(authenticator), GraphQLModule.forRoot(graphql)];
  app = await create({ imports, providers: [Subject] }, driver === 'Apollo' ? 'express' : 'fastify');
  return listen(app);
}

/** What the resolver answers; undefined where it is refused. */
async function ask(url: string, subject?: string, query = '{ way }'): Promise<unknown> {
  const exp = Math.floor(Date.now() / 1000) + 300;
  const token = subject && (await mint(key, { iss: 'i', aud: 'me', sub: subject, exp }));
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: JSON.stringify({ query }),
  });
  const { data } = (await response.json()) as { data?: { way?: unknown } | null };
  return data?.way ?? undefined;
}

describe.each(drivers)('the context of GraphQL with %s', (driver) => {
  it('does not start with one object for all requests', async () => {
    const starting = start(driver, { db: 1 });
    await expect(starting).rejects.toThrow(ConfigError);
    await expect(starting).rejects.toThrow(/^GraphQLModule context: expected a function/);
  });

  it.each(['{ way }', '{ __typename }'])(
    'gives no caller the request of the one before, %s, whose function returns one object',
    async (first) => {
      const shared = { db: 1 };
      const url = await start(driver, () => shared);
      await ask(url, 'alice', first);
      expect([undefined, 'mallory']).toContain(await ask(url, 'mallory'));
      expect(await ask(url)).toBeUndefined();
    },
  );

  it('gives no caller the decision on the one before, where one object gets the request of each', async () => {
    const shared = { db: 1 };
    const url = await start(driver, (given: { req?: object }) =>
      Object.assign(shared, { req: given.req ?? given }),
    );
    expect(await ask(url, 'alice')).toBe('alice');
    expect([undefined, 'mallory']).toContain(await ask(url, 'mallory'));
    expect(await ask(url)).toBeUndefined();
  });

  it('tells callers apart where the function returns a new object', async () => {
    const url = await start(driver, () => ({ db: 1 }));
    expect(await ask(url, 'alice')).toBe('alice');
    expect(await ask(url, 'mallory')).toBe('mallory');
    expect(await ask(url)).toBeUndefined();
  });
});
