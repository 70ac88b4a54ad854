// docs/recipes/apollo.md: Apollo Server 5 over real HTTP, standalone and in Express.
import { createServer } from 'node:http';
import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import { expressMiddleware } from '@as-integrations/express5';
import type { Authenticator, RouteAccess } from '@latchkey/core';
import { type AuthenticatedRequest, authenticate } from '@latchkey/express';
import express from 'express';
import { describe, expect, it } from 'vitest';
import { type AuthContext, createContext, requireClaims } from '../src/apollo.ts';
import { atEnd, authenticator, badTokens, FAULTS, issuer, listen } from './support.ts';

type Context = ReturnType<typeof createContext>;

/** The arguments that reached the resolver with rules. */
const received: unknown[] = [];

function createServerOf(): ApolloServer<AuthContext> {
  received.length = 0;
  return new ApolloServer<AuthContext>({
    typeDefs: 'type Query { me: String, orders(first: Int): [String!] } type Mutation { remove: String }',
    resolvers: {
      Query: {
        me: (_source, _args, { auth }) => auth?.subject ?? 'anonymous',
        orders: requireClaims({ scope: 'orders:read' }, (_source, args) => {
          received.push(args);
          return ['1'];
        }),
      },
      Mutation: { remove: requireClaims({ roles: ['admin'] }, () => 'removed') },
    },
  });
}

const SERVERS = {
  standalone: async (context: Context) => {
    const server = createServerOf();
    atEnd(() => server.stop());
    return (await startStandaloneServer(server, { context, listen: { port: 0, host: '127.0.0.1' } })).url;
  },
  'in Express': async (context: Context) => {
    const server = createServerOf();
    await server.start();
    atEnd(() => server.stop());
    const app = express().use('/graphql', express.json(), expressMiddleware(server, { context }));
    return `${await listen(createServer(app))}/graphql`;
  },
} as const;

describe.each(Object.entries(SERVERS))('docs/recipes/apollo.md, %s', (_, serve) => {
  async function start(by: Pick<Authenticator, 'authenticate'> = authenticator, access?: RouteAccess) {
    const url = await serve(createContext(by, ...(access === undefined ? [] : [access])));
    return async (query: string, token?: string) => {
      const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...authorization },
        body: JSON.stringify({ query }),
      });
      const { headers, status } = response;
      const text = await response.text();
      return { status, challenge: headers.get('www-authenticate'), text, body: JSON.parse(text) };
    };
  }

  it('a missing or bad token is a 401 with the challenge, for any operation', async () => {
    const ask = await start();
    for (const query of ['{ me }', '{ __typename }', '{ __schema { queryType { name } } }'])
      expect(await ask(query)).toMatchObject({ status: 401, challenge: 'Bearer' });
    for (const [token, code] of await badTokens())
      expect(await ask('{ me }', token)).toMatchObject({
        status: 401,
        challenge: expect.stringContaining('invalid_token'),
        body: { errors: [{ extensions: { code } }] },
      });
  });

  it('a field has rules: a 403 in the errors, and other fields are answered', async () => {
    const ask = await start();
    const token = await issuer.mint({ sub: 'alice' });
    const { status, body } = await ask('{ me orders }', token);
    expect([status, body.data]).toEqual([200, { me: 'alice', orders: null }]);
    expect(body.errors).toMatchObject([
      { path: ['orders'], extensions: { code: 'scope_insufficient', status: 403 } },
    ]);
    expect(await ask('mutation { remove }', token)).toMatchObject({
      body: { data: { remove: null }, errors: [{ extensions: { status: 403 } }] },
    });
    expect(received).toEqual([]);
  });

  it('a good token reaches the resolvers, which get the arguments as sent', async () => {
    const ask = await start();
    const token = await issuer.mint({ scope: 'orders:read' });
    expect(await ask('{ orders(first: 5) }', token)).toMatchObject({
      status: 200,
      body: { data: { orders: ['1'] } },
    });
    expect(received).toEqual([{ first: 5 }]);
  });

  it('in mode optional, fields with rules still need a token', async () => {
    const ask = await start(authenticator, { mode: 'optional' });
    expect((await ask('{ me orders }')).body).toMatchObject({
      data: { me: 'anonymous', orders: null },
      errors: [{ extensions: { code: 'credentials_missing', status: 401 } }],
    });
    expect(await ask('{ me }', 'x')).toMatchObject({ status: 401 });
  });

  it('an outage is a 503; a fault is a 500 whose text stays here', async () => {
    const token = await issuer.mint();
    for (const by of Object.values(FAULTS)) {
      const { status, text } = await (await start(by))('{ me }', token);
      expect([status, text.includes('secret'), text.includes('data')]).toEqual([500, false, false]);
    }
    issuer.fail({ kind: 'status', status: 500 });
    expect(await (await start())('{ me }', token)).toMatchObject({ status: 503 });
  });
});

it('docs/recipes/apollo.md, behind the adapter for Express: no body of a refused request is read', async () => {
  const server = createServerOf();
  await server.start();
  atEnd(() => server.stop());
  let read = 0;
  const json = express.json({ verify: () => read++ });
  const context = async ({ req }: { req: object }) => ({ auth: (req as AuthenticatedRequest).auth });
  const app = express().set('env', 'test');
  app.use('/graphql', authenticate(authenticator), json, expressMiddleware(server, { context }));
  const url = `${await listen(createServer(app))}/graphql`;
  const ask = (headers: Record<string, string>) =>
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query: '{ me orders }' }),
    });
  const refused = await ask({});
  expect([refused.status, refused.headers.get('www-authenticate'), read]).toEqual([401, 'Bearer', 0]);
  const answer = await ask({ authorization: `Bearer ${await issuer.mint({ sub: 'alice' })}` });
  expect(await answer.json()).toMatchObject({
    data: { me: 'alice', orders: null },
    errors: [{ extensions: { code: 'scope_insufficient' } }],
  });
});
