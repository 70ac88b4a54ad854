// The matrix of a framework: every way to a handler, as data, with every kind of request. A handler
// never runs for a request that must be refused, and runs once for one that may pass.
import { type Authenticator, createAuthenticator, type Rules } from '@latchkey/core';
import { createIssuer, generateSigningKey, mint, type TestIssuer } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exchange } from './exchange.ts';

/** The parts with which a way is built. */
export interface WayBench {
  readonly authenticator: Authenticator;
  /** The rules of the handler. */
  readonly rules: Rules;
  /** Only the handler calls it, each time that it runs. */
  readonly handled: () => void;
}

/** Headers of one attempt. */
export type WayHeaders = Readonly<Record<string, string>>;

/** The answer that the client gets: a status, or a word that the row defines. */
export type WayOutcome = number | string;

/** A way that has been built, and accepts requests. */
export interface BuiltWay {
  readonly close: () => unknown;
  /** The port of its HTTP server. */
  readonly port?: number;
  /**
   * Makes one attempt, and resolves when it has ended. Default: the request of the row, over HTTP.
   */
  readonly ask?: (headers: WayHeaders) => Promise<WayOutcome>;
}

/** One way to a handler. */
export interface Way {
  readonly name: string;
  readonly build: (bench: WayBench) => Promise<BuiltWay>;
  /** Default: `GET /way`. */
  readonly request?: { readonly method?: string; readonly path?: string; readonly headers?: WayHeaders };
  /**
   * The requests that reach the handler. Default `token`: only those with a token that has the
   * claims. The values for all requests and for no request are for ways in which the framework
   * leaves no choice; `because` names the documentation.
   */
  readonly lets?: 'token' | 'everybody' | 'none';
  readonly because?: string;
  /** The answers: without a token, with a bad one, with one that lacks claims, with a good one. */
  readonly outcomes?: readonly [none: WayOutcome, bad: WayOutcome, lacking: WayOutcome, good: WayOutcome];
}

const RULES = { roles: ['admin'] } as const;
const OUTCOMES = {
  token: [401, 401, 403, 200],
  everybody: [200, 200, 200, 200],
  none: [401, 401, 401, 401],
} as const;
const HANDLED = { token: [0, 0, 0, 1], everybody: [1, 1, 1, 1], none: [0, 0, 0, 0] } as const;

/** Declares the matrix of one framework. Call it from a test file of the adapter's package. */
export function describeWays(name: string, ways: readonly Way[]): void {
  describe(`ways to a handler: ${name}`, () => {
    let issuer: TestIssuer;
    let authenticator: Authenticator;
    let callers: readonly WayHeaders[];

    beforeAll(async () => {
      issuer = await createIssuer({ algorithm: 'ES256' });
      authenticator = createAuthenticator({
        keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
        audience: issuer.audience,
      });
      const bearer = (token: string): WayHeaders => ({ authorization: `Bearer ${token}` });
      const forger = await generateSigningKey('ES256', issuer.key.kid);
      const claims = {
        iss: issuer.issuer,
        aud: issuer.audience,
        sub: 'mallory',
        exp: Math.floor(Date.now() / 1000) + 300,
        roles: ['admin'],
      };
      callers = [
        {},
        bearer(await mint(forger, claims)),
        bearer(await issuer.mint({ sub: 'bob', roles: ['dev'] })),
        bearer(await issuer.mint({ sub: 'alice', roles: ['admin'] })),
      ];
    });

    afterAll(async () => {
      await authenticator.close();
      await issuer.close();
    });

    it.each(ways.map((way) => [way.name, way] as const))('%s', async (_, way) => {
      const { build, lets = 'token' } = way;
      let count = 0;
      const built = await build({ authenticator, rules: RULES, handled: () => count++ });
      const outcomes: WayOutcome[] = [];
      const counts: number[] = [];
      try {
        for (const headers of callers) {
          count = 0;
          outcomes.push(await attempt(way, built, headers));
          counts.push(count);
        }
      } finally {
        await built.close();
      }
      expect({ counts, outcomes }).toEqual({
        counts: HANDLED[lets],
        outcomes: way.outcomes ?? OUTCOMES[lets],
      });
    });

    it('names each way once, and gives a reason for each that is not decided by the token', () => {
      const names = ways.map((way) => way.name);
      expect(names).toEqual([...new Set(names)]);
      for (const way of ways)
        expect(way.because === undefined, way.name).toBe((way.lets ?? 'token') === 'token');
    });
  });
}

async function attempt({ request = {}, name }: Way, { port, ask }: BuiltWay, headers: WayHeaders) {
  const all = { ...request.headers, ...headers };
  if (ask !== undefined) return ask(all);
  if (port === undefined) throw new Error(`${name}: expected a port, or how to ask`);
  const { method = 'GET', path = '/way' } = request;
  return (await exchange({ port, method, path, headers: Object.entries(all) })).status;
}
