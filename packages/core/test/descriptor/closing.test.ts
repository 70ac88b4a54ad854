// Changes that close something, and changes that open something, while not all is well: what is
// closed is closed at once, and what is opened is opened whole or not at all. Files and key servers
// are real.
import { open, rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createIssuer, generateSigningKey, mint, type SigningKey, type TestIssuer } from '@latchkey/testing';
import { afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { stringify } from 'yaml';
import {
  AuthError,
  authorize,
  createAuthenticator,
  type DescribedAuthenticator,
  type DescriptorOptions,
  fromRequest,
  route,
  whenExpired,
} from '../../src/index.ts';
import { closing, temporaryFolder } from '../support/closing.ts';
import { listen } from '../support/servers.ts';

type Block = Readonly<Record<string, unknown>>;

let key: SigningKey;
let other: SigningKey;
let directory: string;
let file: string;
let issuer: TestIssuer;
let down: TestIssuer;

beforeAll(async () => {
  [key, other] = await Promise.all([
    generateSigningKey('ES256', 'one'),
    generateSigningKey('ES256', 'other'),
  ]);
});

beforeEach(async () => {
  directory = await temporaryFolder();
  file = join(directory, 'service.yaml');
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  [issuer, down] = await Promise.all([createIssuer({ audience: 'me' }), createIssuer({ audience: 'me' })]);
  down.fail({ kind: 'status', status: 500 });
});

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await Promise.all([issuer.close(), down.close()]);
});

const inline = (by: SigningKey, iss = 'i') => ({ issuer: iss, jwks: { keys: [by.publicJwk] } });
const fetched = (from: TestIssuer, more: Block = {}) => ({
  issuer: from.issuer,
  jwksUrl: from.jwksUrl,
  allowHttp: true,
  ...more,
});
const blockOf = (jwt: Block) => ({ service: { jwt: { keySets: [inline(key)], audience: 'me', ...jwt } } });
const json = (jwt: Block) => JSON.stringify(blockOf(jwt), null, 2);
const yaml = (jwt: Block) => stringify(blockOf(jwt), { aliasDuplicateObjects: false });
type MintClaims = Parameters<typeof mint>[1];
const tokenOf = (by: SigningKey, claims: MintClaims = {}) =>
  mint(by, { iss: 'i', aud: 'me', sub: 'alice', exp: Math.floor(Date.now() / 1000) + 300, ...claims });

async function replaceBy(text: string): Promise<void> {
  await writeFile(`${file}.next`, text);
  await rename(`${file}.next`, file);
}

async function start(text: string, more: Partial<DescriptorOptions> = {}): Promise<DescribedAuthenticator> {
  await writeFile(file, text);
  const made = createAuthenticator({ descriptor: file, ...more });
  closing(made);
  await made.ready();
  return made;
}

const codeOf = (outcome: Promise<unknown>) =>
  outcome.then(
    () => 'good',
    (error: { readonly code?: string }) => error.code ?? String(error),
  );
const requestOf = (token?: string) => ({
  headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  rawHeaders: [],
});

/** A rule on `sub` by a schema, which is the application's code. */
const schemaOf = (validate: () => never) =>
  ({ sub: { '~standard': { version: 1, vendor: 'test', validate } } }) as const;

/**
 * Changes the file, with a new keyset in it whose server is down, and looks: that cannot be
 * applied.
 */
async function changeWhileDown(authenticator: DescribedAuthenticator, jwt: Block): Promise<void> {
  const keySets = [...((jwt.keySets as readonly unknown[] | undefined) ?? [inline(key)]), fetched(down)];
  await replaceBy(json({ ...jwt, keySets }));
  expect(await codeOf(authenticator.reload())).toBe('keyset_unavailable');
  expect(authenticator.report().descriptor.state).toBe('refused');
}

