// Calls on behalf of the caller of a request: the token of the caller is exchanged, and the new one
// is sent to the hosts that it is for, and to no others.
import { beforeEach, expect, it } from 'vitest';
import type { Exchange } from '../../src/exchange/exchange.ts';
import { createServiceFetch } from '../../src/signing/service-fetch.ts';
import { exchanging, formOf, issued, refusing, subjectOf } from '../exchange/token-servers.ts';
import { closing } from '../support/closing.ts';
import { configErrorOf, rejectionOf } from '../support/refusals.ts';
import { at, clock, FIRST, FRIENDS, put, redirecting, serve } from './service-tokens.ts';

const [ALICE, BOB] = [subjectOf('alice'), subjectOf('bob')];

type Server = Awaited<ReturnType<typeof exchanging>>['server'];
let exchange: Exchange;
let server: Server;
beforeEach(async () => {
  const made = await exchanging((asked) =>
    issued({ access_token: `for-${String(formOf(asked).subject_token).length}` }),
  );
  ({ exchange, server } = made);
});

/** What arrives of a call for alice. */
const OF_ALICE = `Bearer for-${ALICE.length}`;
const OF_BOB = `Bearer for-${BOB.length}`;

async function calling(allowHttp = false) {
  const invoices = await serve();
  const calls = closing(
    createServiceFetch({
      tokens: [{ exchange, audience: 'invoices', scope: ['read'], hosts: [invoices.host] }],
      allowHttp,
    }),
  );
  return { invoices, calls };
}

it('each caller has a token of its own, for the audience and scopes of the host', async () => {
  const { invoices, calls } = await calling();
  await calls.for(ALICE)(`${invoices.url}/a`);
  await calls.for(BOB)(`${invoices.url}/b`, { method: 'POST', body: 'hello' });
  await calls.for(ALICE)(new Request(`${invoices.url}/c`));
  expect(invoices.arrived.map(({ authorization }) => authorization)).toEqual([OF_ALICE, OF_BOB, OF_ALICE]);
  expect(server.asked.map(formOf)).toMatchObject([
    { subject_token: ALICE, audience: 'invoices', scope: 'read' },
    { subject_token: BOB, audience: 'invoices', scope: 'read' },
  ]);
  expect(JSON.stringify(invoices.arrived)).not.toContain(ALICE);
});

it('a call without a caller is not sent, and one with null neither', async () => {
  const { invoices, calls } = await calling();
  const error = await rejectionOf(calls.fetch(invoices.url));
  expect(error.message).toMatch(/expected the caller/);
  for (const missing of [null, undefined, ''])
    await expect(calls.for(missing as never)(invoices.url)).rejects.toThrow(TypeError);
  expect([...invoices.arrived, ...server.asked]).toEqual([]);
});

it('a call to another host has no token, and nothing is exchanged', async () => {
  const { calls } = await calling();
  const other = await serve();
  await calls.for(ALICE)(other.url);
  expect(other.arrived).toMatchObject([{ authorization: undefined }]);
  expect(server.asked).toEqual([]);
});

it('a redirect to another origin does not get the token', async () => {
  const { invoices, calls } = await calling();
  const other = await serve();
  await calls.for(ALICE)(`${invoices.url}${redirecting(`${other.url}/caught`, 307)}`);
  expect(other.arrived).toMatchObject([{ path: '/caught', authorization: undefined }]);
});

it('no token is sent over plain http to another machine', async () => {
  const calls = closing(createServiceFetch({ tokens: [{ exchange, hosts: ['invoices.internal'] }] }));
  const error = await rejectionOf(calls.for(ALICE)('http://invoices.internal/'));
  expect(error.message).toMatch(/expected https/);
  expect(server.asked).toEqual([]);
});

it('without a token for the caller, the call rejects with the refusal, and is not sent', async () => {
  const { invoices, calls } = await calling();
  server.says = refusing('invalid_grant');
  await expect(calls.for(ALICE)(invoices.url)).rejects.toMatchObject({
    code: 'exchange_refused',
    status: 403,
  });
  server.says = { status: 500 };
  await expect(calls.for(BOB)(invoices.url)).rejects.toMatchObject({
    code: 'exchange_unavailable',
    status: 503,
  });
  expect(invoices.arrived).toEqual([]);
});

it('a token that is not an access token is not sent', async () => {
  const made = await exchanging(
    issued({ token_type: 'N_A', issued_token_type: 'urn:ietf:params:oauth:token-type:jwt' }),
    { requestedTokenType: 'jwt' },
  );
  const invoices = await serve();
  const tokens = [{ exchange: made.exchange, hosts: [invoices.host] }];
  const calls = closing(createServiceFetch({ tokens }));
  expect((await rejectionOf(calls.for(ALICE)(invoices.url))).message).toMatch(/no access token/);
  expect(invoices.arrived).toEqual([]);
});

it('tokens in files stay those of the service, for every caller', async () => {
  await put('friends', FIRST);
  const [invoices, friends] = [await serve(), await serve()];
  const calls = closing(
    createServiceFetch({
      tokens: [
        { exchange, hosts: [invoices.host] },
        { file: at('friends'), audience: FRIENDS, hosts: [friends.host] },
      ],
      clock,
    }),
  );
  await calls.ready();
  await calls.for(ALICE)(friends.url);
  await calls.fetch(friends.url);
  await calls.for(ALICE)(invoices.url);
  expect(friends.arrived.map(({ authorization }) => authorization)).toEqual([
    `Bearer ${FIRST}`,
    `Bearer ${FIRST}`,
  ]);
  expect(invoices.arrived).toMatchObject([{ authorization: OF_ALICE }]);
});

it.each<[path: string, token: () => object]>([
  ['tokens[0].exchange', () => ({ exchange: {}, hosts: ['h'] })],
  ['tokens[0].file', () => ({ exchange, file: 'f', hosts: ['h'] })],
  ['tokens[0].subject', () => ({ exchange, subject: 'okera', hosts: ['h'] })],
  ['tokens[0].audience', () => ({ exchange, audience: null, hosts: ['h'] })],
  ['tokens[0].resource', () => ({ exchange, resource: 'invoices', hosts: ['h'] })],
  ['tokens[0].scope', () => ({ file: 'f', audience: null, scope: 'a', hosts: ['h'] })],
  ['tokens[0].hosts', () => ({ exchange })],
  ['tokens[0].hosts[0]', () => ({ exchange, hosts: ['*.internal'] })],
])('%s is refused at start', (path, token) => {
  expect(configErrorOf(() => createServiceFetch({ tokens: [token()] } as never))?.path).toBe(path);
});
