// Tenants with keys of their own, found by their metadata on real servers: whose keys verify whose
// tokens, how many fetches made-up tenants cause, and what stays in use meanwhile.
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Authenticator, KeysetOptions } from '../../src/index.ts';
import { createAdmission } from '../../src/keysets/jku-admission.ts';
import {
  MAX_CANDIDATE_TENANTS,
  MAX_FAVOURED_TENANTS,
  MAX_KNOWN_TENANTS,
  MAX_NEW_TENANTS,
  NEW_TENANTS,
} from '../../src/keysets/tenant-keysets.ts';
import { leaf, own } from '../net/tls-servers.ts';
import { startAuthenticator } from '../support/authenticators.ts';
import { eventsOf, warningsOf } from '../support/observed.ts';
import { outcome as settled } from '../support/outcome.ts';
import { startProxy } from '../support/proxy.ts';
import { listen } from '../support/servers.ts';

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;

let keys: readonly SigningKey[];
let timeMs = 0;
const clock = { now: () => NOW + timeMs, monotonic: () => timeMs };

beforeAll(async () => {
  keys = await Promise.all([1, 2, 3].map((n) => generateSigningKey('ES256', `k${n}`)));
});
beforeEach(() => {
  timeMs = 0;
});

const keyAt = (index: number): SigningKey => keys[index] as SigningKey;

/** A provider with a tenant at each path `/realms/NAME`, on a server of its own. */
interface Provider {
  readonly template: string;
  readonly issuerOf: (tenant: string) => string;
  /** The tenants whose metadata were read, in this order. */
  readonly asked: string[];
  /** How often keys were read. */
  readonly reads: () => number;
  /** The keys of a tenant; undefined if there is no such tenant. Default: the first key. */
  keysOf: (tenant: string) => readonly SigningKey[] | undefined;
  /** The `issuer` in the metadata. */
  named: (tenant: string) => string;
  isDown: boolean;
}

async function startProvider(
  serve: (listener: RequestListener) => Promise<string> = async (listener) =>
    `http://127.0.0.1:${await listen(createServer(listener))}`,
): Promise<Provider> {
  const asked: string[] = [];
  let reads = 0;
  const origin = await serve((request, response) => {
    const [, tenant = '', rest] = /^\/realms\/([^/]*)\/(.*)$/.exec(request.url ?? '') ?? [];
    if (rest === 'keys') reads++;
    else asked.push(tenant);
    const found = provider.keysOf(tenant);
    if (provider.isDown || found === undefined) {
      response.writeHead(provider.isDown ? 500 : 404).end();
      return;
    }
    response.setHeader('content-type', 'application/json');
    const metadata = { issuer: provider.named(tenant), jwks_uri: `${issuerOf(tenant)}/keys` };
    const body = rest === 'keys' ? { keys: found.map(({ publicJwk }) => publicJwk) } : metadata;
    response.end(JSON.stringify(body));
  });
  const issuerOf = (tenant: string) => `${origin}/realms/${tenant}`;
  const provider: Provider = {
    template: `${origin}/realms/{realm}`,
    issuerOf,
    asked,
    reads: () => reads,
    keysOf: () => [keyAt(0)],
    named: issuerOf,
    isDown: false,
  };
  return provider;
}

function trust({ template }: Provider, more: object = {}): Authenticator {
  const keyset = { issuer: template, useDiscovery: 'oidc', allowHttp: true, ...more } as KeysetOptions;
  return startAuthenticator({ keySets: [keyset], audience: null, clock });
}

const tokenOf = (
  { issuerOf }: Provider,
  tenant: string,
  key = keyAt(0),
  header: { readonly kid?: string } = {},
) => mint(key, { iss: issuerOf(tenant), sub: 'alice', exp: NOW / 1000 + 86_400 }, header);
const outcome = async (authenticator: Authenticator, token: string | Promise<string>) =>
  settled(authenticator.verify(await token));
const names = (count: number, prefix = 'made-up') =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
const tenantsOf = (authenticator: Authenticator) => authenticator.report().keysets[0]?.tenants;

