// createAuthenticator() as a whole: its life, the order of its checks, and that neither one issuer
// nor one token harms another.
import { execFile } from 'node:child_process';
import { sign } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createIssuer, forge, generateSigningKey, type SigningKey, type TestIssuer } from '@latchkey/testing';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { compileRules } from '../../src/claims/compile.ts';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { ConfigError, isAuthError } from '../../src/errors.ts';
import type { KeysetOptions } from '../../src/keysets/options.ts';
import type { JsonValue } from '../../src/values/json.ts';

const AUDIENCE = 'https://api.example.com';

const issuers: TestIssuer[] = [];
const authenticators: Authenticator[] = [];
const servers: Server[] = [];

afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(authenticators.splice(0).map((authenticator) => authenticator.close()));
  await Promise.all(issuers.splice(0).map((issuer) => issuer.close()));
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function start(options?: Parameters<typeof createIssuer>[0]): Promise<TestIssuer> {
  const issuer = await createIssuer({ audience: AUDIENCE, ...options });
  issuers.push(issuer);
  return issuer;
}

function create(
  keySets: readonly KeysetOptions[],
  options: Partial<Omit<AuthenticatorOptions, 'keySets'>> = {},
): Authenticator {
  const authenticator = createAuthenticator({ keySets, audience: AUDIENCE, ...options });
  authenticators.push(authenticator);
  return authenticator;
}

function fetched(
  { issuer, jwksUrl }: TestIssuer,
  options: { readonly skipValidation?: boolean } = {},
): KeysetOptions {
  return { issuer, jwksUrl, allowHttp: true, ...options };
}

/** What came of it: `accepted`, or the code of the refusal. */
async function outcome(decision: Promise<unknown>): Promise<string> {
  try {
    await decision;
    return 'accepted';
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return error.code;
  }
}

/** A token that claims a key of this kid, signed by nobody. */
function unsigned(iss: string, kid: string): string {
  return forge({
    header: { alg: 'ES256', kid, typ: 'JWT' },
    payload: { iss, aud: AUDIENCE, sub: 'mallory', exp: 4_000_000_000 },
    signature: Buffer.alloc(64, 1),
  });
}

