// createAuthenticator() as a whole: verify(), authenticate(), ready(), report() and close().
// Hostile tokens and issuers are in authenticator-harm.test.ts.
import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { compileRules } from '../../src/claims/compile.ts';
import { ConfigError } from '../../src/errors.ts';
import { outcome } from '../support/outcome.ts';
import { runProgram, sourceModule } from '../support/program.ts';
import { listen } from '../support/servers.ts';
import { ask, create, fetched, start, trusting, unsigned } from './issuers.ts';

describe('verify()', () => {
  it('resolves with the principal', async () => {
    const { issuer, authenticator } = await trusting();
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
    const { issuer, authenticator } = await trusting();
    const token = await issuer.mint({ dept: 'IT', roles: ['dev', 'admin'], scope: 'friends:read me' });
    expect(await ask(authenticator, token, rules)).toBe(result);
    expect(await ask(authenticator, token, compileRules(rules))).toBe(result);
  });

  it('does not carry one verdict on rules to the next call', async () => {
    const { issuer, authenticator } = await trusting();
    const token = await issuer.mint({ dept: 'IT' });
    const seen: string[] = [];
    for (const dept of ['IT', 'HR', 'IT', 'HR']) seen.push(await ask(authenticator, token, { dept }));
    expect(seen).toEqual(['accepted', 'claims_insufficient', 'accepted', 'claims_insufficient']);
  });

  it('judges the rules for every token as part of the token', async () => {
    const { issuer, authenticator } = await trusting({ claims: { dept: 'IT' } });
    expect(await ask(authenticator, await issuer.mint({ dept: 'IT' }))).toBe('accepted');
    expect(await ask(authenticator, await issuer.mint({ dept: 'HR' }))).toBe('token_claims_invalid');
    expect(await ask(authenticator, await issuer.mint())).toBe('token_claims_invalid');
  });

  it('rejects invalid rules with a ConfigError, before it reads the token', async () => {
    const { issuer, authenticator } = await trusting();
    await expect(authenticator.verify('junk', { dept: { typo: 1 } } as never)).rejects.toBeInstanceOf(
      ConfigError,
    );
    expect(issuer.requests.jwks).toBe(0);
  });

  it.each([undefined, null, 5, {}, ['a.b.c'], Buffer.from('a.b.c'), { toString: () => 'a.b.c' }])(
    'refuses %j, which is not a string',
    async (token) => {
      const { authenticator } = await trusting();
      expect(await ask(authenticator, token as never)).toBe('token_malformed');
    },
  );

  it('names the realm in the challenge', async () => {
    const { issuer, authenticator } = await trusting({ realm: 'friends' });
    const headers = { 'WWW-Authenticate': expect.stringContaining('realm="friends"') };
    await expect(authenticator.verify('junk')).rejects.toMatchObject({ code: 'token_malformed', headers });
    const denied = authenticator.verify(await issuer.mint(), { dept: 'IT' });
    await expect(denied).rejects.toMatchObject({ code: 'claims_insufficient', headers });
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
    const { issuer, authenticator } = await trusting({ mode });
    expect(await outcome(authenticator.authenticate(request()))).toBe(result);
    expect(await outcome(authenticator.authenticate(request('Basic YTpi')))).toBe(result);
    expect(issuer.requests.jwks).toBe(0);
  });

  it.each(['strict', 'optional'] as const)(
    'mode %s: a bad token is refused, a good one is not',
    async (mode) => {
      const { issuer, authenticator } = await trusting({ mode });
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
  it('ready() reads every keyset once, and not before', async () => {
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
    expect(authenticator.report().keysets.map(({ state }) => state)).toEqual(['idle', 'idle', 'fresh']);
    await authenticator.ready();
    await authenticator.ready();
    expect([one.requests, two.requests]).toEqual([
      { metadata: 0, jwks: 1 },
      { metadata: 1, jwks: 1 },
    ]);
    const fresh = {
      state: 'fresh',
      skipped: [],
      ageMs: expect.any(Number),
      failures: 0,
      lastError: undefined,
      nextAttemptInMs: expect.any(Number),
    };
    const [kids, otherKids] = [[one.key.kid], [two.key.kid]];
    expect(authenticator.report().keysets).toEqual([
      { ...fresh, keyset: 'keySets[0]', issuer: one.issuer, source: one.jwksUrl, kids },
      { ...fresh, keyset: 'keySets[1]', issuer: two.issuer, source: 'oidc-discovery', kids: otherKids },
      {
        ...fresh,
        keyset: 'keySets[2]',
        issuer: 'https://inline.example',
        source: 'jwks',
        kids,
        nextAttemptInMs: undefined,
      },
    ]);
  });

  it('ready() rejects with the failure of a keyset, and the others work', async () => {
    const [good, bad] = [await start(), await start()];
    bad.fail({ kind: 'status', status: 500 });
    const authenticator = create([fetched(good), fetched(bad)]);
    await expect(authenticator.ready()).rejects.toMatchObject({
      code: 'keyset_unavailable',
      cause: { message: 'answered with status 500' },
    });
    expect(authenticator.report().keysets.map(({ failures }) => failures)).toEqual([0, 1]);
    expect(await ask(authenticator, await good.mint())).toBe('accepted');
    expect(await ask(authenticator, await bad.mint())).toBe('keyset_unavailable');
  });

  it('AK-18: skipValidation: ready() does not read this keyset', async () => {
    const [good, bad] = [await start(), await start()];
    bad.fail({ kind: 'hang' });
    const authenticator = create([fetched(good), fetched(bad, { skipValidation: true })]);
    await authenticator.ready();
    expect(bad.requests.jwks).toBe(0);
    // Its tokens are verified.
    bad.fail({ kind: 'status', status: 500 });
    expect(await ask(authenticator, await bad.mint())).toBe('keyset_unavailable');
    bad.fail();
    expect(await ask(authenticator, unsigned(bad.issuer, bad.key.kid))).not.toBe('accepted');
  });

  it('AK-18: skipValidation: false is the default', async () => {
    const bad = await start();
    bad.fail({ kind: 'reset' });
    await expect(create([fetched(bad, { skipValidation: false })]).ready()).rejects.toMatchObject({
      code: 'keyset_unavailable',
    });
  });

  it('report() has no key material', async () => {
    const issuer = await start();
    const authenticator = create([fetched(issuer), { issuer: 'https://inline.example', jwks: issuer.jwks }]);
    await authenticator.ready();
    const text = JSON.stringify(authenticator.report());
    expect(text).toContain(issuer.key.kid);
    for (const name of ['x', 'y']) expect(text).not.toContain(issuer.key.publicJwk[name]);
  });
});

describe('close()', () => {
  it('R19: closes the connections', async () => {
    const issuer = await start();
    const gone = Promise.withResolvers<void>();
    let connections = 0;
    const server = createServer((_, response) => void response.end(JSON.stringify(issuer.jwks)));
    server.on('connection', (socket) => {
      connections++;
      socket.on('close', gone.resolve);
    });
    const jwksUrl = `http://127.0.0.1:${await listen(server)}/`;
    const authenticator = create([{ issuer: issuer.issuer, jwksUrl, allowHttp: true }]);
    await authenticator.verify(await issuer.mint());
    await authenticator.close();
    await gone.promise;
    expect(connections).toBe(1);
  });

  it('R19: ends calls that wait, with 503', async () => {
    const { issuer, authenticator } = await trusting();
    issuer.fail({ kind: 'hang' });
    const waiting = ask(authenticator, await issuer.mint());
    const ready = authenticator.ready().catch(({ code }) => code);
    await authenticator.close();
    expect(await waiting).toBe('keyset_unavailable');
    expect(await ready).toBe('keyset_unavailable');
  });

  it('R19: no request is made after it', async () => {
    const { issuer, authenticator } = await trusting();
    await authenticator.ready();
    await authenticator.close();
    await authenticator.close();
    expect(await ask(authenticator, unsigned(issuer.issuer, 'unknown'))).toBe('keyset_unavailable');
    expect(issuer.requests.jwks).toBe(1);
  });

  // 20 s: the test starts a process.
  it('R19, T-134: a process that does not call it ends too', { timeout: 20_000 }, async () => {
    const issuer = await start();
    const failing = await start();
    failing.fail({ kind: 'reset' });
    const script = `
      import { createAuthenticator } from ${sourceModule('index.ts')};
      const authenticator = createAuthenticator({ audience: null, keySets: [
        { issuer: 'one', jwksUrl: ${JSON.stringify(issuer.jwksUrl)}, allowHttp: true },
        { issuer: 'other', jwksUrl: ${JSON.stringify(failing.jwksUrl)}, allowHttp: true },
      ] });
      const outcome = await authenticator.ready().catch(({ code }) => code);
      console.log(outcome, JSON.stringify(authenticator.report().keysets.map(({ state }) => state)));
    `;
    expect((await runProgram(script)).stdout).toMatch(/^keyset_unavailable \["(?:fresh|empty)","empty"\]\n$/);
  });
});
