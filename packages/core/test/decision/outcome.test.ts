// The event `latchkey:decision`: one for each request, with values of a bounded number, and nothing
// at all without a listener.
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import {
  authorizeRequest,
  compileAccess,
  compileRules,
  decide,
  type RequestPlace,
  type RequestView,
  verifyRequest,
} from '../../src/adapter/index.ts';
import {
  authenticateUpgrade,
  authorize,
  type DecisionEvent,
  requireAll,
  requireAny,
} from '../../src/index.ts';
import { requestWith, startAuthenticator, startIssuer } from '../support/authenticators.ts';

const CHANNEL = 'latchkey:decision';
const events: DecisionEvent[] = [];

function listen(listener: (event: unknown) => void): void {
  subscribe(CHANNEL, listener);
  onTestFinished(() => void unsubscribe(CHANNEL, listener));
}

const collect = () => listen((event) => events.push(event as DecisionEvent));
const told = () => events.splice(0).map(({ outcome, code }) => (code === undefined ? outcome : code));

beforeEach(() => {
  events.length = 0;
});

async function start() {
  const issuer = await startIssuer();
  const keySets = [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }];
  const authenticator = startAuthenticator({ keySets, audience: issuer.audience });
  return { issuer, authenticator };
}

const NOTHING = compileAccess({});

it('tells each decision of authenticate once, and nothing of decide and explain', async () => {
  const { issuer, authenticator } = await start();
  const token = await issuer.mint({ sub: 'alice' });
  collect();
  await authenticator.authenticate(requestWith(token));
  await expect(authenticator.authenticate(requestWith())).rejects.toThrow();
  expect(told()).toEqual(['accepted', 'credentials_missing']);
  await authenticator.decide(requestWith(token));
  await authenticator.explain(requestWith(token));
  await authenticator.verify(token);
  expect(told()).toEqual([]);
});

it('tells a combination once: its answer, and the issuer that its tokens have in common', async () => {
  const [one, other] = [await start(), await start()];
  const token = await one.issuer.mint({ sub: 'alice' });
  collect();
  const any = requireAny({ other: other.authenticator, one: one.authenticator });
  const all = requireAll({ one: one.authenticator, other: other.authenticator });
  for (let time = 0; time < 3; time++) await any.authenticate(requestWith(token));
  await expect(all.authenticate(requestWith(token))).rejects.toThrow();
  expect(events.map(({ outcome, code, issuer, cached }) => [outcome, code, issuer, cached])).toEqual([
    ['accepted', undefined, one.issuer.issuer, false],
    ['accepted', undefined, one.issuer.issuer, false],
    ['accepted', undefined, one.issuer.issuer, true],
    ['refused', 'token_issuer_untrusted', one.issuer.issuer, true],
  ]);
});

it('tells an upgrade once', async () => {
  const { issuer, authenticator } = await start();
  const token = await issuer.mint({ sub: 'alice' });
  collect();
  await authenticateUpgrade(authenticator, requestWith(token), new PassThrough());
  await authenticateUpgrade(authenticator, requestWith(), new PassThrough());
  expect(told()).toEqual(['accepted', 'credentials_missing']);
});

it('tells of a token that an adapter verifies alone', async () => {
  const { issuer, authenticator } = await start();
  const [token, expired] = [await issuer.mint({ sub: 'alice' }), await issuer.mint({ exp: 1 })];
  collect();
  const place = { framework: 'mcp' };
  await verifyRequest(place, () => authenticator.verify(token));
  await expect(verifyRequest(place, () => authenticator.verify(expired))).rejects.toThrow();
  expect(events.map(({ issuer: name, framework }) => [name, framework])).toEqual([
    [issuer.issuer, 'mcp'],
    [issuer.issuer, 'mcp'],
  ]);
  expect(told()).toEqual(['accepted', 'token_expired']);
});

