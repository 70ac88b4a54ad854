// onRefusal: sees each refused request once, and changes nothing. And the line that logs show.
import { inspect } from 'node:util';
import { createIssuer } from '@latchkey/testing';
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import {
  authorizeRequest,
  compileAccess,
  compileRules,
  decide,
  prepareAuthentication,
} from '../../src/adapter/index.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { AuthError, ConfigError } from '../../src/errors.ts';
import { createAuthenticator, requireAny } from '../../src/index.ts';

afterEach(() => vi.restoreAllMocks());

const ASKED = compileAccess({});

async function start(options: Partial<AuthenticatorOptions>) {
  const issuer = await createIssuer();
  onTestFinished(() => issuer.close());
  const authenticator = createAuthenticator({
    keySets: [{ issuer: issuer.issuer, jwks: issuer.jwks }],
    audience: null,
    ...options,
  });
  onTestFinished(() => authenticator.close());
  return { issuer, authenticator };
}

const requestWith = (authorization?: string) => ({
  method: 'GET',
  url: '/friends',
  headers: authorization === undefined ? {} : { authorization },
  rawHeaders: authorization === undefined ? [] : ['Authorization', authorization],
});

it('is called for a refused request, and not for an accepted one', async () => {
  const onRefusal = vi.fn();
  const { issuer, authenticator } = await start({ onRefusal });
  const good = requestWith(`Bearer ${await issuer.mint()}`);
  expect(await decide(authenticator, good, ASKED)).toMatchObject({ ok: true });
  const bad = requestWith();
  expect(await decide(authenticator, bad, ASKED)).toMatchObject({ ok: false });
  expect(onRefusal.mock.calls).toEqual([[expect.objectContaining({ code: 'credentials_missing' }), bad]]);
});

it('is called for the rules of a route that are judged later', async () => {
  const onRefusal = vi.fn();
  const { issuer, authenticator } = await start({ onRefusal });
  const request = requestWith(`Bearer ${await issuer.mint()}`);
  const decision = await decide(authenticator, request, ASKED);
  if (!decision.ok) throw new Error('expected a principal');
  const rules = compileRules({ dept: 'IT' });
  expect(() => authorizeRequest(request, decision.principal as never, rules)).toThrow(AuthError);
  await Promise.resolve();
  expect(onRefusal.mock.calls).toEqual([[expect.objectContaining({ code: 'claims_insufficient' }), request]]);
});

it('is not called where one of several tokens is accepted', async () => {
  const onRefusal = vi.fn();
  const { authenticator: first } = await start({ onRefusal });
  const { issuer, authenticator: second } = await start({});
  const { authenticator } = prepareAuthentication(requireAny({ first, second }));
  await decide(authenticator, requestWith(`Bearer ${await issuer.mint()}`), ASKED);
  expect(onRefusal).not.toHaveBeenCalled();
  await decide(authenticator, requestWith(), ASKED);
  expect(onRefusal).toHaveBeenCalledOnce();
});

it.each<[title: string, onRefusal: AuthenticatorOptions['onRefusal']]>([
  [
    'throws',
    () => {
      throw new Error('no disk');
    },
  ],
  ['rejects', async () => Promise.reject(new Error('no disk'))],
])('a hook that %s changes no decision, and is a warning once', async (_, onRefusal) => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const { authenticator } = await start({ ...(onRefusal && { onRefusal }) });
  for (let asked = 0; asked < 3; asked++)
    expect(await decide(authenticator, requestWith(), ASKED)).toMatchObject({
      error: { code: 'credentials_missing' },
    });
  await new Promise((resolve) => setImmediate(resolve));
  expect(warned.mock.calls.map(([text]) => text)).toEqual([
    'onRefusal failed: no disk; requests are refused all the same',
  ]);
});

it('is refused at start if it is not a function', () => {
  expect(() => createAuthenticator({ keySets: [], audience: null, onRefusal: 'log' } as never)).toThrow(
    'onRefusal: expected a function',
  );
});

it('a refusal is one line in a log, with its detail and causes', () => {
  const cause = new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 127.0.0.1:1') });
  const refusal = new AuthError('keyset_unavailable', { detail: 'keySets[0]: no usable keys', cause });
  expect(inspect(refusal)).toBe(
    'AuthError keyset_unavailable 503: keySets[0]: no usable keys: connect ECONNREFUSED 127.0.0.1:1',
  );
  expect(inspect(new AuthError('credentials_missing'))).toBe('AuthError credentials_missing 401');
  expect(inspect(new AuthError('token_expired', { detail: 'a\nb' }))).not.toContain('\n');
});

it('a ConfigError shows its message once', () => {
  const error = new ConfigError('keySets[0].issuer', 'expected a URL');
  expect(Object.keys(error)).toEqual([]);
  expect(inspect(error).split('keySets[0].issuer')).toHaveLength(2);
});
