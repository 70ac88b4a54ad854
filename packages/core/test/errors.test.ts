// The two errors: the whole table of refusals, written out again, and what of an error goes where.
import { describe, expect, it } from 'vitest';
import {
  AuthError,
  type AuthErrorCode,
  authErrorCodes,
  ConfigError,
  fromCaller,
  isAuthError,
} from '../src/errors.ts';

// Status, OAuth error, challenge or not, message.
const TABLE: readonly (readonly [AuthErrorCode, number, string | undefined, boolean, string])[] = [
  ['credentials_missing', 401, undefined, true, 'A bearer token is required'],
  ['credentials_malformed', 400, 'invalid_request', true, 'The credentials are malformed'],
  ['credentials_ambiguous', 400, 'invalid_request', true, 'More than one credential was presented'],
  ['token_malformed', 401, 'invalid_token', true, 'The token is malformed'],
  [
    'token_algorithm_refused',
    401,
    'invalid_token',
    true,
    'The token is signed with an algorithm that is not accepted',
  ],
  ['token_type_refused', 401, 'invalid_token', true, 'The token is of a type that is not accepted'],
  ['token_issuer_untrusted', 401, 'invalid_token', true, 'The token is from an issuer that is not trusted'],
  ['token_key_unknown', 401, 'invalid_token', true, 'The token is signed with a key that is not known'],
  ['token_signature_invalid', 401, 'invalid_token', true, 'The signature of the token is not valid'],
  ['token_audience_mismatch', 401, 'invalid_token', true, 'The token is for another audience'],
  ['token_expired', 401, 'invalid_token', true, 'The token has expired'],
  ['token_not_yet_valid', 401, 'invalid_token', true, 'The token is not valid yet'],
  ['token_claims_invalid', 401, 'invalid_token', true, 'The claims of the token are not acceptable'],
  ['token_rejected', 401, 'invalid_token', true, 'The token was rejected'],
  ['token_binding_mismatch', 401, 'invalid_token', true, 'The token is not bound to the key of the sender'],
  ['proof_invalid', 401, 'invalid_dpop_proof', true, 'The proof of possession is not valid'],
  [
    'proof_nonce_required',
    401,
    'use_dpop_nonce',
    true,
    'The proof of possession needs a nonce of the service',
  ],
  ['token_revoked', 401, 'invalid_token', true, 'The token has been revoked'],
  ['scope_insufficient', 403, 'insufficient_scope', true, 'The token lacks a scope that this request needs'],
  ['claims_insufficient', 403, undefined, true, 'The token lacks a claim that this request needs'],
  [
    'authentication_insufficient',
    401,
    'insufficient_user_authentication',
    true,
    'A stronger or more recent authentication of the user is required',
  ],
  ['origin_refused', 403, undefined, false, 'The request came from another origin'],
  ['transport_insecure', 403, undefined, false, 'The request must come by https'],
  ['keyset_unavailable', 503, undefined, false, 'The token cannot be checked at the moment'],
  ['remote_unavailable', 503, undefined, false, 'The token cannot be checked at the moment'],
  ['groups_unavailable', 503, undefined, false, 'The token cannot be checked at the moment'],
  ['replay_unavailable', 503, undefined, false, 'The token cannot be checked at the moment'],
  ['revocation_unavailable', 503, undefined, false, 'The token cannot be checked at the moment'],
  ['exchange_refused', 403, undefined, true, 'The service may not act for the caller in this request'],
  ['exchange_unavailable', 503, undefined, false, 'The service cannot act for the caller at the moment'],
];

const SECRET = 'canary-5f1d7c';
const loaded = (code: AuthErrorCode) => new AuthError(code, { detail: SECRET, cause: new Error(SECRET) });

