// The pages in docs/providers: each command writes exactly the options of its page, reading the
// keys from hosts of the real names. A service with these options accepts the token of the page,
// and refuses tokens that differ in what the options are for.

import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthenticator, createDirectoryStore, type JsonObject, route } from '@latchkey/core';
import { lintDescriptor, parseDescriptor } from '@latchkey/core/tools';
import { forge, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../src/index.ts';
import { PROVIDERS } from '../src/providers/choose.ts';
import { type Hosts, type RunningHosts, startHosts } from './hosts.ts';
import { blocksOf, COMMANDS, PAGES, type PageCommand, textOf } from './provider-pages.ts';
import { createTerminal } from './terminal.ts';

const MOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** By provider, claims in place of those of the page: each of them makes a token for others. */
const REFUSED: { readonly [provider: string]: { readonly [why: string]: JsonObject } } = {
  auth0: {
    'another API': { aud: 'https://other.example.com' },
    'an ID token': { aud: 'my_client_id' },
    'another tenant': { iss: 'https://other.eu.auth0.com/' },
    'no slash': { iss: 'https://tenant.eu.auth0.com' },
  },
  clerk: {
    'another page': { azp: 'https://evil.example.com' },
    'no page': { azp: null },
    'a pending session': { sts: 'pending' },
    'another application': { iss: 'https://clerk.other.example' },
  },
  'cloudflare-access': {
    'another application': { aud: ['0000'] },
    'another team': { iss: 'https://other.cloudflareaccess.com' },
  },
  cognito: {
    'another app client': { client_id: 'other' },
    'an ID token': { token_use: 'id', client_id: null, aud: '1h57kf5cpq17m0eml12example' },
    'another pool': { iss: 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other' },
  },
  entra: {
    'another API': { aud: '00000003-0000-0000-c000-000000000000' },
    'no API': { aud: null },
    'the URI of version 1': { aud: 'api://orders' },
    'another tenant': { iss: 'https://login.microsoftonline.com/00000000-0000-0000-0000-000000000001/v2.0' },
    'version 1': { iss: 'https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/' },
  },
  'entra-v1': {
    'another API': { aud: 'https://graph.microsoft.com' },
    'another tenant': { iss: 'https://sts.windows.net/00000000-0000-0000-0000-000000000001/' },
  },
  firebase: {
    'another project': { iss: 'https://securetoken.google.com/other', aud: 'other' },
    'the audience of another project': { aud: 'other' },
  },
  'github-actions': {
    'another repository': { repository: 'octo-org/other', repository_id: '1' },
    'another repository of this name': { repository_id: '999' },
    'another branch': { ref: 'refs/heads/other' },
    'another audience': { aud: 'https://github.com/octo-org' },
  },
  google: {
    'another application': { aud: 'other.apps.googleusercontent.com' },
    'another organization': { hd: 'other.example' },
    'a private account': { hd: null },
  },
  iap: {
    'another backend': { aud: '/projects/123456789012/global/backendServices/1' },
    'another project': { aud: '/projects/1/global/backendServices/9876543210' },
    'an ID token of Google': { iss: 'https://accounts.google.com' },
  },
  keycloak: {
    'an ID token': { typ: 'ID' },
    'another client': { aud: 'account', azp: 'other' },
    'another realm': { iss: 'https://sso.example.com/realms/other' },
  },
  kubernetes: {
    'another service account': { sub: 'system:serviceaccount:shop:other' },
    'a token for the API server': { aud: ['https://kubernetes.default.svc.cluster.local'] },
    'another cluster': { iss: 'https://other.example' },
  },
  okta: {
    'an ID token': { aud: '0oa1' },
    'the org server': { iss: 'https://example.okta.com' },
  },
  spiffe: {
    'another trust domain': { sub: 'spiffe://other.org/ns/shop/sa/checkout' },
    'a look-alike': { sub: 'spiffe://exampleXorg/ns/shop/sa/checkout' },
    'another service': { aud: ['billing'] },
    'no service': { aud: null },
  },
  supabase: {
    'another project': { iss: 'https://other.supabase.co/auth/v1' },
    'the key of a server': { role: 'service_role' },
    'no user': { aud: 'anon' },
  },
};

const keys = new Map<string, SigningKey>();
let cwd: string;
let hosts: RunningHosts | undefined;

beforeAll(async () => {
  for (const algorithm of ['RS256', 'ES256'] as const)
    keys.set(algorithm, await generateSigningKey(algorithm, `key-${algorithm}`));
});
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'latchkey-pages-'));
});
afterEach(async () => {
  await hosts?.close();
  hosts = undefined;
  rmSync(cwd, { recursive: true });
});

/** The options of a keyset that the hosts of a test need. */
interface PageKeyset {
  readonly issuer?: string;
  readonly jwksUrl?: string;
  readonly keyUse?: string;
  readonly allowedAlgorithms?: readonly string[];
}