it('tells a refusal by a later rule in place of the acceptance, and each only once', async () => {
  const { issuer, authenticator } = await start();
  const token = await issuer.mint({ sub: 'alice' });
  const rules = compileRules({ roles: ['admin'] });
  const replies = new WeakMap<RequestView, EventEmitter>();
  const place: RequestPlace<RequestView> = {
    framework: 'test',
    routeOf: () => {
      throw new Error('no route');
    },
    whenAnswered: (view, done) => void replies.get(view)?.once('finish', done).once('close', done),
  };
  const request = async (after: (view: RequestView, caller: never) => void) => {
    const view = requestWith(token);
    const reply = new EventEmitter();
    replies.set(view, reply);
    await decide(authenticator, view, NOTHING, place, view);
    const made = await decide(authenticator, view, NOTHING, place, view);
    expect(told()).toEqual([]);
    if (made.ok) after(view, made.principal as never);
    reply.emit('finish');
    reply.emit('close');
    return told();
  };
  collect();
  expect(await request(() => {})).toEqual(['accepted']);
  expect(
    await request((view, caller) => {
      for (let time = 0; time < 2; time++)
        expect(() => authorizeRequest(view, caller, rules)).toThrow('lacks a claim');
    }),
  ).toEqual(['claims_insufficient']);
  expect(
    await request((view, caller) => {
      expect(() => authorize(caller, rules, view as never)).toThrow('lacks a claim');
    }),
  ).toEqual(['claims_insufficient']);
  // Without the request, it is not known whose refusal it is.
  expect(await request((_view, caller) => expect(() => authorize(caller, rules)).toThrow())).toEqual([
    'accepted',
  ]);
});

it('collects nothing without a listener', async () => {
  const { issuer, authenticator } = await start();
  const token = await issuer.mint({ sub: 'alice' });
  for (let time = 0; time < 3; time++) await authenticator.authenticate(requestWith(token));
  const place = { framework: 'test', whenAnswered: vi.fn() };
  const view = requestWith(token);
  const now = vi.spyOn(performance, 'now');
  onTestFinished(() => now.mockRestore());
  /** Synchronous, so that nothing else runs in between. */
  const timesAsked = () => {
    now.mockClear();
    expect(decide(authenticator, view, NOTHING, place, view)).toMatchObject({ ok: true });
    return now.mock.calls.length;
  };
  // The cache asks too.
  const before = timesAsked();
  expect(place.whenAnswered).not.toHaveBeenCalled();
  collect();
  // A listener that comes later hears nothing of what was decided before.
  expect(() => authorizeRequest(view, undefined, compileRules({ roles: ['admin'] }))).toThrow();
  expect(told()).toEqual([]);
  expect(timesAsked()).toBe(before + 2);
  expect(place.whenAnswered).toHaveBeenCalledOnce();
});

it('a listener that throws changes no decision', async () => {
  const { issuer, authenticator } = await start();
  const token = await issuer.mint({ sub: 'alice' });
  const faults: unknown[] = [];
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (fault) => faults.push(fault));
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException');
    for (const each of before) process.on('uncaughtException', each);
  });
  listen(() => {
    throw new Error('the listener failed');
  });
  expect((await authenticator.authenticate(requestWith(token)))?.subject).toBe('alice');
  await expect(authenticator.authenticate(requestWith())).rejects.toMatchObject({ status: 401 });
  await new Promise((resolve) => setImmediate(resolve));
  expect(faults).toHaveLength(2);
});

it('random kids, issuers and paths leave the number of values of each field as it is', async () => {
  const issuer = await startIssuer();
  const keySets = [{ issuer: issuer.issuer, jwks: { keys: [issuer.key.publicJwk] } }];
  const authenticator = startAuthenticator({ keySets, audience: issuer.audience });
  const good = await issuer.mint({ sub: 'alice' });
  const [, payload = '', signature = ''] = good.split('.');
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const place: RequestPlace<RequestView> = { framework: 'test', routeOf: () => '/orders/:id' };
  const values = new Map<string, Set<unknown>>();
  listen((event) => {
    for (const [name, value] of Object.entries(event as object))
      if (name !== 'durationMs') values.set(name, (values.get(name) ?? new Set()).add(value));
  });
  const ask = async (index: number) => {
    const kid = encoded({ alg: 'RS256', kid: `kid-${index}` });
    const iss = encoded({ iss: `https://issuer-${index}.example`, sub: 'x' });
    const tokens = [good, `${kid}.${payload}.${signature}`, `${kid}.${iss}.${signature}`, `${index}`];
    for (const mode of ['strict', 'permissive'] as const) {
      const view = { ...requestWith(tokens[index % 4]), url: `/orders/${index}` };
      const made = decide(authenticator, view, compileAccess({ mode }), place, view);
      if (made instanceof Promise) await made;
    }
  };
  const counted = () => Object.fromEntries([...values].map(([name, { size }]) => [name, size]));
  for (let index = 0; index < 40; index++) await ask(index);
  const before = counted();
  for (let index = 40; index < 50_000; index++) await ask(index);
  expect(counted()).toEqual(before);
  expect([...(values.get('issuer') ?? [])].toSorted()).toEqual([issuer.issuer, undefined]);
  expect(channel(CHANNEL).hasSubscribers).toBe(true);
}, 60_000);
