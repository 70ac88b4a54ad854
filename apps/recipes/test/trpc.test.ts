// docs/recipes/trpc.md: tRPC 11 over real HTTP, with its client.
import { createTRPCClient, httpBatchLink, TRPCClientError } from '@trpc/client';
import { describe, expect, it } from 'vitest';
import { createHandler, procedure, procedureFor, router } from '../src/trpc.ts';
import { badTokens, brokenGuards, issuer, serveFetch } from './support.ts';
import { guardOf } from './web.ts';

/** The inputs that reached a procedure with rules. */
const received: unknown[] = [];

const appRouter = router({
  me: procedure.query(({ ctx }) => ctx.auth.subject),
  order: procedureFor({ scope: 'orders:write' })
    .input((given: unknown) => given as { note: string })
    .mutation(({ ctx, input }) => {
      received.push(input);
      return ctx.auth.subject;
    }),
});

async function start(guard = guardOf()) {
  received.length = 0;
  const url = await serveFetch(createHandler(guard, appRouter, '/trpc'));
  const clientOf = (token?: string) =>
    createTRPCClient<typeof appRouter>({
      links: [
        httpBatchLink({
          url: `${url}/trpc`,
          headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        }),
      ],
    });
  return { url, clientOf };
}

/** The status of the answer to a call that fails, and the code of its error. */
async function failureOf(call: Promise<unknown>) {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof TRPCClientError)) throw new Error('expected a failure');
  const response = error.meta?.response as Response;
  return {
    status: response.status,
    code: error.message,
    challenge: response.headers.get('www-authenticate'),
  };
}

describe('docs/recipes/trpc.md', () => {
  it('a missing or bad token is a 401 with the challenge, for any procedure', async () => {
    const { clientOf, url } = await start();
    for (const call of [clientOf().me.query(), clientOf().order.mutate({ note: 'n' })])
      expect(await failureOf(call)).toMatchObject({ status: 401, challenge: 'Bearer' });
    for (const [token] of await badTokens())
      expect(await failureOf(clientOf(token).me.query())).toMatchObject({
        status: 401,
        challenge: expect.stringContaining('invalid_token'),
      });
    expect((await fetch(`${url}/trpc/none`)).status).toBe(401);
    expect(received).toEqual([]);
  });

  it('a procedure has rules: a 403', async () => {
    const { clientOf } = await start();
    const client = clientOf(await issuer.mint({ sub: 'alice' }));
    expect(await failureOf(client.order.mutate({ note: 'n' }))).toMatchObject({
      status: 403,
      code: 'scope_insufficient',
    });
    expect(received).toEqual([]);
    expect(await client.me.query()).toBe('alice');
  });

  it('a good token reaches the procedure, with the input as sent', async () => {
    const { clientOf } = await start();
    const client = clientOf(await issuer.mint({ sub: 'alice', scope: 'orders:write' }));
    expect(await client.order.mutate({ note: 'as sent' })).toBe('alice');
    expect(received).toEqual([{ note: 'as sent' }]);
  });

  it('an outage is a 503; a fault is a 500, and its text stays here', async () => {
    const token = await issuer.mint({ scope: 'orders:write' });
    issuer.fail({ kind: 'status', status: 500 });
    const { clientOf } = await start();
    expect(await failureOf(clientOf(token).me.query())).toMatchObject({ status: 503 });
    for (const guard of brokenGuards()) {
      const broken = await start(guard);
      await expect(broken.clientOf(token).order.mutate({ note: 'n' })).rejects.toThrow(TRPCClientError);
      const headers = { authorization: `Bearer ${token}` };
      const answer = await fetch(`${broken.url}/trpc/me`, { headers });
      expect([answer.status, (await answer.text()).includes('secret')]).toEqual([500, false]);
    }
    expect(received).toEqual([]);
  });
});