/** The test of the written options checks them. */
const keysetsOf = (text: string) =>
  parseDescriptor(text, 'service.yaml').jwt.keySets as readonly PageKeyset[];
const keyOf = ({ written }: PageCommand) => {
  const [keyset] = keysetsOf(written);
  return keys.get(keyset?.allowedAlgorithms?.[0] ?? 'RS256') as SigningKey;
};

/** The hosts that a page names: with the metadata of the issuer for discovery, and the keys. */
function hostsOf(command: PageCommand): Hosts {
  const found: Record<string, Record<string, unknown>> = {};
  const serve = (url: string, body: unknown) => {
    const { host, pathname } = new URL(url);
    found[host] = { ...found[host], [pathname]: body };
  };
  const key = keyOf(command).publicJwk;
  for (const { issuer, jwksUrl, keyUse } of keysetsOf(command.written)) {
    const base = String(issuer).replace(/\/$/, '');
    if (jwksUrl === undefined)
      serve(`${base}/.well-known/openid-configuration`, { issuer, jwks_uri: `${base}/jwks` });
    // A bundle of SPIFFE names a use, and no algorithm.
    const { alg: _alg, ...bare } = key;
    // Entra says of a key for all tenants whose it is.
    const ofAll = issuer?.includes('{tid}') === true ? { issuer: issuer.replace('tid', 'tenantid') } : {};
    const published = keyUse === undefined ? { ...key, ...ofAll } : { ...bare, use: keyUse };
    serve(jwksUrl ?? `${base}/jwks`, { keys: [published] });
  }
  return found;
}

async function latchkey(words: readonly string[]) {
  const { terminal, stdout, stderr } = createTerminal({ cwd });
  return { code: await run(words, terminal), stdout: stdout(), stderr: stderr() };
}

/** Mints a token as of now: the times of the page move together. */
function tokenOf(command: PageCommand, changes: JsonObject = {}): Promise<string> {
  const shift = Math.floor(Date.now() / 1000) - Number(command.claims.iat);
  const times = ['iat', 'exp', 'nbf', 'auth_time'].flatMap((name) => {
    const time = command.claims[name];
    return typeof time === 'number' ? [[name, time + shift] as const] : [];
  });
  const claims: JsonObject = { ...command.claims, ...Object.fromEntries(times), ...changes };
  const given = Object.entries(claims).map(([name, value]) => [name, value ?? undefined]);
  return mint(keyOf(command), Object.fromEntries(given));
}

/** Writes the descriptor of a page, with the files of a pod in this folder. */
function writeService({ written, routes }: PageCommand, ca: string): string {
  writeFileSync(join(cwd, 'ca.crt'), ca);
  writeFileSync(join(cwd, 'token'), 'the-token-of-this-pod\n');
  const descriptor = join(cwd, 'service.yaml');
  const named = `    routes: ${JSON.stringify(routes)}\n`;
  writeFileSync(descriptor, written.replaceAll(MOUNT, cwd) + named);
  return descriptor;
}

describe('the pages', () => {
  it('are for all providers, and the index names them', () => {
    expect(new Set(COMMANDS.map(({ provider }) => provider))).toEqual(
      new Set(PROVIDERS.map(({ name }) => name)),
    );
    expect(new Set(PROVIDERS.map(({ page }) => `${page}.md`))).toEqual(new Set(PAGES));
    const index = textOf('README.md');
    for (const page of PAGES) expect(index).toContain(`](${page})`);
    for (const { name } of PROVIDERS) expect(Object.keys(REFUSED[name] ?? {}).length).toBeGreaterThan(1);
  });

  it.each(PAGES)('%s has only blocks that lint accepts', async (page) => {
    const files = blocksOf(textOf(page), 'yaml').filter((block) => /^(?:name|service):/.test(block));
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      const findings = await lintDescriptor(parseDescriptor(file, page), { environment: {} });
      const named = new Set(
        findings.map(({ rule }) => rule).filter((rule) => textOf(page).includes(`\`${rule}\``)),
      );
      expect(findings.filter(({ rule }) => !named.has(rule))).toEqual([]);
      expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    }
  });
});

