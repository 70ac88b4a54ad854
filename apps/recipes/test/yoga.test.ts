// docs/recipes/yoga.md: GraphQL Yoga 5 over real HTTP.
import { createSchema, createYoga } from 'graphql-yoga';
import { describe, expect, it } from 'vitest';
import { type AuthContext, createHandler, requireClaims } from '../src/yoga.ts';
import { badTokens, brokenGuards, issuer, serveFetch } from './support.ts';
import { guardOf } from './web.ts';

/** The arguments that reached the resolver with rules. */
const received: unknown[] = [];

async function start(guard = guardOf()) {
  received.length = 0;
  const schema = createSchema<AuthContext>({
    typeDefs: 'type Query { me: String, orders(first: Int): [String!], broken: String }',
    resolvers: {
      Query: {
        me: (_source, _args, { auth }) => auth.subject,
        orders: requireClaims({ scope: 'orders:read' }, (_source, args) => {
          received.push(args);
          return ['1'];
        }),
        broken: requireClaims({}, () => {
          throw new TypeError('a secret fault');
        }),
      },
    },
  });
  const url = await serveFetch(createHandler(guard, createYoga<AuthContext>({ schema, logging: false })));
  return async (query: string, token?: string) => {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...authorization },
      body: JSON.stringify({ query }),
    });
    const text = await response.text();
    const challenge = response.headers.get('www-authenticate');
    return { status: response.status, challenge, text };
  };
}

describe('docs/recipes/yoga.md', () => {
  it('a missing or bad token is a 401 with the challenge, for any operation', async () => {
    const ask = await start();
    for (const query of ['{ me }', '{ __schema { queryType { name } } }', 'no query'])
      expect(await ask(query)).toMatchObject({ status: 401, challenge: 'Bearer' });
    for (const [token, code] of await badTokens()) {
      const { status, text } = await ask('{ me }', token);
      expect([status, JSON.parse(text).code]).toEqual([401, code]);
    }
  });

  it('a field has rules: a 403 in the errors, and other fields are answered', async () => {
    const ask = await start();
    const { status, text } = await ask('{ me orders }', await issuer.mint({ sub: 'alice' }));
    expect([status, JSON.parse(text)]).toMatchObject([
      200,
      {
        data: { me: 'alice', orders: null },
        errors: [{ path: ['orders'], extensions: { code: 'scope_insufficient', status: 403 } }],
      },
    ]);
    expect(received).toEqual([]);
  });

  it('a good token reaches the resolvers, which get the arguments as sent', async () => {
    const ask = await start();
    const { text } = await ask('{ orders(first: 5) }', await issuer.mint({ scope: 'orders:read' }));
    expect(JSON.parse(text)).toEqual({ data: { orders: ['1'] } });
    expect(received).toEqual([{ first: 5 }]);
  });

  it('an outage is a 503; a fault is a 500, and its text stays here', async () => {
    const token = await issuer.mint();
    issuer.fail({ kind: 'status', status: 500 });
    expect((await (await start())('{ me }', token)).status).toBe(503);
    for (const guard of brokenGuards()) {
      const { status, text } = await (await start(guard))('{ me }', token);
      expect([status, text.includes('secret')]).toEqual([500, false]);
    }
  });

  it('the text of an error in a resolver stays here', async () => {
    const { text } = await (await start())('{ broken }', await issuer.mint());
    expect([text.includes('secret'), JSON.parse(text).data]).toEqual([false, { broken: null }]);
  });
});