describe('verify()', () => {
  it('resolves with the principal', async () => {
    const issuer = await start();
    const authenticator = create([fetched(issuer)]);
    const token = await issuer.mint({ scope: 'a b', groups: ['staff'], dept: 'IT' });
    const principal = await authenticator.verify(token);
    expect(principal).toMatchObject({
      issuer: issuer.issuer,
      subject: 'alice',
      scopes: ['a', 'b'],
      groups: ['staff'],
      claims: { dept: 'IT' },
    });
    expect(Object.isFrozen(principal.claims)).toBe(true);
  });

  it.each<[rules: { readonly [claim: string]: string | readonly string[] }, result: string]>([
    [{}, 'accepted'],
    [{ dept: 'IT' }, 'accepted'],
    [{ dept: 'HR' }, 'claims_insufficient'],
    [{ roles: ['admin', 'dev'] }, 'accepted'],
    [{ roles: ['admin', 'root'] }, 'claims_insufficient'],
    [{ scope: 'friends:read' }, 'accepted'],
    [{ scope: 'friends:write' }, 'scope_insufficient'],
    [{ absent: 'x' }, 'claims_insufficient'],
    [{ dept: 'IT', scope: 'friends:write' }, 'scope_insufficient'],
  ])('authorizes by the rules %j: %s', async (rules, result) => {
    const issuer = await start();
    const authenticator = create([fetched(issuer)]);
    const token = await issuer.mint({ dept: 'IT', roles: ['dev', 'admin'], scope: 'friends:read me' });
    expect(await outcome(authenticator.verify(token, rules))).toBe(result);
    expect(await outcome(authenticator.verify(token, compileRules(rules)))).toBe(result);
  });

  it('does not carry one verdict on rules to the next call', async () => {
    const issuer = await start();
    const authenticator = create([fetched(issuer)]);
    const token = await issuer.mint({ dept: 'IT' });
    const seen: string[] = [];
    for (const dept of ['IT', 'HR', 'IT', 'HR'])
      seen.push(await outcome(authenticator.verify(token, { dept })));
    expect(seen).toEqual(['accepted', 'claims_insufficient', 'accepted', 'claims_insufficient']);
  });

  it('judges the rules for every token as part of the token', async () => {
    const issuer = await start();
    const authenticator = create([fetched(issuer)], { claims: { dept: 'IT' } });
    expect(await outcome(authenticator.verify(await issuer.mint({ dept: 'IT' })))).toBe('accepted');
    expect(await outcome(authenticator.verify(await issuer.mint({ dept: 'HR' })))).toBe(
      'token_claims_invalid',
    );
    expect(await outcome(authenticator.verify(await issuer.mint()))).toBe('token_claims_invalid');
  });

  it('rejects rules that are none with a ConfigError, before it looks at the token', async () => {
    const issuer = await start();
    const authenticator = create([fetched(issuer)]);
    await expect(authenticator.verify('junk', { dept: { typo: 1 } } as never)).rejects.toBeInstanceOf(
      ConfigError,
    );
    expect(issuer.requests.jwks).toBe(0);
  });

  it.each([undefined, null, 5, {}, ['a.b.c'], Buffer.from('a.b.c'), { toString: () => 'a.b.c' }])(
    'refuses %j, which is not a string',
    async (token) => {
      const issuer = await start();
      expect(await outcome(create([fetched(issuer)]).verify(token as never))).toBe('token_malformed');
    },
  );

  it('names the realm in the challenge', async () => {
    const issuer = await start();
    const authenticator = create([fetched(issuer)], { realm: 'friends' });
    const error = await authenticator.verify('junk').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'token_malformed',
      headers: { 'WWW-Authenticate': expect.stringContaining('realm="friends"') },
    });
    const denied = await authenticator
      .verify(await issuer.mint(), { dept: 'IT' })
      .catch((thrown: unknown) => thrown);
    expect(denied).toMatchObject({
      code: 'claims_insufficient',
      headers: { 'WWW-Authenticate': expect.stringContaining('realm="friends"') },
    });
  });
});

describe('authenticate()', () => {
  const request = (authorization?: string) => ({
    headers: authorization === undefined ? {} : { authorization },
    rawHeaders: authorization === undefined ? [] : ['Authorization', authorization],
  });

  it.each([
    ['strict', 'credentials_missing'],
    ['optional', 'accepted'],
  ] as const)('mode %s: a request without a token: %s', async (mode, result) => {
    const issuer = await start();
    const authenticator = create([fetched(issuer)], { mode });
    expect(await outcome(authenticator.authenticate(request()))).toBe(result);
    expect(await outcome(authenticator.authenticate(request('Basic YTpi')))).toBe(result);
    expect(issuer.requests.jwks).toBe(0);
  });

  it.each(['strict', 'optional'] as const)(
    'mode %s: a bad token is refused, a good one is not',
    async (mode) => {
      const issuer = await start();
      const authenticator = create([fetched(issuer)], { mode });
      expect(await outcome(authenticator.authenticate(request('Bearer a.b.c')))).toBe('token_malformed');
      expect(await outcome(authenticator.authenticate(request('Bearer ')))).toBe('credentials_malformed');
      const expired = await issuer.mint({ iat: 1_000, exp: 2_000 });
      expect(await outcome(authenticator.authenticate(request(`Bearer ${expired}`)))).toBe('token_expired');
      const principal = await authenticator.authenticate(request(`bearer ${await issuer.mint()}`));
      expect(principal?.subject).toBe('alice');
    },
  );

  it('an anonymous request has no principal', async () => {
    const authenticator = create([fetched(await start())], { mode: 'optional' });
    expect(await authenticator.authenticate(request())).toBeUndefined();
  });
});

