// Runs every case against one adapter, over real HTTP. A case fails if it leaves open requests or
// unhandled rejections.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Authenticator, LatchkeyEvents, Rules } from '@latchkey/core';
import { createClock } from '@latchkey/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Application, type Started, start, withProperties } from './application.ts';
import { ATTACKED, attackedBy } from './attacked.ts';
import { RECENT } from './cases/recent.ts';
import { type ConformanceCase, cases, type Variant } from './cases.ts';
import { clientCert, forwardedClientCert } from './certificates.ts';
import { type AdapterEvents, expectDecision, expectReported, listenToDecisions } from './decisions.ts';
import { headerValues } from './exchange.ts';
import { deliver, judge, requestOf, send } from './judge.ts';
import { expectOnlyLocal, expectRecent } from './recent-decisions.ts';
import { mutualTlsRoutes, possessionRoutes, type Route, resourceRoutes, routes } from './routes.ts';
import { expectOneOfEach, expectSigned, signedMember } from './signed.ts';
import { type PublishedKeys, publishedKeys, signingRoutes } from './signing-routes.ts';
import { createWorld, tokens, type World } from './tokens.ts';
import { authenticatorFor, VARIANTS } from './variants.ts';

/** How long the applications of all variants may take to start. */
const START_MS = 60_000;

/** What an adapter must serve. */
export interface Harness {
  readonly authenticator: Authenticator;
  /**
   * Public routes come first, so that an adapter that authenticates all later routes can serve them
   * in this order.
   */
  readonly routes: readonly Route[];
  /** The path at which `healthCheck` of the authenticator answers, for everybody. */
  readonly health: string;
  /**
   * Where `recentDecisions` answers: at `local`, which is public, to programs of this machine; at
   * `restricted`, behind authentication, to callers who satisfy the rules.
   */
  readonly recent: { readonly local: string; readonly restricted: string; readonly rules: Rules };
  /** The paths of published keys, which are public. */
  readonly published: readonly PublishedKeys[];
  /** The application must publish the resources of the authenticator. */
  readonly isResource: boolean;
  /** The application must trust `X-Forwarded-Proto` of its peer, which is a proxy. */
  readonly trustsProxy: boolean;
}

/**
 * Builds an application of one framework that serves the harness, and returns its Node request
 * listener, which is then called over HTTP; or an object with `fetch`, which is called with a
 * web-standard `Request`.
 */
export type BuildListener = (harness: Harness) => Application | Promise<Application>;

/**
 * The cases that an adapter cannot pass, by name, with the reasons. Such a case still runs, and
 * fails once it passes.
 */
export interface KnownGaps {
  readonly [caseName: string]: string;
}

/**
 * Declares the conformance suite for one adapter. Call it from a test file of the adapter's
 * package.
 * @param adapter what the adapter tells of its framework in the event `latchkey:decision`. Default:
 *   that is not checked
 */