/** The outcomes of one token of each tenant, at the same time, and how often each came. */
async function flood(
  authenticator: Authenticator,
  provider: Provider,
  tenants: readonly string[],
  key = keyAt(2),
) {
  const tokens = await Promise.all(tenants.map((tenant) => tokenOf(provider, tenant, key)));
  const outcomes = await Promise.all(tokens.map((token) => outcome(authenticator, token)));
  return Object.fromEntries(
    [...Map.groupBy(outcomes, (one) => one)].map(([one, all]) => [one, all.length] as const),
  );
}

/** Real requests on a busy machine take longer than a second. */
const PATIENTLY = { timeout: 15_000 };

describe('the keys of a tenant', () => {
  it('T-049: verify its tokens only, over https', async () => {
    const provider = await startProvider(
      async (listener) => `https://localhost:${await listen(createTlsServer(leaf, listener))}`,
    );
    provider.keysOf = (tenant) =>
      tenant === 'acme' ? [keyAt(0)] : tenant === 'beta' ? [keyAt(1)] : undefined;
    const authenticator = trust(provider, {
      tenants: ['acme', 'beta', 'gone'],
      allowHttp: false,
      tls: own,
    });
    expect(await outcome(authenticator, tokenOf(provider, 'acme'))).toBe('accepted');
    expect(await outcome(authenticator, tokenOf(provider, 'beta', keyAt(1)))).toBe('accepted');
    expect(await outcome(authenticator, tokenOf(provider, 'beta'))).toBe('token_key_unknown');
    expect(await outcome(authenticator, tokenOf(provider, 'beta', keyAt(0), { kid: 'k2' }))).toBe(
      'token_signature_invalid',
    );
    expect(await outcome(authenticator, tokenOf(provider, 'gone'))).toBe('keyset_unavailable');
    expect(provider.asked).toEqual(['acme', 'beta', 'gone']);
    expect(authenticator.report().keysets).toMatchObject([
      {
        keyset: 'keySets[0]',
        issuer: provider.template,
        source: 'oidc-discovery',
        state: 'fresh',
        kids: [],
        tenants: { inUse: 2, candidates: 0, failing: 0 },
      },
    ]);
  });

  it('are found by the first label of a host too', async () => {
    const served: string[] = [];
    const origin = (host: string) => `http://${host}`;
    const port = await listen(
      createServer((request, response) => {
        const host = request.headers.host ?? '';
        served.push(`${host}${request.url}`);
        const isKeys = request.url === '/keys';
        const metadata = { issuer: origin(host), jwks_uri: `${origin(host)}/keys` };
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(isKeys ? { keys: [keyAt(0).publicJwk] } : metadata));
      }),
    );
    const proxy = await startProxy({ 'acme.id.example.com': port });
    const keyset = {
      issuer: 'http://{tenant}.id.example.com',
      tenants: ['acme'],
      useOidcDiscovery: true,
      allowHttp: true,
      proxy: proxy.url,
    } as const;
    const authenticator = startAuthenticator({ keySets: [keyset], audience: null, clock });
    const claims = { iss: 'http://acme.id.example.com', sub: 'alice', exp: NOW / 1000 + 60 };
    expect(await outcome(authenticator, mint(keyAt(0), claims))).toBe('accepted');
    expect(served).toEqual([
      'acme.id.example.com/.well-known/openid-configuration',
      'acme.id.example.com/keys',
    ]);
  });

  it('T-135: are not used if the metadata are of another tenant', async () => {
    const provider = await startProvider();
    provider.named = () => provider.issuerOf('beta');
    const authenticator = trust(provider, { tenants: ['acme', 'beta'] });
    expect(await outcome(authenticator, tokenOf(provider, 'acme'))).toBe('keyset_unavailable');
    expect(await outcome(authenticator, tokenOf(provider, 'beta'))).toBe('accepted');
  });

  it('are read for a token, and not before; never for a tenant that is not welcome', async () => {
    const provider = await startProvider();
    const authenticator = trust(provider, { tenants: ['acme'] });
    await authenticator.ready();
    await authenticator.start(1);
    expect(authenticator.report().keysets[0]?.state).toBe('idle');
    expect(await flood(authenticator, provider, names(50))).toEqual({ token_issuer_untrusted: 50 });
    for (const tenant of ['..', '%2e', 'a/b', 'a@b', 'é', '', 'x'.repeat(65)])
      expect(await outcome(authenticator, tokenOf(provider, tenant))).toBe('token_issuer_untrusted');
    expect(provider.asked).toEqual([]);
    expect(await flood(authenticator, provider, ['acme', 'acme', 'acme'], keyAt(0))).toEqual({ accepted: 3 });
    expect(provider.asked).toEqual(['acme']);
  });

  it('have events with the issuer of the tenant', async () => {
    const provider = await startProvider();
    const events = eventsOf('latchkey:keyset:refreshed');
    await outcome(trust(provider, { tenants: ['acme'] }), tokenOf(provider, 'acme'));
    expect(events).toMatchObject([{ keyset: 'keySets[0]', issuer: provider.issuerOf('acme'), keys: 1 }]);
  });

  it('D10: change with a rotation: an unknown kid has them read again, at most once in ten seconds', async () => {
    const provider = await startProvider();
    const authenticator = trust(provider, { tenants: ['acme'] });
    expect(await outcome(authenticator, tokenOf(provider, 'acme'))).toBe('accepted');
    provider.keysOf = () => [keyAt(1)];
    // They were read just now.
    expect(await outcome(authenticator, tokenOf(provider, 'acme', keyAt(1)))).toBe('token_key_unknown');
    expect(provider.reads()).toBe(1);
    timeMs = 10_000;
    expect(await outcome(authenticator, tokenOf(provider, 'acme', keyAt(1)))).toBe('accepted');
    expect(await outcome(authenticator, tokenOf(provider, 'acme'))).toBe('token_key_unknown');
    expect(await outcome(authenticator, tokenOf(provider, 'acme', keyAt(2)))).toBe('token_key_unknown');
    expect(provider.reads()).toBe(2);
  });

  it('end with the authenticator', async () => {
    const provider = await startProvider();
    const authenticator = trust(provider, { tenants: ['acme', 'beta'] });
    expect(await outcome(authenticator, tokenOf(provider, 'acme'))).toBe('accepted');
    await authenticator.close();
    expect(await outcome(authenticator, tokenOf(provider, 'acme'))).toBe('keyset_unavailable');
    expect(await outcome(authenticator, tokenOf(provider, 'beta'))).toBe('keyset_unavailable');
    expect(provider.asked).toEqual(['acme']);
  });
});

