// The matrix of a framework: every way to a handler, as data, against every caller. A handler never
// runs for a caller who may not call it, and runs once for one who may.
import { type Authenticator, createAuthenticator, type Rules } from '@latchkey/core';
import { createIssuer, generateSigningKey, mint, type TestIssuer } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exchange } from './exchange.ts';

/** What a way is built with. */
export interface WayBench {
  readonly authenticator: Authenticator;
  /** What the handler asks of a caller. */
  readonly rules: Rules;
  /** Called by the handler, and by nothing else, each time that it runs. */
  readonly handled: () => void;
}

/** Headers of one attempt. */
export type WayHeaders = Readonly<Record<string, string>>;

/** What a caller sees: a status, or a word of the row's own. */
export type WayOutcome = number | string;

/** A way that has been built, and waits for callers. */
export interface BuiltWay {
  readonly close: () => unknown;
  /** Where it listens for HTTP. */
  readonly port?: number;
  /**
   * Makes one attempt, and resolves when it is over. Default: the request of the row, over HTTP.
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
   * Who reaches the handler. Default `token`: who has a token with the claims, and nobody else.
   * `everybody` and `nobody` are what a framework leaves no choice about; `because` says where that
   * is documented.
   */
  readonly lets?: 'token' | 'everybody' | 'nobody';
  readonly because?: string;
  /** What callers see: without a token, with a bad one, with too little claims, with a good one. */
  readonly outcomes?: readonly [none: WayOutcome, bad: WayOutcome, lacking: WayOutcome, good: WayOutcome];
}

const RULES = { roles: ['admin'] } as const;
const OUTCOMES = {
  token: [401, 401, 403, 200],
  everybody: [200, 200, 200, 200],
  nobody: [401, 401, 401, 401],
} as const;
const HANDLED = { token: [0, 0, 0, 1], everybody: [1, 1, 1, 1], nobody: [0, 0, 0, 0] } as const;

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

    it('names each way once, and says why one is not by the token', () => {
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