describe('the table', () => {
  it('T-087: has exactly these codes', () => {
    expect(authErrorCodes).toEqual(TABLE.map(([code]) => code));
    expect(Object.isFrozen(authErrorCodes)).toBe(true);
  });

  it.each(TABLE)('RFC 6750 §3.1: %s is %i %s', (code, status, error, hasChallenge, message) => {
    const refusal = new AuthError(code);
    expect(refusal.code).toBe(code);
    expect(refusal.status).toBe(status);
    expect(refusal.statusCode).toBe(status);
    expect(refusal.message).toBe(message);
    expect(refusal.name).toBe('AuthError');
    expect(refusal.expose).toBe(true);
    expect(refusal).toBeInstanceOf(Error);
    // RFC 9449 §7.1: these are errors of the scheme DPoP.
    const scheme = ['proof_invalid', 'proof_nonce_required'].includes(code) ? 'DPoP' : 'Bearer';
    const challenge =
      error === undefined ? scheme : `${scheme} error="${error}", error_description="${message}"`;
    expect(refusal.headers).toEqual({
      'Cache-Control': 'no-store',
      ...(hasChallenge ? { 'WWW-Authenticate': challenge } : {}),
      ...(status === 503 ? { 'Retry-After': '5' } : {}),
    });
    expect(Object.isFrozen(refusal.headers)).toBe(true);
  });

  it.each(TABLE)('T-086: the message of %s is ASCII that needs no quoting', (code) => {
    expect(new AuthError(code).message).toMatch(/^[A-Za-z ]+$/);
  });

  it.each(TABLE)(
    'T-087: detail and cause of %s reach the log and no client',
    (code, status, _error, _challenge, message) => {
      const refusal = loaded(code);
      expect(refusal.detail).toBe(SECRET);
      expect((refusal.cause as Error).message).toBe(SECRET);
      expect(refusal.toJSON()).toEqual({ code, status, message });
      expect(JSON.stringify(refusal)).not.toContain(SECRET);
      expect(JSON.stringify({ error: refusal })).not.toContain(SECRET);
      expect(JSON.stringify(refusal.headers)).not.toContain(SECRET);
      expect(`${refusal.message} ${refusal} ${refusal.stack}`).not.toContain(SECRET);
    },
  );

  it.each([
    ['A0: the request has no token', /^credentials_missing$/, 401],
    ['A1: the credentials cannot be read, or there are several', /^credentials_(?:malf|ambig)/, 400],
    ['A2: the token is not good', /^(?:token|proof)_/, 401],
    ['A3: the token is not enough', /^(?:scope_insufficient|claims_insufficient|origin_refused)$/, 403],
    ['A4: the token cannot be judged', /^(?:keyset|remote|groups|replay|revocation)_unavailable$/, 503],
  ])('%s', (_, codes, status) => {
    const these = authErrorCodes.filter((code) => codes.test(code));
    expect(these.length).toBeGreaterThan(0);
    expect(these.map((code) => new AuthError(code).status)).toEqual(these.map(() => status));
  });

  it.each(TABLE)('T-087: all answers to %s are the same, whatever is behind them', (code) => {
    expect(JSON.stringify(loaded(code))).toBe(JSON.stringify(new AuthError(code)));
    expect(loaded(code).headers).toEqual(new AuthError(code).headers);
  });

  it('T-087: an error without detail and cause has none', () => {
    const refusal = new AuthError('token_expired');
    expect(refusal.detail).toBeUndefined();
    expect('cause' in refusal).toBe(false);
  });
});

describe('the stack', () => {
  it.each(TABLE)('T-087: %s holds no frames', (code) => {
    expect(new AuthError(code).stack ?? '').not.toMatch(/\n\s+at /);
    expect(loaded(code).withChallenge({ realm: 'api' }).stack ?? '').not.toMatch(/\n\s+at /);
  });

  it('T-087: other errors keep theirs', () => {
    const limit = Error.stackTraceLimit;
    expect(new AuthError('token_expired').code).toBe('token_expired');
    expect(Error.stackTraceLimit).toBe(limit);
    expect(new Error('x').stack).toMatch(/\n\s+at /);
    expect(new ConfigError('a', 'b').stack).toMatch(/\n\s+at /);
  });
});

describe('the stack of a ConfigError', () => {
  const own = (line: number) =>
    `    at read (file:///app/node_modules/.pnpm/a/node_modules/@latchkey/core/dist/a.js:${line}:1)`;
  const mine = '    at file:///app/service.js:3:7';
  const nodes = '    at ModuleJob.run (node:internal/modules/esm/module_job:377:25)';

  it('C25: begins with the code of the application', () => {
    const stack = ['ConfigError: a: b', own(1), own(2), mine, own(3), nodes].join('\n');
    expect(fromCaller(stack, 10)).toBe(['ConfigError: a: b', mine, own(3), nodes].join('\n'));
    expect(fromCaller(stack, 1)).toBe(['ConfigError: a: b', mine].join('\n'));
    expect(fromCaller(stack, 0)).toBe('ConfigError: a: b');
  });

  it('C25: stays as it is where only this package runs', () => {
    const stack = ['ConfigError: a: b', '  on two lines', own(1), own(2)].join('\n');
    expect(fromCaller(stack, 10)).toBe(stack);
  });

  it('C25: keeps the limit of the application', () => {
    const limit = Error.stackTraceLimit;
    const frames = (error: Error) => error.stack?.match(/^\s+at /gm)?.length ?? 0;
    expect(frames(new ConfigError('a', 'b'))).toBeLessThanOrEqual(limit);
    Error.stackTraceLimit = 2;
    expect(frames(new ConfigError('a', 'b'))).toBe(2);
    expect(Error.stackTraceLimit).toBe(2);
    Error.stackTraceLimit = limit;
  });
});