describe('made-up tenants', () => {
  it('R23: cause a fixed number of fetches a minute, and delay no tenant in use', async () => {
    const provider = await startProvider();
    provider.keysOf = (tenant) => (tenant.startsWith('made-up') ? undefined : [keyAt(0)]);
    const authenticator = trust(provider, { unsafeAnyTenant: true });
    expect(await outcome(authenticator, tokenOf(provider, 'acme'))).toBe('accepted');
    provider.asked.length = 0;
    const count = MAX_NEW_TENANTS + 200;
    expect(await flood(authenticator, provider, names(count))).toEqual({ keyset_unavailable: count });
    expect(provider.asked).toHaveLength(MAX_NEW_TENANTS);
    // A new tenant has to wait while they flood, and is among the first of the next minute.
    const late = await tokenOf(provider, 'late');
    const refusal = await authenticator.verify(late).catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      detail: 'keySets[0]: too many new tenants',
      headers: { 'Retry-After': '60' },
    });
    expect(await outcome(authenticator, late)).toBe('keyset_unavailable');
    expect(await outcome(authenticator, tokenOf(provider, 'acme'))).toBe('accepted');
    expect(tenantsOf(authenticator)).toEqual({ inUse: 1, candidates: 0, failing: 0 });
    timeMs = MINUTE;
    provider.asked.length = 0;
    await flood(authenticator, provider, names(count, 'made-up-again'));
    expect(await outcome(authenticator, late)).toBe('accepted');
    expect(provider.asked.length).toBeLessThanOrEqual(MAX_NEW_TENANTS + MAX_FAVOURED_TENANTS);
    expect(provider.asked).toContain('late');
  });

  it('R23: that do exist, but sign nothing, push no tenant in use out of its place', async () => {
    const provider = await startProvider();
    const authenticator = trust(provider, { unsafeAnyTenant: true, maxTenants: 1 });
    expect(await outcome(authenticator, tokenOf(provider, 'acme'))).toBe('accepted');
    const windows = Math.ceil((MAX_CANDIDATE_TENANTS + 50) / MAX_NEW_TENANTS);
    for (let window = 0; window < windows; window++) {
      timeMs = window * MINUTE;
      await flood(authenticator, provider, names(MAX_NEW_TENANTS, `made-up-${window}`));
    }
    expect(tenantsOf(authenticator)).toEqual({ inUse: 1, candidates: MAX_CANDIDATE_TENANTS, failing: 0 });
    expect(await outcome(authenticator, tokenOf(provider, 'acme'))).toBe('accepted');
    expect(provider.asked.filter((tenant) => tenant === 'acme')).toHaveLength(1);
  });

  it('tenants whose tokens verify do not count, so a service starts with as many as it has', async () => {
    const provider = await startProvider();
    const authenticator = trust(provider, { unsafeAnyTenant: true });
    const tenants = names(MAX_NEW_TENANTS + 20, 'real');
    for (const tenant of tenants)
      expect(await outcome(authenticator, tokenOf(provider, tenant))).toBe('accepted');
    expect(tenantsOf(authenticator)).toEqual({ inUse: tenants.length, candidates: 0, failing: 0 });
  });

  it('one that failed is not asked for again for ten seconds, and then like a new one', async () => {
    const provider = await startProvider();
    provider.keysOf = () => undefined;
    const authenticator = trust(provider, { unsafeAnyTenant: true });
    const token = await tokenOf(provider, 'acme');
    expect(await outcome(authenticator, token)).toBe('keyset_unavailable');
    provider.keysOf = () => [keyAt(0)];
    timeMs = 9_999;
    expect(await outcome(authenticator, token)).toBe('keyset_unavailable');
    expect(provider.asked).toEqual(['acme']);
    timeMs = 10_000;
    expect(await outcome(authenticator, token)).toBe('accepted');
  });

  it('what is remembered of tenants that have verified is bounded', () => {
    const admission = createAdmission(clock.monotonic, NEW_TENANTS);
    for (const tenant of names(MAX_KNOWN_TENANTS + 1)) admission.confirm(tenant, undefined);
    expect(admission.isConfirmed('made-up-0')).toBe(false);
    expect(admission.isConfirmed('made-up-1')).toBe(true);
  });

  it('made-up kids of many tenants cause a fixed number of fetches a minute too', async () => {
    const provider = await startProvider();
    const authenticator = trust(provider, { unsafeAnyTenant: true });
    const tenants = names(MAX_NEW_TENANTS + 20, 'real');
    for (const tenant of tenants) await outcome(authenticator, tokenOf(provider, tenant));
    const before = provider.reads();
    timeMs = 10_000;
    expect(await flood(authenticator, provider, tenants)).toEqual({
      token_key_unknown: MAX_NEW_TENANTS,
      keyset_unavailable: 20,
    });
    timeMs = 20_000;
    expect(await flood(authenticator, provider, tenants)).toEqual({ keyset_unavailable: tenants.length });
    expect(provider.reads() - before).toBe(MAX_NEW_TENANTS);
    expect(await outcome(authenticator, tokenOf(provider, 'real-0'))).toBe('accepted');
  });
});