describe('ready() and report()', () => {
  it('ready() reads every keyset once; nothing is read before', async () => {
    const [one, two] = [await start(), await start()];
    const authenticator = create([
      fetched(one),
      { issuer: two.issuer, useOidcDiscovery: true, allowHttp: true },
      { issuer: 'https://inline.example', jwks: one.jwks },
    ]);
    expect([one.requests, two.requests]).toEqual([
      { metadata: 0, jwks: 0 },
      { metadata: 0, jwks: 0 },
    ]);
    expect(authenticator.report().keysets.map(({ state }) => state)).toEqual(['empty', 'empty', 'fresh']);
    await authenticator.ready();
    await authenticator.ready();
    expect([one.requests, two.requests]).toEqual([
      { metadata: 0, jwks: 1 },
      { metadata: 1, jwks: 1 },
    ]);
    expect(authenticator.report().keysets).toEqual([
      {
        keyset: 'keySets[0]',
        issuer: one.issuer,
        source: one.jwksUrl,
        state: 'fresh',
        kids: [one.key.kid],
        ageMs: expect.any(Number),
        failures: 0,
      },
      {
        keyset: 'keySets[1]',
        issuer: two.issuer,
        source: 'oidc-discovery',
        state: 'fresh',
        kids: [two.key.kid],
        ageMs: expect.any(Number),
        failures: 0,
      },
      {
        keyset: 'keySets[2]',
        issuer: 'https://inline.example',
        source: 'jwks',
        state: 'fresh',
        kids: [one.key.kid],
        ageMs: expect.any(Number),
        failures: 0,
      },
    ]);
  });

  it('ready() rejects with what keeps a keyset from having keys, and the others go on', async () => {
    const [good, bad] = [await start(), await start()];
    bad.fail({ kind: 'status', status: 500 });
    const authenticator = create([fetched(good), fetched(bad)]);
    await expect(authenticator.ready()).rejects.toMatchObject({
      code: 'keyset_unavailable',
      cause: { message: 'answered with status 500' },
    });
    expect(authenticator.report().keysets.map(({ failures }) => failures)).toEqual([0, 1]);
    expect(await outcome(authenticator.verify(await good.mint()))).toBe('accepted');
    expect(await outcome(authenticator.verify(await bad.mint()))).toBe('keyset_unavailable');
  });

  it('AK-18: skipValidation: ready() does not wait for this keyset, and does not ask it', async () => {
    const [good, bad] = [await start(), await start()];
    bad.fail({ kind: 'hang' });
    const authenticator = create([fetched(good), fetched(bad, { skipValidation: true })]);
    await authenticator.ready();
    expect(bad.requests.jwks).toBe(0);
    // Its tokens are not skipped.
    bad.fail({ kind: 'status', status: 500 });
    expect(await outcome(authenticator.verify(await bad.mint()))).toBe('keyset_unavailable');
    bad.fail();
    expect(await outcome(authenticator.verify(unsigned(bad.issuer, bad.key.kid)))).not.toBe('accepted');
  });

  it('AK-18: skipValidation: false is no skipping', async () => {
    const bad = await start();
    bad.fail({ kind: 'reset' });
    await expect(create([fetched(bad, { skipValidation: false })]).ready()).rejects.toMatchObject({
      code: 'keyset_unavailable',
    });
  });

  it('report() holds no key material', async () => {
    const issuer = await start();
    const authenticator = create([fetched(issuer), { issuer: 'https://inline.example', jwks: issuer.jwks }]);
    await authenticator.ready();
    const text = JSON.stringify(authenticator.report());
    expect(text).toContain(issuer.key.kid);
    for (const name of ['x', 'y']) expect(text).not.toContain(issuer.key.publicJwk[name]);
  });
});