describe('the realm', () => {
  it.each(TABLE)(
    'RFC 9110 §11.5: withChallenge gives the challenge of %s the realm, and changes nothing else',
    (code) => {
      const before = loaded(code);
      const after = before.withChallenge({ realm: 'api' });
      expect(after).not.toBe(before);
      expect(isAuthError(after)).toBe(true);
      expect(after.code).toBe(code);
      expect([after.status, after.message, after.detail, after.cause]).toEqual([
        before.status,
        before.message,
        before.detail,
        before.cause,
      ]);
      expect(before.headers['WWW-Authenticate'] ?? '').not.toContain('realm');
      const challenge = before.headers['WWW-Authenticate'];
      expect(after.headers).toEqual(
        challenge === undefined
          ? before.headers
          : {
              ...before.headers,
              'WWW-Authenticate':
                challenge === 'Bearer' ? 'Bearer realm="api"' : challenge.replace(' ', ' realm="api", '),
            },
      );
    },
  );

  it('RFC 6750 §3: withChallenge keeps the scope and the seconds', () => {
    expect(
      new AuthError('scope_insufficient', { scope: 'a b' }).withChallenge({ realm: 'api' }).headers[
        'WWW-Authenticate'
      ],
    ).toBe(
      'Bearer realm="api", error="insufficient_scope", ' +
        'error_description="The token lacks a scope that this request needs", scope="a b"',
    );
    expect(
      new AuthError('keyset_unavailable', { retryAfterSeconds: 30 }).withChallenge({ realm: 'api' }).headers[
        'Retry-After'
      ],
    ).toBe('30');
  });

  it('RFC 9110 §11.5: the last realm is the one', () => {
    const refusal = new AuthError('credentials_missing', { realm: 'first' });
    expect(refusal.headers['WWW-Authenticate']).toBe('Bearer realm="first"');
    expect(refusal.withChallenge({ realm: 'second' }).headers['WWW-Authenticate']).toBe(
      'Bearer realm="second"',
    );
  });
});

describe('Retry-After', () => {
  it.each([
    [undefined, '5'],
    [1, '1'],
    [30, '30'],
    [0, '1'],
    [-5, '1'],
    [0.2, '1'],
    [1.01, '2'],
  ])('RFC 9110 §10.2.3: %d seconds are written %s', (retryAfterSeconds, written) => {
    for (const code of ['keyset_unavailable', 'remote_unavailable', 'groups_unavailable'] as const) {
      expect(new AuthError(code, { retryAfterSeconds }).headers['Retry-After']).toBe(written);
    }
  });

  it('RFC 9110 §10.2.3: is on no other answer', () => {
    expect(new AuthError('token_expired', { retryAfterSeconds: 30 }).headers['Retry-After']).toBeUndefined();
  });
});

describe('isAuthError', () => {
  it('T-087: knows one that another copy of this package made', () => {
    class Foreign extends Error {
      get [Symbol.for('@latchkey/AuthError')](): true {
        return true;
      }
    }
    expect(isAuthError(new Foreign('x'))).toBe(true);
    expect(isAuthError(new AuthError('token_expired'))).toBe(true);
  });

  it('T-087: knows one of another copy of this very file', async () => {
    const url = new URL('../src/errors.ts?copy', import.meta.url).href;
    const copy = (await import(/* @vite-ignore */ url)) as typeof import('../src/errors.ts');
    const foreign = new copy.AuthError('token_expired');
    expect(foreign).toBeInstanceOf(AuthError);
    expect(isAuthError(foreign)).toBe(true);
    expect(copy.isAuthError(new AuthError('token_expired'))).toBe(true);
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['false', false],
    ['a string', 'AuthError'],
    ['an Error', new Error('x')],
    ['a ConfigError', new ConfigError('a', 'b')],
    ['a look-alike', { name: 'AuthError', code: 'token_expired', status: 401, statusCode: 401, headers: {} }],
    ['what came through JSON', JSON.parse(JSON.stringify(new AuthError('token_expired')))],
    ['an object with a like symbol', { [Symbol('@latchkey/AuthError')]: true }],
  ])('T-087: does not know %s', (_, value) => {
    expect(isAuthError(value)).toBe(false);
  });
});

describe('ConfigError', () => {
  it('T-056: names the path and the problem', () => {
    const cause = new Error('x');
    const error = new ConfigError('keySets[1].jwksUrl', 'must be https', { cause });
    expect(error.name).toBe('ConfigError');
    expect(error.path).toBe('keySets[1].jwksUrl');
    expect(error.message).toBe('keySets[1].jwksUrl: must be https');
    expect(error.cause).toBe(cause);
    expect(error).toBeInstanceOf(Error);
    expect(isAuthError(error)).toBe(false);
  });
});
