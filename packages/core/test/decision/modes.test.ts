// Modes: the verdict on a request without a token, with a bad one, and with one that no keyset can
// judge at the moment.
import { createIssuer, forge, type TestIssuer } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuthenticationMode } from '../../src/decision/access.ts';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { refusalOf } from '../../src/decision/pipeline.ts';
import { isPrincipal } from '../../src/decision/principal.ts';
import { isAuthError } from '../../src/errors.ts';

const AUDIENCE = 'https://api.example.com';

let up: TestIssuer;
let down: TestIssuer;
const tokens: Record<string, string | undefined> = {};

beforeAll(async () => {
  up = await createIssuer({ audience: AUDIENCE });
  down = await createIssuer({ audience: AUDIENCE });
  down.fail({ kind: 'status', status: 500 });
  const now = Math.floor(Date.now() / 1000);
  Object.assign(tokens, {
    good: `Bearer ${await up.mint({ dept: 'IT' })}`,
    expired: `Bearer ${await up.mint({ iat: now - 900, exp: now - 600 })}`,
    'of another audience': `Bearer ${await up.mint({ aud: 'x' })}`,
    'of a stranger': `Bearer ${forge({
      header: { alg: 'ES256', kid: up.key.kid, typ: 'JWT' },
      payload: { iss: up.issuer, aud: AUDIENCE, sub: 'root', exp: now + 300 },
      signature: Buffer.alloc(64, 1),
    })}`,
    'no JWS': 'Bearer a.b.c',
    'no token after Bearer': 'Bearer',
    'without keys': `Bearer ${await down.mint()}`,
  });
});

afterAll(() => Promise.all([up.close(), down.close()]));

function create(options: Partial<AuthenticatorOptions> = {}) {
  return createAuthenticator({
    keySets: [up, down].map(({ issuer, jwksUrl }) => ({ issuer, jwksUrl, allowHttp: true })),
    audience: AUDIENCE,
    ...options,
  });
}

const requestOf = (kind: string) => {
  const authorization = tokens[kind];
  return authorization === undefined
    ? { method: 'GET', headers: {}, rawHeaders: [] }
    : { method: 'GET', headers: { authorization }, rawHeaders: ['Authorization', authorization] };
};

const BAD: readonly (readonly [string, string])[] = [
  ['expired', 'token_expired'],
  ['of another audience', 'token_audience_mismatch'],
  ['of a stranger', 'token_signature_invalid'],
  ['no JWS', 'token_malformed'],
  ['no token after Bearer', 'credentials_malformed'],
];

/** For each mode and request: `alice`, `anonymous` or the code of the refusal. */
const TABLE: readonly (readonly [AuthenticationMode | undefined, string, string])[] = [
  [undefined, 'no token', 'credentials_missing'],
  [undefined, 'good', 'alice'],
  [undefined, 'without keys', 'keyset_unavailable'],
  ['strict', 'no token', 'credentials_missing'],
  ['strict', 'good', 'alice'],
  ['strict', 'without keys', 'keyset_unavailable'],
  ['optional', 'no token', 'anonymous'],
  ['optional', 'good', 'alice'],
  ['optional', 'without keys', 'keyset_unavailable'],
  ['permissive', 'no token', 'anonymous'],
  ['permissive', 'good', 'alice'],
  ...BAD.flatMap(([kind, code]) => [
    [undefined, kind, code] as const,
    ['strict', kind, code] as const,
    ['optional', kind, code] as const,
    ['permissive', kind, 'anonymous'] as const,
  ]),
];

async function outcome(
  decision: Promise<{ subject: string | undefined } | undefined>,
): Promise<string | undefined> {
  try {
    const principal = await decision;
    return principal === undefined ? 'anonymous' : principal.subject;
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return error.code;
  }
}