describe('close()', () => {
  it('R19: lets go of the connections', async () => {
    const issuer = await start();
    let closed = () => {};
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    let connections = 0;
    const server = createServer((_, response) => void response.end(JSON.stringify(issuer.jwks)));
    server.on('connection', (socket) => {
      connections++;
      socket.on('close', closed);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const authenticator = create([{ issuer: issuer.issuer, jwksUrl, allowHttp: true }]);
    await authenticator.verify(await issuer.mint());
    await authenticator.close();
    await gone;
    expect(connections).toBe(1);
  });

  it('R19: ends what is waiting, with 503', async () => {
    const issuer = await start();
    issuer.fail({ kind: 'hang' });
    const authenticator = create([fetched(issuer)]);
    const waiting = outcome(authenticator.verify(await issuer.mint()));
    const ready = outcome(authenticator.ready());
    await authenticator.close();
    expect(await waiting).toBe('keyset_unavailable');
    expect(await ready).toBe('keyset_unavailable');
  });

  it('R19: nothing is asked for afterwards', async () => {
    const issuer = await start();
    const authenticator = create([fetched(issuer)]);
    await authenticator.ready();
    await authenticator.close();
    await authenticator.close();
    expect(await outcome(authenticator.verify(unsigned(issuer.issuer, 'unknown')))).toBe(
      'keyset_unavailable',
    );
    expect(issuer.requests.jwks).toBe(1);
  });

  it('R19, T-134: a process that does not call it ends by itself all the same', async () => {
    const issuer = await start();
    const failing = await start();
    failing.fail({ kind: 'reset' });
    const script = `
      import { createAuthenticator } from ${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)};
      const authenticator = createAuthenticator({ audience: null, keySets: [
        { issuer: 'one', jwksUrl: ${JSON.stringify(issuer.jwksUrl)}, allowHttp: true },
        { issuer: 'other', jwksUrl: ${JSON.stringify(failing.jwksUrl)}, allowHttp: true },
      ] });
      const outcome = await authenticator.ready().catch(({ code }) => code);
      console.log(outcome, JSON.stringify(authenticator.report().keysets.map(({ state }) => state)));
    `;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        '--conditions=source',
        '--input-type=module',
        '--eval',
        script,
      ],
      { cwd: fileURLToPath(new URL('..', import.meta.url)), timeout: 15_000 },
    );
    expect(stdout.trim()).toMatch(/^keyset_unavailable \["(?:fresh|empty)","empty"\]$/);
  });
});

describe('one issuer does not harm another', () => {
  it('T-115, R12: the tokens of one are verified while the other hangs', async () => {
    const [hanging, healthy] = [await start(), await start()];
    hanging.fail({ kind: 'hang' });
    const authenticator = create([fetched(hanging), fetched(healthy)]);
    let settled = false;
    const waiting = outcome(authenticator.verify(await hanging.mint())).finally(() => {
      settled = true;
    });
    for (let request = 0; request < 100; request++) {
      expect((await authenticator.verify(await healthy.mint())).issuer).toBe(healthy.issuer);
    }
    expect(settled).toBe(false);
    expect(hanging.requests.jwks).toBe(1);
    await authenticator.close();
    expect(await waiting).toBe('keyset_unavailable');
  });

  it('T-115: an unknown kid at a hanging issuer keeps no known kid waiting', async () => {
    const issuer = await start();
    const authenticator = create([fetched(issuer)]);
    await authenticator.verify(await issuer.mint());
    issuer.fail({ kind: 'hang' });
    let settled = false;
    const unknown = outcome(authenticator.verify(unsigned(issuer.issuer, 'unknown'))).finally(() => {
      settled = true;
    });
    for (let request = 0; request < 100; request++) {
      expect((await authenticator.verify(await issuer.mint())).subject).toBe('alice');
    }
    expect(settled).toBe(false);
    await authenticator.close();
    expect(await unknown).toBe('keyset_unavailable');
  });
});

