// Options of token exchange that cannot be right: refused at start, by their path.
import { expect, it } from 'vitest';
import { createExchange } from '../../src/exchange/exchange.ts';
import { createMemoryStore } from '../../src/secrets/store.ts';
import { configErrorOf } from '../support/refusals.ts';
import { CLIENT, exchanging } from './token-servers.ts';

const secrets = createMemoryStore();
const tokenEndpoint = 'https://login.example.com/token';
const GOOD = { tokenEndpoint, clientAuthentication: CLIENT, secrets };
const signer = { sign: async () => '' };
const OTHER = { tokenEndpoint: 'https://chat.example.com/token', clientAuthentication: CLIENT };

it.each<[path: string, options: object, problem: RegExp]>([
  ['tokenEndpoint', { clientAuthentication: CLIENT, secrets }, /required without issuer/],
  ['tokenEndpoint', { ...GOOD, tokenEndpoint: 'http://login.example.com/token' }, /must be https/],
  ['tokenEndpoint', { ...GOOD, tokenEndpoint: 'https://me:pw@login.example.com/' }, /credentials/],
  ['issuer', { ...GOOD, issuer: 'http://login.example.com' }, /must be https/],
  ['issuer', { ...GOOD, issuer: 'login' }, /expected a URL/],
  ['clientAuthentication', { tokenEndpoint }, /expected an object/],
  ['clientAuthentication.secret', { tokenEndpoint, clientAuthentication: CLIENT }, /pass one in secrets/],
  ['clientAuthentication.method', with_({ method: 'none' }), /expected 'client_secret_basic' or/],
  ['clientAuthentication.secret', with_({ method: 'client_secret_post', clientId: 'a' }), /is required/],
  ['clientAuthentication.signer', with_({ method: 'private_key_jwt', clientId: 'a' }), /is required/],
  [
    'clientAuthentication.signer',
    with_({ method: 'private_key_jwt', clientId: 'a', signer: {} }),
    /createSigner/,
  ],
  ['clientAuthentication.secret', with_({ ...CLIENT, method: 'unsafeNone' }), /not allowed/],
  ['clientAuthentication.signer', with_({ ...CLIENT, signer }), /not allowed/],
  ['clientAuthentication.audience', with_({ ...CLIENT, audience: 'a' }), /not allowed/],
  ['parameters.subject_token', { ...GOOD, parameters: { subject_token: 'a' } }, /set by the exchange/],
  ['parameters.client_id', { ...GOOD, parameters: { client_id: 'a' } }, /set by the exchange/],
  ['resource', { ...GOOD, resource: 'invoices' }, /absolute URI/],
  ['resource[1]', { ...GOOD, resource: ['a:b', 'https://api.example.com/#a'] }, /without #/],
  ['scope', { ...GOOD, scope: '' }, /not empty/],
  ['subjectTokenType', { ...GOOD, subjectTokenType: 'access' }, /access_token, refresh_token/],
  ['requestedTokenType', { ...GOOD, requestedTokenType: 'bearer' }, /or a URI/],
  ['actor.token', { ...GOOD, actor: { token: 'a token' } }, /a function/],
  ['grant', { ...GOOD, grant: 'implicit' }, /'token-exchange' or 'jwt-bearer'/],
  ['subjectTokenType', { ...GOOD, grant: 'jwt-bearer', subjectTokenType: 'jwt' }, /only with grant/],
  ['actor', { ...GOOD, grant: 'jwt-bearer', actor: { token: () => '' } }, /only with grant/],
  [
    'resourceAuthorizationServer',
    { ...GOOD, grant: 'jwt-bearer', resourceAuthorizationServer: OTHER },
    /only with/,
  ],
  ['audience', { ...GOOD, resourceAuthorizationServer: OTHER }, /expected one issuer/],
  [
    'requestedTokenType',
    { ...GOOD, audience: 'a', requestedTokenType: 'jwt', resourceAuthorizationServer: OTHER },
    /not allowed next to/,
  ],
  [
    'actor',
    { ...GOOD, audience: 'a', actor: { token: () => '' }, resourceAuthorizationServer: OTHER },
    /not allowed next to/,
  ],
  [
    'resourceAuthorizationServer.tokenEndpoint',
    { ...GOOD, resourceAuthorizationServer: { clientAuthentication: CLIENT } },
    /required without issuer/,
  ],
  ['cacheEntries', { ...GOOD, cacheEntries: 0 }, /1 to 100000/],
  ['timeout', { ...GOOD, timeout: '31s' }, /1ms to 30s/],
  ['secret', { ...GOOD, secret: 'a' }, /unknown option/],
])('%s: %o', (path, options, problem) => {
  const error = configErrorOf(() => createExchange(options as never));
  expect(error?.path).toBe(path);
  expect(error?.problem).toMatch(problem);
});

function with_(clientAuthentication: object) {
  return { ...GOOD, clientAuthentication };
}

it.each<[path: string, target: object]>([
  ['target.resource', { resource: 'invoices' }],
  ['target.scopes', { scopes: ['a'] }],
  ['target.audience', { audience: undefined }],
])('%s of a call is refused, and nothing is sent', async (path, target) => {
  const { server, exchange } = await exchanging();
  await expect(exchange.tokenFor('token', target as never)).rejects.toMatchObject({ path });
  expect(server.asked).toEqual([]);
});
