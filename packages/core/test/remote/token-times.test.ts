// A JWT that a remote endpoint has accepted: its own exp, nbf, iss and aud restrict it, whatever
// the endpoint answers.
import { createServer } from 'node:http';
import { createClock, forge } from '@latchkey/testing';
import { afterEach, expect, it } from 'vitest';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import { isAuthError } from '../../src/errors.ts';
import type { JsonObject } from '../../src/values/json.ts';
import { listen } from '../support/servers.ts';

const NOW = 1_700_000_000;

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const BEFORE = '401 token_not_yet_valid';
const AFTER = '401 token_expired';

it.each<readonly [about: string, token: JsonObject, answer: JsonObject, expected: string]>([
  ['nbf of the token', { nbf: NOW + 60 }, {}, BEFORE],
  ['nbf of the answer', {}, { nbf: NOW + 60 }, BEFORE],
  ['nbf of the token, later than that of the answer', { nbf: NOW + 60 }, { nbf: NOW - 60 }, BEFORE],
  ['nbf of the answer, later than that of the token', { nbf: NOW - 60 }, { nbf: NOW + 60 }, BEFORE],
  ['nbf in the past in both', { nbf: NOW - 60 }, { nbf: NOW - 61 }, 'accepted'],
  ['nbf within the leeway', { nbf: NOW + 5 }, {}, 'accepted'],
  ['nbf that is not a number', { nbf: 'soon' }, {}, '401 token_claims_invalid'],
  ['exp of the token', { exp: NOW - 60 }, { exp: NOW + 60 }, AFTER],
  ['exp of the answer', { exp: NOW + 60 }, { exp: NOW - 60 }, AFTER],
  ['exp in the future in both', { exp: NOW + 60 }, { exp: NOW + 61 }, 'accepted'],
  ['aud of the token', { aud: 'another' }, { aud: 'us' }, '401 token_audience_mismatch'],
  ['aud of the answer', { aud: 'us' }, { aud: 'another' }, '401 token_audience_mismatch'],
  ['aud in both', { aud: ['us', 'b'] }, { aud: 'us' }, 'accepted'],
  ['iss of the token', { iss: 'b' }, { iss: 'a' }, '401 token_issuer_untrusted'],
  ['iss of the answer', { iss: 'a' }, { iss: 'b' }, '401 token_issuer_untrusted'],
  ['iss in both', { iss: 'a' }, { iss: 'a' }, 'accepted'],
])('is judged by %s', async (_, token, answer, expected) => {
  const clock = createClock(NOW * 1000);
  const server = createServer((_request, response) => {
    response
      .setHeader('content-type', 'application/json')
      .end(JSON.stringify({ sub: 'alice', iss: 'a', ...answer }));
  });
  const url = `http://127.0.0.1:${await listen(server)}/`;
  const authenticator = createAuthenticator({
    keySets: [],
    audience: 'us',
    issuers: ['a'],
    clock,
    remote: { url, cacheFor: '1m' },
  });
  closers.push(authenticator.close);
  const jwt = forge({ header: { alg: 'RS256' }, payload: token, signature: Buffer.from('signature') });
  const verdict = () =>
    authenticator.verify(jwt).then(
      () => 'accepted',
      (error: unknown) => (isAuthError(error) ? `${error.status} ${error.code}` : String(error)),
    );
  expect(await verdict()).toBe(expected);
  // Also where the answer was cached.
  expect(await verdict()).toBe(expected);
});