describe('a flood of kids', () => {
  const flood = (authenticator: Authenticator, iss: string, size: number) =>
    Promise.all(
      Array.from({ length: size }, (_, index) =>
        outcome(authenticator.verify(unsigned(iss, `random-${index}`))),
      ),
    );

  it('T-110: causes one request per 10 s, and valid tokens pass', async () => {
    const issuer = await start();
    vi.useFakeTimers({ toFake: ['performance'] });
    const authenticator = create([fetched(issuer)]);
    const token = await issuer.mint();
    await authenticator.verify(token);
    for (let round = 1; round <= 3; round++) {
      for (let wave = 0; wave < 4; wave++) {
        const [refused, accepted] = await Promise.all([
          flood(authenticator, issuer.issuer, 500),
          outcome(authenticator.verify(token)),
        ]);
        expect(new Set(refused)).toEqual(new Set(['token_key_unknown']));
        expect(accepted).toBe('accepted');
        expect(issuer.requests.jwks).toBe(1 + round);
        vi.advanceTimersByTime(2_499);
      }
      vi.advanceTimersByTime(4);
    }
  });

  it('T-110, T-111, R7: the same while the source fails, and the keys at hand stay', async () => {
    const issuer = await start();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const authenticator = create([fetched(issuer)]);
    const token = await issuer.mint();
    await authenticator.verify(token);
    issuer.fail({ kind: 'status', status: 500 });
    for (let wave = 0; wave < 5; wave++) {
      // The source may have a key by now that it cannot tell of.
      expect(new Set(await flood(authenticator, issuer.issuer, 500))).toEqual(
        new Set(['keyset_unavailable']),
      );
      expect(await outcome(authenticator.verify(token))).toBe('accepted');
    }
    expect(issuer.requests.jwks).toBe(2);
  });

  it('T-110: is not what a bad signature under a known kid is: that causes no request', async () => {
    const issuer = await start();
    const authenticator = create([fetched(issuer)]);
    await authenticator.ready();
    expect(await outcome(authenticator.verify(unsigned(issuer.issuer, issuer.key.kid)))).toBe(
      'token_signature_invalid',
    );
    expect(issuer.requests.jwks).toBe(1);
  });

  it('T-110: at a source that never worked is refused with 503, with one request', async () => {
    const issuer = await start();
    issuer.fail({ kind: 'reset' });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const authenticator = create([fetched(issuer)]);
    for (let wave = 0; wave < 3; wave++) {
      expect(new Set(await flood(authenticator, issuer.issuer, 500))).toEqual(
        new Set(['keyset_unavailable']),
      );
    }
    expect(issuer.requests.jwks).toBe(1);
  });

  it.each([
    ['a number', 5],
    ['an array', ['k']],
    ['an object', {}],
    ['null', null],
    ['empty', ''],
    ['257 characters', 'k'.repeat(257)],
  ])('T-039: a kid that is %s causes none', async (_, kid) => {
    const issuer = await start();
    const authenticator = create([fetched(issuer)]);
    const token = forge({
      header: { alg: 'ES256', kid },
      payload: { iss: issuer.issuer, aud: AUDIENCE, exp: 4_000_000_000 },
      signature: Buffer.alloc(64, 1),
    });
    expect(await outcome(authenticator.verify(token))).toBe('token_malformed');
    expect(issuer.requests.jwks).toBe(0);
  });
});

describe('a key that left its set', () => {
  it('R3, T-130: verifies nothing any more, neither new tokens nor those that it verified before', async () => {
    const issuer = await start();
    const authenticator = create([fetched(issuer)]);
    const old = await issuer.mint();
    expect(await outcome(authenticator.verify(old))).toBe('accepted');
    await issuer.rotate({ keepOld: false });
    // The first token of the new key brings the new set.
    expect(await outcome(authenticator.verify(await issuer.mint()))).toBe('accepted');
    expect(await outcome(authenticator.verify(old))).toBe('token_key_unknown');
    expect(issuer.requests.jwks).toBe(2);
  });

  it('R1: one that is still published goes on', async () => {
    const issuer = await start();
    const authenticator = create([fetched(issuer)]);
    const old = await issuer.mint();
    await authenticator.verify(old);
    await issuer.rotate();
    expect(await outcome(authenticator.verify(await issuer.mint()))).toBe('accepted');
    expect(await outcome(authenticator.verify(old))).toBe('accepted');
  });

  it('T-123: an empty set withdraws all: 401, not 503', async () => {
    const issuer = await start();
    const authenticator = create([fetched(issuer)]);
    const token = await issuer.mint();
    await authenticator.verify(token);
    issuer.publish([]);
    await authenticator.verify(unsigned(issuer.issuer, 'unknown')).catch(() => {});
    expect(await outcome(authenticator.verify(token))).toBe('token_key_unknown');
  });
});