export function describeAdapter(
  name: string,
  build: BuildListener,
  gaps: KnownGaps = {},
  adapter?: AdapterEvents,
): void {
  describe(`conformance: ${name}`, () => {
    let world: World;
    const faults: unknown[] = [];
    const handled: string[] = [];
    const served = new Map<Variant, Started>();
    const revokers = new Map<Variant, Authenticator>();
    const closers: (() => Promise<void>)[] = [];
    /** What passed, and would have been refused. */
    const reported: LatchkeyEvents['latchkey:report-only'][] = [];
    const noteReported = (event: unknown) => void reported.push(event as (typeof reported)[number]);
    const noteFault = (fault: unknown) => faults.push(fault);
    const observe = (route: Route): Route => ({
      ...route,
      handle: (...args) => {
        handled.push(route.path);
        return route.handle(...args);
      },
    });
    const decisions = listenToDecisions();
    let all: readonly Route[] = [];
    let offered: Omit<Harness, 'authenticator'>;
    /** Verifies the tokens that the routes sign. */
    let verifier: Authenticator;

    beforeAll(async () => {
      process.on('unhandledRejection', noteFault);
      subscribe('latchkey:report-only', noteReported);
      world = await createWorld();
      const { signers, trusted } = world;
      offered = {
        routes: [...signingRoutes(signers, trusted.audience), ...routes].map(observe),
        published: publishedKeys(signers),
        health: '/health',
        recent: RECENT,
        isResource: false,
        trustsProxy: false,
      };
      for (const variant of Object.keys(VARIANTS) as Variant[]) {
        const authenticator = authenticatorFor(world, variant);
        const trustsProxy = variant === 'behind a proxy';
        const isResource = authenticator.resources?.length !== 0;
        const more = routesOf(variant).map(observe);
        const harness = { ...offered, routes: [...offered.routes, ...more], isResource, trustsProxy };
        all = [...all, ...harness.routes];
        const isSecure = variant.includes('mutual TLS');
        const server = await start(await build({ authenticator, ...harness }), isSecure);
        served.set(variant, server);
        revokers.set(variant, authenticator);
        if (variant === 'strict') verifier = authenticator;
        closers.push(server.close, () => authenticator.close());
      }
    }, START_MS);

    afterAll(async () => {
      for (const close of closers) await close();
      await world.close();
      process.off('unhandledRejection', noteFault);
      decisions.stop();
      unsubscribe('latchkey:report-only', noteReported);
    });

    beforeEach(() => {
      faults.length = 0;
      handled.length = 0;
    });

    for (const { name: title, ...testCase } of cases) {
      const gap = gaps[title];
      const declare = gap === undefined ? it : it.fails;
      declare(gap === undefined ? title : `${title} (gap: ${gap})`, async ({ skip }) => {
        const { takesCertificates } = served.get(testCase.authenticator ?? 'strict') as Started;
        // Also of the requests that bring a token into the cache.
        const { certificate = testCase.isCached === true && ownCertificate(testCase).certificate } = testCase;
        if (certificate && !takesCertificates) skip();
        const used = new Map<string, string>();
        for (let count = 0; count < (testCase.isCached === true ? 3 : 0); count++) {
          const proofs = testCase.proofs?.map(() => ({}));
          const own = ownCertificate(testCase);
          const again = { ...testCase, ...own, proofs, method: 'GET', path: '/token' } as const;
          const earlier = await send(again, served, world, used);
          expect(earlier.status, 'the answer of /token').toBe(200);
        }
        const request = await requestOf(testCase, served, world, used);
        // Tokens that are made afterwards would be later than the time of issue.
        const { revoke } = testCase;
        if (revoke !== undefined) {
          const { issuer } = world.trusted;
          await revokers.get(testCase.authenticator ?? 'strict')?.revoke({ issuer, ...revoke });
        }
        const { authenticator, sentBefore } = testCase;
        if (sentBefore !== undefined) {
          const before = { ...request, method: sentBefore.method ?? 'GET', path: sentBefore.path };
          expect((await deliver(authenticator, before, served)).status, 'the answer before').toBe(200);
        }
        handled.length = 0;
        decisions.events.length = 0;
        reported.length = 0;
        const answer = await deliver(authenticator, request, served);
        judge(testCase, answer, handled, [...used.values()]);
        const { wouldRefuse } = 'status' in testCase.expect ? testCase.expect : {};
        expectOneOfEach(answer, testCase.method !== 'HEAD' && answer.status !== 204);
        if ('status' in testCase.expect) await expectSigned(answer, testCase.expect, verifier);
        const isPublished = offered.published.some(({ path }) => path === testCase.path);
        const ran = isPublished ? 'public' : all.find(({ path }) => path === handled[0]);
        expectReported(reported, wouldRefuse, ran, adapter);
        expectDecision(testCase, decisions.events, ran, adapter, world);
        expect(faults, 'unhandled rejections').toEqual([]);
      });
    }

    it('every known gap is a case', () => {
      const titles = cases.map(({ name: title }) => title);
      expect(Object.keys(gaps).filter((title) => !titles.includes(title))).toEqual([]);
    });

    it.each([undefined, null, '', 0, false, 'route', 'router', true])(
      'T-098: a rejection with %j lets no request pass',
      async (reason) => {
        const authenticator = {
          ...authenticatorFor(world, 'strict'),
          decide: () => Promise.reject(reason),
        };
        const server = await start(await build({ authenticator, ...offered }));
        const answer = await server.send({ method: 'GET', path: '/token', headers: [] });
        await server.openRequests();
        expect(handled, 'handlers that ran').toEqual([]);
        expect(answer.status).toBeGreaterThanOrEqual(400);
        await server.close();
      },
    );

    it.each([{ key: {} }, { key: 'a text' }, { key: null }])(
      'T-102: properties that an application sets on requests do not join two of them: %j',
      async (kept) => {
        const authenticator = authenticatorFor(world, 'carriers');
        const server = await start(withProperties(await build({ authenticator, ...offered }), kept));
        const statusOf = async (path: string) =>
          (await server.send({ method: 'GET', path, headers: [] })).status;
        const token = await world.trusted.mint({ sub: 'alice' });
        expect(await statusOf(`/token?access_token=${token}`)).toBe(200);
        expect(await statusOf('/token')).toBe(401);
        await server.close();
        await authenticator.close();
      },
    );

    it.each([{}, { cache: false }] as const)(
      'RFC 9470: maxAge is judged for each request, also of a cached token: %j',
      async (more) => {
        const clock = createClock();
        const authenticator = authenticatorFor(world, 'strict', { clock, ...more });
        const { send: request, close } = await start(await build({ authenticator, ...offered }));
        const at = Math.floor(clock.now() / 1000);
        const token = await world.trusted.mint({ iat: at, auth_time: at, exp: at + 86_400 });
        const headers = [['Authorization', `Bearer ${token}`]] as const;
        const get = (path: string) => request({ method: 'GET', path, headers });
        for (let time = 0; time < 3; time++) expect((await get('/step-up/recent')).status).toBe(200);
        // An hour, and the clock skew.
        clock.advance(3_606_000);
        expect((await get('/token')).status).toBe(200);
        handled.length = 0;
        const refused = await get('/step-up/recent');
        expect(refused.status).toBe(401);
        expect(headerValues(refused, 'www-authenticate')).toEqual([expect.stringMatching(/max_age="3600"$/)]);
        expect(handled, 'handlers that ran').toEqual([]);
        await close();
        await authenticator.close();
      },
    );

    it.each(ATTACKED)('no forged request is let in: $name', async (attacked) => {
      const report = await attackedBy(attacked, { harness: offered, build, world });
      expect(report.letIn.length + report.broke.length, report.summary).toBe(0);
      expect(report.attacks.length - report.skipped.length).toBeGreaterThan(20);
      expect(faults, 'unhandled rejections').toEqual([]);
    });

    it('health: 200 while all keys are there, 503 before', async () => {
      const { trusted } = world;
      const keySets = [{ issuer: trusted.issuer, jwksUrl: trusted.jwksUrl, allowHttp: true }];
      const authenticator = authenticatorFor(world, 'strict', { keySets, loadAtStart: true });
      const { send: request, close } = await start(await build({ authenticator, ...offered }));
      await authenticator.ready();
      const { status, body } = await request({ method: 'GET', path: '/health', headers: [] });
      expect({ status, body }).toEqual({ status: 200, body: '{"status":"ready"}' });
      await close();
      await authenticator.close();
    });

    it('recent decisions: the latest first, and nothing of a token', async () => {
      const authenticator = authenticatorFor(world, 'strict');
      const server = await start(await build({ authenticator, ...offered }));
      await expectRecent(server, world, adapter);
      await server.close();
      await authenticator.close();
    });

    it('recent decisions: nothing for another machine', async () => {
      const authenticator = authenticatorFor(world, 'strict');
      await expectOnlyLocal(await build({ authenticator, ...offered }));
      await authenticator.close();
    });

    it('T-098: a replaced global Promise lets no request pass', async () => {
      const authenticator = authenticatorFor(world, 'strict');
      const server = await start(await build({ authenticator, ...offered }));
      const statusOf = async (token: string) => {
        const headers = [['Authorization', `Bearer ${token}`]] as const;
        return (await server.send({ method: 'GET', path: '/token', headers })).status;
      };
      const original = globalThis.Promise;
      globalThis.Promise = class Other<T> extends original<T> {} as PromiseConstructor;
      try {
        // The first request fetches keys, and is refused only afterwards.
        expect(await statusOf(await tokens.expired(world))).toBe(401);
        expect(handled, 'handlers that ran').toEqual([]);
        expect(await statusOf(await world.trusted.mint({ sub: 'alice' }))).toBe(200);
      } finally {
        globalThis.Promise = original;
      }
      await server.close();
      await authenticator.close();
    });

    it('T-102: principals of concurrent requests do not cross', async () => {
      const { send: request } = served.get('strict') as Started;
      const subjects = await Promise.all(
        Array.from({ length: 200 }, async (_, index) => {
          const token = await world.trusted.mint({ sub: `user-${index}` });
          const headers = [['Authorization', `Bearer ${token}`]] as const;
          return JSON.parse((await request({ method: 'GET', path: '/token', headers })).body).subject;
        }),
      );
      expect(subjects).toEqual(Array.from({ length: 200 }, (_, index) => `user-${index}`));
    });

    it('T-102: tokens of concurrent replies do not cross', async () => {
      const { send: request } = served.get('strict') as Started;
      const subjects = await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const path = `/sign/echo?user=user-${index}`;
          const answer = await request({ method: 'POST', path, headers: [] });
          return (await verifier.verify(signedMember(answer, 'access_token'))).subject;
        }),
      );
      expect(subjects).toEqual(Array.from({ length: 100 }, (_, index) => `user-${index}`));
    });

    it('KD-1: a signed token of a reply is accepted by a route of the application', async () => {
      const { send: request } = served.get('strict') as Started;
      const login = await request({ method: 'POST', path: '/sign/both', headers: [] });
      const headers = [['Authorization', `Bearer ${signedMember(login, 'access_token')}`]] as const;
      const answer = await request({ method: 'GET', path: '/token', headers });
      expect(JSON.parse(answer.body)).toMatchObject({ subject: 'alice' });
    });

    it('KD-15: only the public half is published', async () => {
      const { send: request } = served.get('strict') as Started;
      const answer = await request({ method: 'GET', path: '/keys/login.json', headers: [] });
      expect(JSON.parse(answer.body)).toEqual(world.signers.jwks);
      const members = world.signers.jwks.keys.map((key) => Object.keys(key).toSorted());
      expect(members).toEqual([['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']]);
    });
  });
}

/** The routes that only this variant has. */
function routesOf(variant: Variant): readonly Route[] {
  if (variant === 'dpop or mutual TLS') return [...possessionRoutes, ...mutualTlsRoutes];
  if (variant.startsWith('mutual TLS')) return mutualTlsRoutes;
  if (variant.startsWith('dpop')) return possessionRoutes;
  return variant.startsWith('resources') ? resourceRoutes : [];
}

/** How a request shows the certificate of its token, in place of the one of the case. */
function ownCertificate({
  authenticator,
  headers = [],
}: Pick<ConformanceCase, 'authenticator' | 'headers'>): Partial<ConformanceCase> {
  if (authenticator?.includes('mutual TLS') !== true) return {};
  const isHeader = ([name]: readonly [string, string]) => /^(?:X-Forwarded-)?Client-Cert$/.test(name);
  if (!headers.some(isHeader)) return { certificate: 'client' };
  const header = authenticator === 'mutual TLS, Envoy' ? forwardedClientCert : clientCert;
  return { headers: [...headers.filter((pair) => !isHeader(pair)), header('client')] };
}
