// Tests of every adapter with `{ descriptor }`, over real HTTP: it decides by the file, follows
// changes under load, and refuses a wrong file at the start. Each adapter builds the application
// itself.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, type DescriptorOptions, type GroupResolver } from '@latchkey/core';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Exchange, exchange, headerValues } from './exchange.ts';
import { type Served, serve } from './serve.ts';

/** An application under test. */
export interface Described {
  readonly listener: RequestListener;
  /** Closes the application. Undefined if the framework's applications cannot be closed. */
  readonly close: (() => Promise<unknown>) | undefined;
}

/**
 * Builds an application whose options are in a file: `GET /me` needs a token and answers with the
 * JSON `{ subject }`, and `GET /admin` needs `route('admin')`.
 */
export type BuildDescribed = (options: DescriptorOptions) => Promise<Described>;

/**
 * Declares the tests for one way of building an application. Call it from a test file of the
 * adapter's package.
 */
export function describeDescriptor(name: string, build: BuildDescribed): void {
  describe(`{ descriptor }: ${name}`, () => {
    let key: SigningKey;
    let other: SigningKey;
    let directory: string;
    let file: string;
    let told: { applied: number; refused: number };
    const closers: (() => unknown)[] = [];

    beforeAll(async () => {
      [key, other] = await Promise.all([
        generateSigningKey('ES256', 'one'),
        generateSigningKey('ES256', 'two'),
      ]);
    });

    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'latchkey-described-'));
      file = join(directory, 'service.yaml');
      told = { applied: 0, refused: 0 };
      // A refused file also emits a warning.
      vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
      for (const what of ['applied', 'refused'] as const) {
        const note = (event: unknown) => {
          if ((event as { readonly file: string }).file === file) told[what]++;
        };
        subscribe(`latchkey:descriptor:${what}`, note);
        closers.push(() => unsubscribe(`latchkey:descriptor:${what}`, note));
      }
    });

    afterEach(async () => {
      vi.restoreAllMocks();
      for (const close of closers.splice(0).reverse()) await close();
      await rm(directory, { recursive: true });
    });

    const textOf = (keys: readonly SigningKey[], jwt: object = {}) => {
      const keySets = [{ issuer: 'i', jwks: { keys: keys.map(({ publicJwk }) => publicJwk) } }];
      const routes = { admin: { claims: { roles: ['admin'] } } };
      return JSON.stringify({ service: { jwt: { keySets, audience: 'me', routes, ...jwt } } }, null, 2);
    };
    const tokenOf = (by: SigningKey, claims: object = {}) =>
      mint(by, { iss: 'i', aud: 'me', sub: 'alice', exp: Math.floor(Date.now() / 1000) + 300, ...claims });

    /** Replaces the file atomically. */
    async function replaceBy(text: string): Promise<void> {
      await writeFile(`${file}.next`, text);
      await rename(`${file}.next`, file);
    }

    async function start(text: string, more: Partial<DescriptorOptions> = {}): Promise<Served> {
      await replaceBy(text);
      const { listener, close } = await build({ descriptor: file, ...more });
      const served = await serve(listener);
      closers.push(() => close?.(), served.close);
      return served;
    }

    const get = ({ port }: Served, path: string, token?: string): Promise<Exchange> => {
      const headers = token === undefined ? [] : [['Authorization', `Bearer ${token}`] as const];
      return exchange({ port, method: 'GET', path, headers });
    };
    const statusOf = async (...asked: Parameters<typeof get>) => (await get(...asked)).status;
    const untilTold = (is: () => boolean) => vi.waitUntil(is, { timeout: 15_000, interval: 5 });

    it('AK-7: decides by the file', async () => {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is a variable of the file.
      const served = await start(textOf([key], { realm: '${REALM}' }), { environment: { REALM: 'r' } });
      const [plain, admin] = [await tokenOf(key), await tokenOf(key, { roles: ['admin', 'dev'] })];
      const me = await get(served, '/me', plain);
      expect({ status: me.status, body: JSON.parse(me.body) }).toEqual({
        status: 200,
        body: { subject: 'alice' },
      });
      expect(headerValues(await get(served, '/me'), 'www-authenticate')).toEqual(['Bearer realm="r"']);
      expect([
        await statusOf(served, '/me'),
        await statusOf(served, '/me', await tokenOf(other)),
        await statusOf(served, '/me', await tokenOf(key, { aud: 'you' })),
        await statusOf(served, '/admin'),
        await statusOf(served, '/admin', plain),
        await statusOf(served, '/admin', admin),
      ]).toEqual([401, 401, 401, 401, 403, 200]);
    });

    it('R20: follows the file under load, and fails no request that is good before and after', async () => {
      const served = await start(textOf([key]));
      const [steady, fresh] = [await tokenOf(key), await tokenOf(other)];
      const admin = await tokenOf(key, { roles: ['admin'] });
      expect([await statusOf(served, '/admin', admin), await statusOf(served, '/me', fresh)]).toEqual([
        200, 401,
      ]);
      const statuses: number[] = [];
      let stopped = false;
      const loops = Array.from({ length: 4 }, async () => {
        while (!stopped) statuses.push(await statusOf(served, '/me', steady));
      });
      try {
        await replaceBy(textOf([key, other], { routes: { admin: { claims: { roles: ['root'] } } } }));
        await untilTold(() => told.applied === 1);
        expect(await statusOf(served, '/admin', admin)).toBe(403);
        expect(await statusOf(served, '/me', fresh)).toBe(200);
        // A wrong file changes no decision.
        await replaceBy(textOf([other], { audiance: 'you' }));
        await untilTold(() => told.refused === 1);
        expect([await statusOf(served, '/admin', admin), await statusOf(served, '/me', fresh)]).toEqual([
          403, 200,
        ]);
        // A correct file does again.
        await replaceBy(textOf([key]));
        await untilTold(() => told.applied === 2);
        expect([await statusOf(served, '/admin', admin), await statusOf(served, '/me', fresh)]).toEqual([
          200, 401,
        ]);
      } finally {
        stopped = true;
        await Promise.all(loops);
      }
      expect(statuses.length).toBeGreaterThan(10);
      expect(new Set(statuses)).toEqual(new Set([200]));
    });

    it('T-056: a route that is removed from the file lets no request pass', async () => {
      const served = await start(textOf([key]));
      const admin = await tokenOf(key, { roles: ['admin'] });
      expect(await statusOf(served, '/admin', admin)).toBe(200);
      await replaceBy(textOf([key], { routes: { root: { claims: { roles: ['root'] } } } }));
      await untilTold(() => told.applied === 1);
      expect([await statusOf(served, '/admin', admin), await statusOf(served, '/admin')]).toEqual([500, 401]);
    });

    it.each<[title: string, text: () => string, place: object, path: string]>([
      [
        'an option that is misspelled',
        () => 'service:\n  jwt:\n    keySets: []\n    audiance: me\n',
        { line: 4, column: 5 },
        'audiance',
      ],
      [
        'a named route without requirements',
        () =>
          'service:\n  jwt:\n    remote: { url: https://a.example }\n    audience: me\n    routes:\n      admin: {}\n',
        { line: 6, column: 7 },
        'routes.admin',
      ],
      ['no YAML', () => 'service:\n  jwt: [', { line: 2, column: 9 }, ''],
    ])('a wrong file is refused at the start, with its place: %s', async (_, text, place, path) => {
      const error: unknown = await start(text()).then(
        () => 'it has started',
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(ConfigError);
      expect(error).toMatchObject({ path, place: { file, ...place } });
      expect((error as ConfigError).message).toMatch(`${file}:`);
    });

    it('a missing file is refused at the start', async () => {
      await expect(build({ descriptor: join(directory, 'nothing.yaml') })).rejects.toThrow(ConfigError);
    });

    it('is closed with the application, if applications can be closed, and not before', async () => {
      let closed = 0;
      const resolver: GroupResolver = {
        description: 'a directory',
        resolve: async () => ['ops'],
        close: async () => void closed++,
      };
      await replaceBy(textOf([key], { routes: { admin: { claims: { groups: 'ops' } } } }));
      const { listener, close } = await build({ descriptor: file, directory: resolver });
      const served = await serve(listener);
      expect(await statusOf(served, '/admin', await tokenOf(key))).toBe(200);
      expect(closed).toBe(0);
      await served.close();
      await close?.();
      expect(closed).toBe(close === undefined ? 0 : 1);
    });
  });
}