describe('keys and addresses that a token brings along', () => {
  let attacker: SigningKey;

  beforeAll(async () => {
    attacker = await generateSigningKey('ES256', 'attacker');
  });

  function signedBy(key: SigningKey, header: object, iss: string): string {
    return forge({
      header: { alg: 'ES256', ...header },
      payload: { iss, aud: AUDIENCE, sub: 'mallory', exp: 4_000_000_000 },
      signature: (input) => sign('sha256', input, { key: key.privateKey, dsaEncoding: 'ieee-p1363' }),
    });
  }

  it.each([
    ['a kid of ours', (ours: SigningKey) => ({ kid: ours.kid }), 'token_signature_invalid'],
    ['a kid of its own', () => ({ kid: 'attacker' }), 'token_key_unknown'],
    ['no kid', () => ({}), 'token_signature_invalid'],
  ] as const)('T-036: a jwk in the header with %s is ignored', async (_, header, result) => {
    const issuer = await start();
    const authenticator = create([fetched(issuer)]);
    const brought = { ...header(issuer.key), jwk: attacker.publicJwk };
    expect(await outcome(authenticator.verify(signedBy(attacker, brought, issuer.issuer)))).toBe(result);
  });

  it('T-036: a jwk in the header does not spoil a good token', async () => {
    const issuer = await start();
    const authenticator = create([fetched(issuer)]);
    const token = signedBy(issuer.key, { kid: issuer.key.kid, jwk: attacker.publicJwk }, issuer.issuer);
    expect(await outcome(authenticator.verify(token))).toBe('accepted');
  });

  it('T-037, T-038: jku, x5u and x5c are never followed', async () => {
    const issuer = await start();
    let connections = 0;
    const server = createServer(
      (_, response) => void response.end(JSON.stringify({ keys: [attacker.publicJwk] })),
    );
    server.on('connection', () => connections++);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
    const authenticator = create([fetched(issuer)]);
    for (const brought of [{ jku: url }, { x5u: url }, { jku: url, x5u: url, x5c: ['MIIB'], x5t: 'AA' }]) {
      for (const kid of ['attacker', issuer.key.kid, undefined]) {
        const token = signedBy(attacker, { ...brought, ...(kid && { kid }) }, issuer.issuer);
        expect(await outcome(authenticator.verify(token))).toMatch(
          /^token_(?:key_unknown|signature_invalid)$/,
        );
      }
    }
    expect(connections).toBe(0);
    // It does answer: it is the tokens that do not lead there.
    await fetch(url);
    expect(connections).toBe(1);
  });
});