describe('while the server of another keyset is down, at once', () => {
  it('an issuer that is taken out is not trusted any more, and the others are', async () => {
    const authenticator = await start(json({ keySets: [inline(key), inline(other, 'o')] }));
    const [kept, gone] = [await tokenOf(key), await tokenOf(other, { iss: 'o' })];
    for (let time = 0; time < 3; time++) expect(await codeOf(authenticator.verify(gone))).toBe('good');
    await changeWhileDown(authenticator, {});
    for (let time = 0; time < 3; time++) {
      expect(await codeOf(authenticator.verify(gone))).toBe('token_issuer_untrusted');
      expect(await codeOf(authenticator.authenticate(requestOf(gone)))).toBe('token_issuer_untrusted');
      expect(await codeOf(authenticator.verify(kept))).toBe('good');
    }
    expect(await authenticator.explain(gone)).toMatchObject({ code: 'token_issuer_untrusted' });
  });

  it.each<[title: string, before: Block, after: () => Block, claims: MintClaims, code: string]>([
    [
      'a rule for every token',
      {},
      () => ({ claims: { dept: 'IT' } }),
      { dept: 'HR' },
      'token_claims_invalid',
    ],
    ['another audience', { audience: ['me', 'you'] }, () => ({}), { aud: 'you' }, 'token_audience_mismatch'],
    ['a typ', {}, () => ({ typ: 'at+jwt' }), {}, 'token_type_refused'],
    ['an age', {}, () => ({ maxTokenAge: '1m' }), { iat: 1_700_000_000 }, 'token_expired'],
    ['a key that is taken out of a list', {}, () => ({ keySets: [inline(other)] }), {}, 'token_key_unknown'],
  ])('%s is asked', async (_, before, after, claims, code) => {
    const authenticator = await start(json(before));
    const [bad, worse] = [await tokenOf(key, claims), await tokenOf(other, { iss: 'o' })];
    expect(await codeOf(authenticator.verify(bad))).toBe('good');
    await changeWhileDown(authenticator, after());
    expect(await codeOf(authenticator.verify(bad))).toBe(code);
    expect(await codeOf(authenticator.authenticate(requestOf(bad)))).toBe(code);
    expect(await codeOf(authenticator.verify(worse))).not.toBe('good');
  });

  it('a rule of a named route is asked, also of a principal that is judged later', async () => {
    const routes = (role: string) => ({ routes: { admin: { claims: { role } } } });
    const authenticator = await start(json(routes('admin')));
    const token = await tokenOf(key, { role: 'admin' });
    await changeWhileDown(authenticator, routes('root'));
    const access = { claims: route('admin') };
    expect(await codeOf(authenticator.authenticate(requestOf(token), access))).toBe('claims_insufficient');
    const principal = await authenticator.verify(token);
    expect(() => authorize(principal, route('admin'))).toThrow(
      expect.objectContaining({ code: 'claims_insufficient' }),
    );
    expect(() => authorize(principal, { role: 'admin' })).not.toThrow();
  });

  it('what a caller opens ends by the shorter age', async () => {
    const clock = { now: () => Date.now() };
    const authenticator = await start(json({ maxTokenAge: '1h' }), { clock });
    const [now, ended] = [Math.floor(Date.now() / 1000), vi.fn()];
    const token = await tokenOf(key, { iat: now, exp: now + 7200 });
    await changeWhileDown(authenticator, { maxTokenAge: '1m' });
    const principal = await authenticator.verify(token);
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
    whenExpired(principal, ended);
    vi.advanceTimersByTime(61_000);
    expect(ended).toHaveBeenCalledTimes(1);
  });

  it('a rule that throws fails the one call, and not the process', async () => {
    const authenticator = await start(json({}));
    const token = await tokenOf(key);
    await changeWhileDown(authenticator, {});
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    const throwing = {
      sub: fromRequest(() => {
        throw new RangeError('of the application');
      }),
    };
    const calls = [
      () => authenticator.authenticate(requestOf(token), { claims: throwing }),
      async () => authenticator.decide(requestOf(token), { claims: throwing }),
      () => authenticator.authenticate(requestOf(token), { claims: route('none') }),
      () => authenticator.verify(token, route('none')),
      () => authenticator.explain(token, route('none')),
    ];
    for (const call of calls) {
      await expect(call()).rejects.not.toThrow(AuthError);
      // Node reports a rejection that nothing handles after the microtasks of this turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it('a request without a token is refused where the mode says so, and let pass where both do', async () => {
    const authenticator = await start(json({ mode: 'permissive' }));
    const bad = await tokenOf(other);
    await changeWhileDown(authenticator, { mode: 'optional' });
    expect(await authenticator.authenticate(requestOf())).toBeUndefined();
    expect(await codeOf(authenticator.authenticate(requestOf(bad)))).toBe('token_key_unknown');
    await changeWhileDown(authenticator, { mode: 'strict' });
    expect(await codeOf(authenticator.authenticate(requestOf()))).toBe('credentials_missing');
    // A route that says its own mode goes on as it does.
    expect(await authenticator.authenticate(requestOf(), { mode: 'optional' })).toBeUndefined();
  });

  it.each<[title: string, ask: (authenticator: DescribedAuthenticator, token: string) => Promise<unknown>]>([
    ['rules that are none', (to, token) => to.verify(token, { role: undefined } as never)],
    ['a route that no text has', (to, token) => to.verify(token, route('nowhere'))],
    [
      'a route that no text has, of a request',
      (to, token) => to.authenticate(requestOf(token), { claims: route('nowhere') }),
    ],
    [
      'a schema that throws',
      (to, token) =>
        to.authenticate(requestOf(token), {
          claims: schemaOf(() => {
            throw new Error('a fault of the application');
          }),
        }),
    ],
  ])('T-134: a fault rejects once, and leaves no rejection unhandled: %s', async (_, ask) => {
    const authenticator = await start(json({}));
    const token = await tokenOf(key);
    await changeWhileDown(authenticator, {});
    const unhandled: unknown[] = [];
    const listener = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', listener);
    try {
      await expect(ask(authenticator, token)).rejects.toThrow();
      await nextTurn();
      await nextTurn();
      expect(unhandled).toEqual([]);
    } finally {
      process.off('unhandledRejection', listener);
    }
  });

  it('groups that do not count any more are gone', async () => {
    const groups = (only: readonly string[]) => ({ groups: { trust: { i: { only } } } });
    const authenticator = await start(json(groups(['dev', 'ops'])));
    const token = await tokenOf(key, { groups: ['dev', 'ops'] });
    expect((await authenticator.verify(token)).groups).toEqual(['dev', 'ops']);
    await changeWhileDown(authenticator, groups(['dev', 'root']));
    const principal = await authenticator.verify(token);
    expect([principal.groups, principal.claims.groups]).toEqual([['dev'], ['dev']]);
    expect(() => authorize(principal, { groups: ['ops'] })).toThrow();
  });

  it('scopes that no scope implies any more are gone', async () => {
    const scopes = (...implied: readonly string[]) => ({ scopes: { implies: { files: implied } } });
    const authenticator = await start(json(scopes('files:read', 'files:write')));
    const token = await tokenOf(key, { scope: 'files' });
    expect((await authenticator.verify(token)).scopes).toEqual(['files', 'files:read', 'files:write']);
    await changeWhileDown(authenticator, scopes('files:read', 'files:list'));
    const principal = await authenticator.verify(token);
    expect(principal.scopes).toEqual(['files', 'files:read']);
    expect(Object.isFrozen(principal.scopes)).toBe(true);
    for (const scope of ['files:write', 'files:list'])
      expect(() => authorize(principal, { scope })).toThrow();
  });

  it('nothing that is opened is open: not half of it', async () => {
    const authenticator = await start(json({ claims: { dept: 'IT' } }));
    const [fresh, free, you] = [
      await tokenOf(other, { iss: 'o', dept: 'IT' }),
      await tokenOf(key),
      await tokenOf(key, { dept: 'IT', aud: 'you' }),
    ];
    await changeWhileDown(authenticator, {
      keySets: [inline(key), inline(other, 'o')],
      audience: ['me', 'you'],
      mode: 'optional',
    });
    expect(await codeOf(authenticator.verify(fresh))).toBe('token_issuer_untrusted');
    expect(await codeOf(authenticator.verify(free))).toBe('token_claims_invalid');
    expect(await codeOf(authenticator.verify(you))).toBe('token_audience_mismatch');
    expect(await codeOf(authenticator.authenticate(requestOf()))).toBe('credentials_missing');
    down.fail();
    await authenticator.reload();
    for (const token of [fresh, free, you]) expect(await codeOf(authenticator.verify(token))).toBe('good');
    expect(await authenticator.authenticate(requestOf())).toBeUndefined();
  });

  it('a keyset whose new source is down keeps its old keys, by the new rules', async () => {
    const authenticator = await start(json({ keySets: [fetched(issuer)] }));
    const [good, bad] = [await issuer.mint({ dept: 'IT' }), await issuer.mint({ dept: 'HR' })];
    const moved = { ...fetched(issuer), jwksUrl: down.jwksUrl };
    await replaceBy(json({ keySets: [moved], claims: { dept: 'IT' } }));
    expect(await codeOf(authenticator.reload())).toBe('keyset_unavailable');
    for (let time = 0; time < 3; time++) {
      expect(await codeOf(authenticator.verify(good))).toBe('good');
      expect(await codeOf(authenticator.verify(bad))).toBe('token_claims_invalid');
    }
    const narrower = { ...moved, allowedAlgorithms: ['PS256'] };
    await replaceBy(json({ keySets: [narrower] }));
    expect(await codeOf(authenticator.reload())).toBe('keyset_unavailable');
    expect(await codeOf(authenticator.verify(good))).toBe('token_algorithm_refused');
  });

  it('the whole change is done by itself soon after the server is back', async () => {
    const authenticator = await start(json({ keySets: [inline(key), inline(other, 'o')] }));
    await changeWhileDown(authenticator, {});
    const fresh = await down.mint();
    expect(await codeOf(authenticator.verify(fresh))).toBe('token_issuer_untrusted');
    down.fail();
    await vi.waitUntil(() => authenticator.report().descriptor.state === 'applied', {
      timeout: 10_000,
      interval: 20,
    });
    expect(await codeOf(authenticator.verify(fresh))).toBe('good');
  });

  it('a text that cannot be used afterwards opens nothing again', async () => {
    const authenticator = await start(json({ keySets: [inline(key), inline(other, 'o')] }));
    const gone = await tokenOf(other, { iss: 'o' });
    await changeWhileDown(authenticator, {});
    for (const text of ['', '{', json({ audiance: 'x' })]) {
      await replaceBy(text);
      await expect(authenticator.reload()).rejects.toThrow();
      expect(await codeOf(authenticator.verify(gone))).toBe('token_issuer_untrusted');
    }
    await replaceBy(json({ keySets: [inline(key), inline(other, 'o')] }));
    await authenticator.reload();
    expect(await codeOf(authenticator.verify(gone))).toBe('good');
    expect(authenticator.report().descriptor).toMatchObject({ state: 'applied', problem: undefined });
  });
});

describe('a principal that is judged later, of a socket say', () => {
  const routes = (role: string) => ({ routes: { admin: { claims: { role } } } });

  it('has to satisfy the named route as it is by then, and as it was', async () => {
    const authenticator = await start(json(routes('admin')));
    const [admin, both] = await Promise.all(
      ['admin', ['admin', 'root']].map(async (role) =>
        authenticator.verify(await tokenOf(key, { role: role as string })),
      ),
    );
    await replaceBy(json(routes('root')));
    await authenticator.reload();
    const root = await authenticator.verify(await tokenOf(key, { role: 'root' }));
    const refused = expect.objectContaining({ code: 'claims_insufficient' });
    expect(() => authorize(admin, route('admin'))).toThrow(refused);
    for (const one of [both, root]) expect(() => authorize(one, route('admin'))).not.toThrow();
    await replaceBy(json(routes('admin')));
    await authenticator.reload();
    expect(() => authorize(admin, route('admin'))).not.toThrow();
    expect(() => authorize(root, route('admin'))).toThrow(refused);
  });

  it('is checked by the delimiter that has changed with the route', async () => {
    const authenticator = await start(json(routes('admin')));
    const principal = await authenticator.verify(
      await tokenOf(key, { role: 'admin', realm: { level: 'guest' } }),
    );
    const claims = { 'realm.level': { optional: 'staff' } };
    await replaceBy(json({ nestedClaimDelimiter: '.', routes: { admin: { claims } } }));
    await authenticator.reload();
    expect(() => authorize(principal, route('admin'))).toThrow(
      expect.objectContaining({ code: 'claims_insufficient' }),
    );
  });

  it('is checked by the scopes as they are read by then, and as they were', async () => {
    const block = (implies: Block) => ({
      scopes: { implies },
      routes: { read: { claims: { scope: 'files:read' } }, list: { claims: { scope: 'files:list' } } },
    });
    const authenticator = await start(json(block({ files: ['files:read'] })));
    const principal = await authenticator.verify(await tokenOf(key, { scope: 'files' }));
    authorize(principal, route('read'));
    await replaceBy(json(block({ files: ['files:list'] })));
    await authenticator.reload();
    for (const name of ['read', 'list'])
      expect(() => authorize(principal, route(name))).toThrow('The token lacks a scope');
  });

  it('satisfies no named route that is gone', async () => {
    const authenticator = await start(json(routes('admin')));
    const principal = await authenticator.verify(await tokenOf(key, { role: 'admin' }));
    await replaceBy(json({}));
    await authenticator.reload();
    expect(() => authorize(principal, route('admin'))).toThrow(TypeError);
  });
});

describe('a keyset that did not change', () => {
  it.each([
    ['with skipValidation', { skipValidation: true }],
    ['without', {}],
  ])('keeps its keys while its server is down, and is not read again: %s', async (_, more) => {
    const authenticator = await start(json({ keySets: [fetched(issuer, more)] }));
    const token = await issuer.mint();
    expect(await codeOf(authenticator.verify(token))).toBe('good');
    issuer.fail({ kind: 'reset' });
    const asked = issuer.requests.jwks;
    for (const realm of ['a', 'b', 'c']) {
      // In another place of the list, and otherwise chosen.
      const keySets = [inline(key), { ...fetched(issuer, more), kidless: 'refuse' }];
      await replaceBy(json({ keySets, realm }));
      await authenticator.reload();
      expect(await codeOf(authenticator.verify(token))).toBe('good');
    }
    expect(issuer.requests.jwks).toBe(asked);
    expect(authenticator.report().keysets).toMatchObject([
      { keyset: 'keySets[0]' },
      { keyset: 'keySets[1]' },
    ]);
  });

  it('and that never had a key does not keep a change from being applied', async () => {
    await writeFile(file, json({ keySets: [inline(key), fetched(down)] }));
    const authenticator = createAuthenticator({ descriptor: file });
    closing(authenticator);
    await authenticator.ready().catch(() => {});
    await replaceBy(json({ keySets: [inline(key), inline(other, 'o'), fetched(down)] }));
    await authenticator.reload();
    expect(await codeOf(authenticator.verify(await tokenOf(other, { iss: 'o' })))).toBe('good');
  });

  it('lives as long as any text has it, and ends with the authenticator', async () => {
    const authenticator = await start(json({ keySets: [fetched(issuer)] }));
    await replaceBy(json({ keySets: [fetched(issuer)], realm: 'x' }));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await authenticator.reload();
    vi.advanceTimersByTime(60_000);
    vi.useRealTimers();
    const asked = issuer.requests.jwks;
    await issuer.rotate();
    // It reads on for the text that is in force.
    expect(await codeOf(authenticator.verify(await issuer.mint()))).toBe('good');
    expect(issuer.requests.jwks).toBe(asked + 1);
  });
});

describe('a text that may be the beginning of another', () => {
  const WHOLE_AFTER_MS = 2_000;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  });

  /** Lets pass the time on the tests' clock, and what is ready. */
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
  const untilTimers = (count: number) => vi.waitUntil(() => vi.getTimerCount() >= count, { interval: 1 });

  it.each([
    ['by looks of its own', false],
    ['by reload()', true],
  ])('opens nothing before it is still: %s', async (_, isTold) => {
    const rules = { claims: { dept: 'IT' }, routes: { admin: { claims: { role: 'admin' } } } };
    const authenticator = await start(yaml(rules));
    const [good, bad] = [await tokenOf(key, { dept: 'IT' }), await tokenOf(key, { dept: 'HR', aud: 'you' })];
    const lines = yaml({ realm: 'x', ...rules }).split('\n');
    const handle = await open(file, 'w');
    onTestFinished(() => handle.close().catch(() => {}));
    const reloads: Promise<unknown>[] = [];
    for (const line of lines) {
      await handle.write(`${line}\n`);
      if (isTold) reloads.push(authenticator.reload().catch(() => {}));
      await pass(WHOLE_AFTER_MS - 500);
      expect(await codeOf(authenticator.verify(bad))).not.toBe('good');
      // It may be good: a part of the file cannot tell.
      expect(['good', 'keyset_unavailable']).toContain(await codeOf(authenticator.verify(good)));
    }
    await handle.close();
    if (isTold) reloads.push(authenticator.reload());
    for (let time = 0; time < 20; time++) await pass(WHOLE_AFTER_MS);
    await Promise.all(reloads);
    expect(await codeOf(authenticator.verify(good))).toBe('good');
    expect(await codeOf(authenticator.verify(bad))).toBe('token_audience_mismatch');
    const refused = authenticator.authenticate({ headers: {}, rawHeaders: [] });
    await expect(refused).rejects.toMatchObject({
      headers: { 'WWW-Authenticate': expect.stringContaining('realm="x"') },
    });
  });

  it('closes at once, with a 503 until it is whole, and with its own refusal then', async () => {
    const authenticator = await start(yaml({ keySets: [inline(key), inline(other, 'o')] }));
    const [kept, gone] = [await tokenOf(key), await tokenOf(other, { iss: 'o' })];
    await replaceBy(yaml({ audience: ['me', 'you'] }));
    const before = vi.getTimerCount();
    const reloading = authenticator.reload();
    await untilTimers(before + 1);
    await expect(authenticator.verify(gone)).rejects.toMatchObject({
      code: 'keyset_unavailable',
      headers: { 'Retry-After': '2' },
    });
    expect(await codeOf(authenticator.verify(kept))).toBe('good');
    expect(await codeOf(authenticator.verify(await tokenOf(key, { aud: 'you' })))).toBe(
      'token_audience_mismatch',
    );
    await pass(WHOLE_AFTER_MS);
    await reloading;
    expect(await codeOf(authenticator.verify(gone))).toBe('token_issuer_untrusted');
    expect(await codeOf(authenticator.verify(await tokenOf(key, { aud: 'you' })))).toBe('good');
  });

  it.each([
    ['YAML', yaml, 'keyset_unavailable'],
    ['JSON', json, 'token_issuer_untrusted'],
  ])('does not keep the next one from closing at once: %s', async (_, write, code) => {
    const authenticator = await start(yaml({ keySets: [inline(key), inline(other, 'o')] }));
    const gone = await tokenOf(other, { iss: 'o' });
    await replaceBy(yaml({ keySets: [inline(key), inline(other, 'o')], realm: 'x' }));
    const before = vi.getTimerCount();
    const reloads = [authenticator.reload()];
    await untilTimers(before + 1);
    expect(await codeOf(authenticator.verify(gone))).toBe('good');
    await replaceBy(write({}));
    reloads.push(authenticator.reload());
    expect(await codeOf(authenticator.verify(gone))).toBe(code);
    for (let time = 0; time < 4; time++) await pass(WHOLE_AFTER_MS);
    await Promise.all(reloads);
    expect(await codeOf(authenticator.verify(gone))).toBe('token_issuer_untrusted');
    expect(await codeOf(authenticator.verify(await tokenOf(key)))).toBe('good');
  });

  it('leaves nothing behind when the text before it, which waits for its keys, is put back', async () => {
    const waiting = yaml({ keySets: [inline(key), inline(other, 'o'), fetched(down)] });
    const authenticator = await start(yaml({ keySets: [inline(key), inline(other, 'o')] }));
    const token = await tokenOf(other, { iss: 'o' });
    const lookAt = async (text: string, isStill: boolean) => {
      await replaceBy(text);
      const before = vi.getTimerCount();
      const reloading = codeOf(authenticator.reload());
      if (isStill) {
        await untilTimers(before + 1);
        await pass(WHOLE_AFTER_MS);
      }
      return reloading;
    };
    expect(await lookAt(waiting, true)).toBe('keyset_unavailable');
    await replaceBy(yaml({}));
    const parts = authenticator.reload().catch(() => {});
    await vi.waitUntil(async () => (await codeOf(authenticator.verify(token))) === 'keyset_unavailable', {
      interval: 1,
    });
    await replaceBy(waiting);
    await pass(2 * WHOLE_AFTER_MS);
    await parts;
    expect(await codeOf(authenticator.verify(token))).toBe('good');
  });

  it('does not read sources that it names by half', async () => {
    const authenticator = await start(yaml({}));
    await replaceBy(yaml({ keySets: [inline(key), fetched(issuer)] }));
    const before = vi.getTimerCount();
    const reloading = authenticator.reload();
    await untilTimers(before + 1);
    expect(await codeOf(authenticator.verify(await issuer.mint()))).toBe('token_issuer_untrusted');
    expect(issuer.requests.jwks).toBe(0);
    await pass(WHOLE_AFTER_MS);
    await reloading;
    expect(await codeOf(authenticator.verify(await issuer.mint()))).toBe('good');
  });

  it('sends no token to an endpoint that it names by half', async () => {
    const asked: string[] = [];
    const endpoint = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"sub":"alice"}');
    });
    const port = await listen(endpoint);
    const authenticator = await start(yaml({}));
    const url = (path: string) => `http://127.0.0.1:${port}/${path}`;
    await replaceBy(
      yaml({
        remote: { url: url('remote'), onReject: 'deny', onError: 'deny' },
        groups: { endpoint: { url: url('groups/{sub}') } },
      }),
    );
    const before = vi.getTimerCount();
    const reloading = authenticator.reload();
    await untilTimers(before + 1);
    expect(await codeOf(authenticator.verify(await tokenOf(key)))).toBe('good');
    expect(asked).toEqual([]);
    await pass(WHOLE_AFTER_MS);
    await reloading;
    await codeOf(authenticator.verify(await tokenOf(key)));
    expect(asked).toContain('/remote');
  });

  it.each([
    ['JSON', json],
    ['YAML that ends with "..."', (jwt: Block) => `${yaml(jwt)}...\n`],
  ])('is none where it says itself where it ends: %s', async (_, write) => {
    const authenticator = await start(write({}));
    await replaceBy(write({ keySets: [inline(key), inline(other, 'o')] }));
    await authenticator.reload();
    expect(await codeOf(authenticator.verify(await tokenOf(other, { iss: 'o' })))).toBe('good');
  });

  it('is never used where the text before ended with "..."', async () => {
    const authenticator = await start(`${yaml({})}...\n`);
    for (const text of [yaml({ realm: 'x' }), yaml({ audience: 'you' })]) {
      await replaceBy(text);
      await expect(authenticator.reload()).rejects.toThrow('expected "..." as the last line');
      await pass(10 * WHOLE_AFTER_MS);
      expect(await codeOf(authenticator.verify(await tokenOf(key)))).toBe('good');
      expect(authenticator.report().descriptor.state).toBe('refused');
    }
    await replaceBy(`${yaml({ audience: 'you' })}...`);
    await authenticator.reload();
    expect(await codeOf(authenticator.verify(await tokenOf(key)))).toBe('token_audience_mismatch');
  });

  it('close() does not wait for it', async () => {
    const authenticator = await start(yaml({}));
    await replaceBy(yaml({ realm: 'x' }));
    const before = vi.getTimerCount();
    const reloading = authenticator.reload();
    await untilTimers(before + 1);
    await authenticator.close();
    await reloading;
    expect(vi.getTimerCount()).toBe(0);
  });
});
