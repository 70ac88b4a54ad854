// What each runtime keeps of the options and guards of connections, against real servers: each cell
// of NETWORK.

import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateSigningKey, mint } from '@latchkey/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Keeps, NETWORK } from '../src/network.ts';
import type { Outcome, Probe } from '../src/probe-process.ts';
import { RUNTIMES } from '../src/runtimes.ts';
import { createProber } from './probe.ts';
import {
  AUDIENCE,
  authority,
  BAD_CERTIFICATES,
  type CertificateName,
  ISSUER,
  otherAuthority,
  type Servers,
  startServers,
  tokenFor,
} from './servers.ts';

const folder = mkdtempSync(join(tmpdir(), 'latchkey-runtimes-'));
const caFile = join(folder, 'ca.pem');
const tokenFile = join(folder, 'token');
let servers: Servers;
let token: string;

beforeAll(async () => {
  servers = await startServers();
  token = await tokenFor();
  writeFileSync(caFile, authority.cert);
  const claims = { aud: 'friends', sub: 'me', exp: 4_000_000_000 };
  writeFileSync(tokenFile, await mint(await generateSigningKey('ES256', 'k'), claims));
});
afterAll(async () => {
  await servers.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  for (const seen of [servers.requests, servers.proxied, servers.binds]) seen.length = 0;
});

const trusting = { NODE_EXTRA_CA_CERTS: caFile };
const careless = { ...trusting, NODE_TLS_REJECT_UNAUTHORIZED: '0' };
// Node reads the variables only if it is told to.
const proxied = () => ({
  ...trusting,
  NODE_USE_ENV_PROXY: '1',
  HTTPS_PROXY: servers.proxy,
  HTTP_PROXY: servers.proxy,
});