describe('S36, T-079: modes', () => {
  it.each(TABLE)('S36, T-079: %s, %s: %s', async (mode, kind, expected) => {
    const authenticator = create(mode === undefined ? {} : { mode });
    expect(await outcome(authenticator.authenticate(requestOf(kind)))).toBe(expected);
    await authenticator.close();
  });

  const modes = ['strict', 'optional', 'permissive'] as const;
  it.each(
    TABLE.flatMap(([mode, kind, expected]) =>
      mode === undefined
        ? []
        : modes
            .filter((base) => TABLE.some(([candidate, what]) => candidate === base && what === kind))
            .map((base) => [base, mode, kind, expected] as const),
    ),
  )('S37, T-079: options say %s, the call says %s; %s: %s', async (base, mode, kind, expected) => {
    const authenticator = create({ mode: base });
    expect(await outcome(authenticator.authenticate(requestOf(kind), { mode }))).toBe(expected);
    // Said once, it counts for this call only.
    const own = TABLE.find(([candidate, what]) => candidate === base && what === kind)?.[2];
    expect(await outcome(authenticator.authenticate(requestOf(kind)))).toBe(own);
    await authenticator.close();
  });

  it.each(modes)('T-079: a mode says nothing to verify(): %s', async (mode) => {
    const authenticator = create({ mode });
    await expect(authenticator.verify('a.b.c')).rejects.toMatchObject({ code: 'token_malformed' });
    await expect(authenticator.verify('')).rejects.toMatchObject({ code: 'token_malformed' });
    await authenticator.close();
  });
});

describe('D9: permissive', () => {
  it.each(BAD)('D9: %s: no principal, and the reason on the side', async (kind, code) => {
    const authenticator = create({ mode: 'permissive', realm: 'friends' });
    const request = requestOf(kind);
    expect(await authenticator.authenticate(request)).toBeUndefined();
    const refusal = refusalOf(request);
    expect(refusal?.code).toBe(code);
    // Unverified claims are nowhere: not on the request, and not on the error.
    expect(Object.keys(request)).toEqual(['method', 'headers', 'rawHeaders']);
    expect(isPrincipal(refusal)).toBe(false);
    const told = JSON.stringify([
      refusal,
      refusal?.message,
      refusal?.detail,
      refusal?.headers,
      refusal?.cause,
    ]);
    // The detail may name the audience and the issuer of the options, but nothing of the token.
    for (const part of ['root', 'alice', ...(tokens[kind] ?? '').split(/[ .]/).slice(1)])
      if (part.length > 3) expect(told).not.toContain(part);
    await authenticator.close();
  });

  it('D9: refusalOf is undefined for good, anonymous, strict and unknown requests', async () => {
    const authenticator = create({ mode: 'permissive' });
    const [good, anonymous, strict] = [requestOf('good'), requestOf('no token'), requestOf('expired')];
    await authenticator.authenticate(good);
    await authenticator.authenticate(anonymous);
    await authenticator.authenticate(strict, { mode: 'strict' }).catch(() => undefined);
    expect([good, anonymous, strict, {}].map(refusalOf)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    await authenticator.close();
  });

  it('D9: what is no refusal passes on', async () => {
    const fault = new RangeError('no clock');
    let broken = false;
    const now = () => {
      if (broken) throw fault;
      return Date.now();
    };
    const authenticator = create({ mode: 'permissive', clock: { now } });
    broken = true;
    await expect(authenticator.authenticate(requestOf('good'))).rejects.toBe(fault);
    await authenticator.close();
  });

  it('D9: an issuer that the route does not want is a reason too', async () => {
    const authenticator = create({ mode: 'permissive' });
    const request = requestOf('good');
    expect(await authenticator.authenticate(request, { issuers: ['other'] })).toBeUndefined();
    expect(refusalOf(request)?.code).toBe('token_issuer_untrusted');
    await authenticator.close();
  });
});

describe('what a mode does not touch', () => {
  it('D9, T-114: permissive lets nothing pass that cannot be decided', async () => {
    const authenticator = createAuthenticator({
      keySets: [{ issuer: down.issuer, jwksUrl: down.jwksUrl, allowHttp: true }],
      audience: AUDIENCE,
      mode: 'permissive',
    });
    const token = await down.mint();
    const request = { headers: { authorization: `Bearer ${token}` }, rawHeaders: [] };
    await expect(authenticator.authenticate(request)).rejects.toMatchObject({ code: 'keyset_unavailable' });
    expect(refusalOf(request)).toBeUndefined();
    await authenticator.close();
  });

  it('D9: refusalOf forgets, once the same request is good', async () => {
    const authenticator = createAuthenticator({
      keySets: [{ issuer: up.issuer, jwksUrl: up.jwksUrl, allowHttp: true }],
      audience: AUDIENCE,
      mode: 'permissive',
    });
    const request = { headers: { authorization: 'Bearer a.b.c' }, rawHeaders: [] };
    expect(await authenticator.authenticate(request)).toBeUndefined();
    expect(refusalOf(request)?.code).toBe('token_malformed');
    request.headers.authorization = String(tokens.good);
    expect(await authenticator.authenticate(request)).toBeDefined();
    expect(refusalOf(request)).toBeUndefined();
    await authenticator.close();
  });
});