describe.each(COMMANDS.map((command) => [command.words.slice(3).join(' '), command] as const))(
  '%s',
  (_, command) => {
    const isInCluster = command.written.includes(MOUNT);

    it('writes what the page says, and code has the same', async () => {
      hosts = await startHosts(hostsOf(command));
      const { code, stderr } = await latchkey(command.words);
      expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.not.stringContaining('warning') });
      expect(readFileSync(join(cwd, 'service.yaml'), 'utf8')).toBe(command.written);
      expect(parseDescriptor(command.written, 'a').jwt).toEqual(command.options);
      expect(hosts.requests.length > 0).toBe(!isInCluster);
    });

    it('lets the token of the page pass, and none that is for others', async () => {
      hosts = await startHosts(hostsOf(command));
      const descriptor = writeService(command, hosts.ca);
      const authenticator = createAuthenticator({ descriptor });
      const decide = async (token: string) => {
        const [, name = 'authorization'] = /^ +- header: (\S+)$/m.exec(command.written) ?? [];
        const headers = { [name]: name === 'authorization' ? `Bearer ${token}` : token };
        return authenticator.authenticate({ method: 'GET', url: '/', headers });
      };
      try {
        const principal = await decide(await tokenOf(command));
        expect(principal?.subject).toBe(command.claims.sub);
        for (const [why, changes] of Object.entries(REFUSED[command.provider] ?? {})) {
          const refusal = decide(await tokenOf(command, changes));
          await expect(refusal, why).rejects.toMatchObject({ status: 401 });
        }
        const key = await generateSigningKey(keyOf(command).alg, keyOf(command).kid);
        const claims = JSON.parse(
          Buffer.from((await tokenOf(command)).split('.')[1] ?? '', 'base64url').toString(),
        );
        await expect(decide(await mint(key, claims)), 'another key').rejects.toMatchObject({ status: 401 });
      } finally {
        await authenticator.close();
      }
    });

    it('has rules that hold for the token of the page, and not for one without that claim', async () => {
      hosts = await startHosts(hostsOf(command));
      const authenticator = createAuthenticator({ descriptor: writeService(command, hosts.ca) });
      try {
        for (const [name, { claims }] of Object.entries(command.routes)) {
          await authenticator.verify(await tokenOf(command), route(name));
          // By path, or by name.
          const [, inside] = /"path":\["([^"]+)"/.exec(JSON.stringify(claims)) ?? [];
          const claim = inside ?? Object.keys(claims ?? {})[0] ?? '';
          // Entra and Okta have the scopes in another claim.
          const held = command.claims[claim] === undefined ? 'scp' : claim;
          const other = await tokenOf(command, {
            [held]: held === 'sub' ? `other-${command.claims.sub}` : null,
          });
          await expect(authenticator.verify(other, route(name)), name).rejects.toMatchObject({
            status: expect.toBeOneOf([401, 403]),
          });
        }
      } finally {
        await authenticator.close();
      }
    });
  },
);

it('entra has a token of each of several tenants, whose tid says the same as iss', async () => {
  const several = ({ written }: PageCommand) => written.includes('{tid}');
  const command = COMMANDS.find(several) as PageCommand;
  hosts = await startHosts(hostsOf(command));
  const authenticator = createAuthenticator({ descriptor: writeService(command, hosts.ca) });
  const [, first = ''] = /--tenant ([\w-]+)/.exec(command.words.join(' ')) ?? [];
  const iss = `https://login.microsoftonline.com/${first}/v2.0`;
  try {
    const token = await tokenOf(command, { iss, tid: first });
    expect(await authenticator.verify(token)).toMatchObject({ issuer: iss });
    const mixed = await tokenOf(command, { iss });
    await expect(authenticator.verify(mixed)).rejects.toMatchObject({ status: 401 });
  } finally {
    await authenticator.close();
  }
});

it('google has both spellings of its issuer', async () => {
  const command = COMMANDS.find(({ provider }) => provider === 'google') as PageCommand;
  hosts = await startHosts(hostsOf(command));
  const authenticator = createAuthenticator({ descriptor: writeService(command, hosts.ca) });
  try {
    const token = await tokenOf(command, { iss: 'accounts.google.com' });
    expect(await authenticator.verify(token)).toMatchObject({ issuer: 'accounts.google.com' });
  } finally {
    await authenticator.close();
  }
});

it('supabase: the options for a shared secret accept its tokens, and none with another secret', async () => {
  const options = blocksOf(textOf('supabase.md'), 'yaml').find((block) => block.includes('HS256')) ?? '';
  const secret = 'super-secret-jwt-token-with-at-least-32-characters-long';
  mkdirSync(join(cwd, 'secrets', 'supabase'), { recursive: true });
  writeFileSync(join(cwd, 'secrets', 'supabase', 'secret.key'), secret, { mode: 0o600 });
  writeFileSync(join(cwd, 'service.yaml'), options);
  const command = COMMANDS.find(({ provider }) => provider === 'supabase') as PageCommand;
  const [, payload = ''] = (await tokenOf(command)).split('.');
  const signed = (key: string) =>
    forge({
      header: { alg: 'HS256', typ: 'JWT', kid: 'legacy' },
      payload: Buffer.from(payload, 'base64url'),
      signature: (input) => createHmac('sha256', key).update(input).digest(),
    });
  const secrets = createDirectoryStore(join(cwd, 'secrets'));
  const authenticator = createAuthenticator({ descriptor: join(cwd, 'service.yaml'), secrets });
  try {
    expect(await authenticator.verify(signed(secret))).toMatchObject({ subject: command.claims.sub });
    await expect(authenticator.verify(signed(`${secret}!`))).rejects.toMatchObject({ status: 401 });
  } finally {
    await authenticator.close();
  }
});