const keyset = (given: object, bearer = token): Probe => ({
  use: 'authenticator',
  options: { keySets: [{ issuer: ISSUER, ...given }] as never, audience: AUDIENCE },
  token: bearer,
});
const remote = (url: string, more: object = {}): Probe => ({
  use: 'authenticator',
  options: { keySets: [], remote: { url, ...more }, audience: AUDIENCE },
  token,
});
const directory = (host: string): Probe => ({
  use: 'ldap',
  options: {
    url: `ldaps://${host}`,
    bind: { dn: 'cn=reader', password: { name: 'ldap', key: 'password' } },
    users: { base: 'ou=people,dc=example' },
    groups: { base: 'ou=groups,dc=example' },
  },
});
const service = (url: string): Probe => ({
  use: 'serviceFetch',
  options: { tokens: [{ file: tokenFile, audience: 'friends', hosts: [new URL(url).host] }] },
  url,
});
const jwksUrl = (certificate: CertificateName = 'good') => `https://${servers.tls[certificate]}/jwks`;
const callsTo = (certificate: CertificateName): readonly Probe[] => [
  keyset({ jwksUrl: jwksUrl(certificate) }),
  { use: 'signer', options: { jwkUrl: `https://${servers.tls[certificate]}/signing`, kid: 'k' } },
  remote(`https://${servers.tls[certificate]}/validate`),
];
const ca = { pem: authority.cert };
const pinOf = (pem: string) =>
  createHash('sha256')
    .update(new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64');

type Asked = readonly (readonly [Probe, Outcome['is']])[];

/** What is asked, and what comes of it on a runtime that keeps the feature. */
interface Check {
  readonly asked: () => Asked | Promise<Asked>;
  /** Default: the CA of the servers is trusted. */
  readonly variables?: () => Readonly<Record<string, string>>;
  /** What the servers must have seen. */
  readonly seen?: () => void;
}

const none = () => {
  expect(servers.requests, 'requests').toEqual([]);
  expect(servers.binds, 'binds').toEqual([]);
};
const badCertificates = () =>
  BAD_CERTIFICATES.flatMap((name) =>
    [...callsTo(name), directory(servers.directories[name])].map((one) => [one, 'fails'] as const),
  );

const CHECKS: Readonly<Record<keyof typeof NETWORK, Check>> = {
  https: {
    asked: () => [
      ...callsTo('good').map((one) => [one, 'works'] as const),
      // This directory only takes the password.
      [directory(servers.directories.good), 'fails'],
    ],
    seen: () => {
      expect(servers.requests).toEqual(['GET /jwks', 'GET /signing', 'POST /validate']);
      expect(servers.binds).toEqual([expect.stringContaining('canary-password')]);
    },
  },
  refusesCertificates: { asked: badCertificates, seen: none },
  ignoresRejectUnauthorized: { asked: badCertificates, variables: () => careless, seen: none },
  environmentProxy: {
    asked: () => [
      [keyset({ jwksUrl: `https://${servers.behindProxy}/jwks` }), 'works'],
      [remote(`https://${servers.behindProxy}/validate`), 'works'],
    ],
    variables: proxied,
    seen: () => expect(new Set(servers.proxied)).toEqual(new Set([`CONNECT ${servers.behindProxy}`])),
  },
  loopbackIsDirect: {
    asked: () => [
      [remote(`http://${servers.plain}/validate`), 'works'],
      [keyset({ jwksUrl: `http://${servers.plain}/jwks`, allowHttp: true }), 'works'],
    ],
    variables: proxied,
    seen: () => expect(servers.proxied).toEqual([]),
  },
  serviceTokens: {
    asked: () => [[service(`http://${servers.plain}/friends`), 'fails']],
    variables: proxied,
    seen: () => expect([servers.proxied, servers.requests]).toEqual([[], []]),
  },
  redirects: {
    asked: () => [[keyset({ jwksUrl: `https://${servers.tls.good}/elsewhere` }), 'fails']],
    seen: () => expect(servers.requests).toEqual(['GET /elsewhere']),
  },
  timeouts: {
    asked: () => [[remote(`https://${servers.tls.good}/silent`, { timeout: '100ms' }), 'fails']],
    seen: () => expect(servers.requests).toEqual(['POST /silent']),
  },
  hosts: {
    asked: async () => [
      [
        keyset(
          { jwksHosts: [servers.tls.good], unsafeAllowPrivateAddresses: true },
          await tokenFor(jwksUrl()),
        ),
        'works',
      ],
    ],
  },
  ca: {
    asked: () => [
      [keyset({ jwksUrl: jwksUrl(), tls: { ca } }), 'works'],
      [keyset({ jwksUrl: jwksUrl(), tls: { ca: { pem: otherAuthority.cert } } }), 'fails'],
      [remote(`https://${servers.tls.good}/validate`, { tls: { ca } }), 'works'],
      [
        { use: 'signer', options: { jwkUrl: `https://${servers.tls.good}/signing`, kid: 'k', tls: { ca } } },
        'works',
      ],
    ],
  },
  fingerprints: {
    asked: () => [
      [keyset({ jwksUrl: jwksUrl(), tls: { ca, fingerprints: [pinOf(authority.cert)] } }), 'works'],
      [keyset({ jwksUrl: jwksUrl(), tls: { ca, fingerprints: [pinOf(otherAuthority.cert)] } }), 'fails'],
    ],
    seen: () => expect(servers.requests).toEqual(['GET /jwks']),
  },
  cipherSuites: {
    asked: () => [
      [keyset({ jwksUrl: jwksUrl('with one cipher suite'), tls: { ca, cipherSuites: [4865] } }), 'works'],
      [keyset({ jwksUrl: jwksUrl('with one cipher suite'), tls: { ca, cipherSuites: [4866] } }), 'fails'],
    ],
  },
  proxy: {
    asked: () => [
      [keyset({ jwksUrl: `https://${servers.behindProxy}/jwks`, proxy: servers.proxy }), 'works'],
      [keyset({ jwksUrl: `https://${servers.behindProxy}/jwks`, proxy: false }), 'fails'],
    ],
    seen: () => expect(servers.proxied).toEqual([`CONNECT ${servers.behindProxy}`]),
  },
  privateAddresses: {
    asked: async () => [[keyset({ jwksHosts: [servers.tls.good] }, await tokenFor(jwksUrl())), 'fails']],
    seen: none,
  },
};

const NODE = { name: 'Node 24', program: process.execPath, args: ['--conditions=source'] } as const;
const OTHERS = RUNTIMES.filter(({ name }) => name === 'Deno' || name === 'Bun');

describe.each([NODE, ...OTHERS])('$name', (runtime) => {
  const prober = createProber(runtime);
  afterAll(() => prober.close());

  it.skipIf(runtime.program === undefined).each(Object.keys(NETWORK) as (keyof typeof NETWORK)[])(
    '%s',
    async (name) => {
      const { asked, variables = () => trusting, seen = () => {} } = CHECKS[name];
      const pairs = await asked();
      const outcomes = await prober.run(
        pairs.map(([one]) => one),
        variables(),
      );
      const keeps: Keeps = Reflect.get(NETWORK[name], runtime.name) ?? 'yes';
      if (keeps === 'refused') {
        const text = expect.stringContaining(`not on ${runtime.name}, `);
        expect(outcomes).toEqual(pairs.map(() => ({ is: 'refused', text })));
        expect([...servers.requests, ...servers.proxied, ...servers.binds]).toEqual([]);
      } else {
        expect(outcomes.map(({ is, text }) => [is, text])).toEqual(
          pairs.map(([, is]) => [is, expect.any(String)]),
        );
        seen();
      }
    },
  );
});