describe('the order of checks (design §5)', () => {
  interface Draft {
    header: Record<string, JsonValue>;
    claims: Record<string, JsonValue>;
    signer: SigningKey;
    tail: string;
  }

  interface Defect {
    readonly name: string;
    readonly code: string;
    /** Tells apart what has the same code. */
    readonly detail?: string;
    readonly spoil: (draft: Draft) => void;
  }

  const NOW = 1_800_000_000;
  let known: SigningKey;
  let stranger: SigningKey;

  beforeAll(async () => {
    known = await generateSigningKey('ES256', 'known');
    stranger = await generateSigningKey('ES256', 'known');
  });

  const DEFECTS: readonly Defect[] = [
    {
      name: 'size',
      code: 'token_malformed',
      detail: 'the token is too long',
      spoil: ({ claims }) => {
        claims.padding = 'x'.repeat(8192);
      },
    },
    {
      name: 'form',
      code: 'token_malformed',
      detail: 'not three base64url segments',
      spoil: (draft) => {
        draft.tail = '.AA';
      },
    },
    {
      name: 'JOSE header',
      code: 'token_malformed',
      detail: 'the header parameter crit is not supported',
      spoil: ({ header }) => {
        header.crit = ['exp'];
      },
    },
    {
      name: 'typ',
      code: 'token_type_refused',
      spoil: ({ header }) => {
        header.typ = 'logout+jwt';
      },
    },
    {
      name: 'issuer',
      code: 'token_issuer_untrusted',
      spoil: ({ claims }) => {
        claims.iss = 'https://unknown.example';
      },
    },
    {
      name: 'key',
      code: 'token_key_unknown',
      spoil: ({ header }) => {
        header.kid = 'unknown';
      },
    },
    {
      name: 'signature',
      code: 'token_signature_invalid',
      spoil: (draft) => {
        draft.signer = stranger;
      },
    },
    {
      name: 'exp',
      code: 'token_expired',
      spoil: ({ claims }) => {
        claims.exp = NOW - 60;
      },
    },
    {
      name: 'nbf',
      code: 'token_not_yet_valid',
      spoil: ({ claims }) => {
        claims.nbf = NOW + 60;
      },
    },
    {
      name: 'iat',
      code: 'token_not_yet_valid',
      detail: 'iat is in the future',
      spoil: ({ claims }) => {
        claims.iat = NOW + 120;
      },
    },
    {
      name: 'audience',
      code: 'token_audience_mismatch',
      spoil: ({ claims }) => {
        claims.aud = 'https://other.example.com';
      },
    },
    {
      name: 'rules for every token',
      code: 'token_claims_invalid',
      detail: 'the rule on dept does not hold',
      spoil: ({ claims }) => {
        claims.dept = 'HR';
      },
    },
    {
      name: 'rules of the route',
      code: 'claims_insufficient',
      spoil: ({ claims }) => {
        claims.level = 1;
      },
    },
  ];

  function present(...defects: readonly Defect[]): Promise<unknown> {
    const draft: Draft = {
      header: { alg: 'ES256', kid: 'known', typ: 'JWT' },
      claims: {
        iss: 'https://issuer.example',
        aud: AUDIENCE,
        sub: 'alice',
        iat: NOW,
        exp: NOW + 300,
        dept: 'IT',
        level: 4,
      },
      signer: known,
      tail: '',
    };
    for (const { spoil } of defects) spoil(draft);
    const token = forge({
      header: draft.header,
      payload: draft.claims,
      signature: (input) =>
        sign('sha256', input, { key: draft.signer.privateKey, dsaEncoding: 'ieee-p1363' }),
    });
    const authenticator = create([{ issuer: 'https://issuer.example', jwks: { keys: [known.publicJwk] } }], {
      claims: { dept: 'IT' },
      clock: { now: () => NOW * 1000 },
    });
    return authenticator.verify(token + draft.tail, { level: 4 });
  }

  it('a token without a defect is accepted', async () => {
    expect(await outcome(present())).toBe('accepted');
  });

  it.each(
    DEFECTS.flatMap((first, index) =>
      [first, ...DEFECTS.slice(index + 1)].map((second) => ({
        first,
        second,
        title: `${first.name} < ${second.name}`,
      })),
    ),
  )('$title', async ({ first, second }) => {
    // Spoilt in either order: what counts is not which was done last.
    const error = await present(second, first).catch((thrown: unknown) => thrown);
    if (!isAuthError(error)) throw new Error('was not refused');
    expect(error.code).toBe(first.code);
    if (first.detail !== undefined) expect(error.detail).toBe(first.detail);
  });
});