describe('more tenants than there is room for', () => {
  it('the one that had no token for the longest time leaves, and comes back at once', async () => {
    const provider = await startProvider();
    const authenticator = trust(provider, { unsafeAnyTenant: true, maxTenants: 2 });
    const ask = (tenant: string) => outcome(authenticator, tokenOf(provider, tenant));
    for (const tenant of ['a', 'b', 'a', 'c']) expect(await ask(tenant)).toBe('accepted');
    expect(tenantsOf(authenticator)).toEqual({ inUse: 2, candidates: 0, failing: 0 });
    expect(await ask('a')).toBe('accepted');
    expect(provider.asked).toEqual(['a', 'b', 'c']);
    // Also while made-up ones use up the limit.
    await flood(authenticator, provider, names(MAX_NEW_TENANTS + 1));
    expect(await ask('b')).toBe('accepted');
    expect(await ask('a')).toBe('accepted');
  });

  it('a cached token of a tenant that has left verifies again', async () => {
    const provider = await startProvider();
    const authenticator = trust(provider, { unsafeAnyTenant: true, maxTenants: 1 });
    const [a, b] = [await tokenOf(provider, 'a'), await tokenOf(provider, 'b')];
    for (let round = 0; round < 3; round++) {
      expect(await outcome(authenticator, a)).toBe('accepted');
      expect(await outcome(authenticator, b)).toBe('accepted');
    }
    provider.keysOf = (tenant) => [keyAt(tenant === 'a' ? 1 : 0)];
    expect(await outcome(authenticator, a)).toBe('token_key_unknown');
  });
});

describe('what an operator is told', () => {
  it('once that the keys of a first tenant cannot be read, and that they can', async () => {
    const provider = await startProvider();
    provider.keysOf = (tenant) => (tenant === 'acme' ? [keyAt(0)] : undefined);
    const authenticator = trust(provider, { unsafeAnyTenant: true });
    const warnings = await warningsOf(async () => {
      await flood(authenticator, provider, names(20));
      expect(await outcome(authenticator, tokenOf(provider, 'acme'))).toBe('accepted');
      await flood(authenticator, provider, names(20, 'made-up-later'));
    });
    expect(warnings).toEqual([
      expect.stringMatching(
        /^Warning LATCHKEY_UNAVAILABLE: keySets\[0\]: no keys from http:.*\/realms\/made-up-\d+\/\.well-known\/openid-configuration: .*404/,
      ),
      'Warning LATCHKEY_RECOVERED: keySets[0]: the keys of a tenant have been read',
    ]);
  });

  it('of an outage, by the first five tenants in use, and then that there are more', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const provider = await startProvider();
      const authenticator = trust(provider, { tenants: names(8, 't'), refreshInterval: '60s' });
      for (const tenant of names(8, 't'))
        expect(await outcome(authenticator, tokenOf(provider, tenant))).toBe('accepted');
      provider.isDown = true;
      timeMs = 50_000;
      const outage = await warningsOf(async () => {
        await vi.advanceTimersByTimeAsync(50_000);
        await vi.waitFor(() => expect(tenantsOf(authenticator)?.failing).toBe(8), PATIENTLY);
      });
      expect(outage).toHaveLength(6);
      for (const warning of outage.slice(0, 5))
        expect(warning).toMatch(
          /^Warning LATCHKEY_UNAVAILABLE: keySets\[0\]: http:.*\/realms\/t-\d\/.* fails: .*its last keys are used/,
        );
      expect(outage[5]).toBe(
        'Warning LATCHKEY_UNAVAILABLE: keySets[0]: the keys of more than 5 tenants cannot be read; report() says how many',
      );
      expect(authenticator.report().keysets[0]).toMatchObject({ state: 'fresh', tenants: { failing: 8 } });
      expect(await outcome(authenticator, tokenOf(provider, 't-7'))).toBe('accepted');
      provider.isDown = false;
      const after = await warningsOf(async () => {
        await vi.advanceTimersByTimeAsync(2_000);
        await vi.waitFor(() => expect(tenantsOf(authenticator)?.failing).toBe(0), PATIENTLY);
      });
      expect(after.filter((warning) => warning.includes('RECOVERED'))).toHaveLength(6);
      expect(after).toContain(
        'Warning LATCHKEY_RECOVERED: keySets[0]: the keys of all tenants in use can be read again',
      );
    } finally {
      vi.useRealTimers();
    }
  });
});
