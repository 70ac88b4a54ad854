// Kubernetes, from the page in docs/providers alone: an API server with an authority of its own,
// which gives its keys only for the token in the file of the pod, and replaces that token.
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthenticator, type JsonObject } from '@latchkey/core';
import { parseDescriptor } from '@latchkey/core/tools';
import { createAuthority } from '@latchkey/test-kit/certificate';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { type RunningHosts, startHosts } from './hosts.ts';
import { argumentOf, blocksOf, COMMANDS } from './provider-pages.ts';

const MOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
const ISSUER = 'https://kubernetes.default.svc.cluster.local';
const API = 'kubernetes.default.svc';
const GUIDE = '../../../docs/guides/key-sources.md';
const page = COMMANDS.find(({ provider }) => provider === 'kubernetes');

let first: SigningKey;
let second: SigningKey;
let pod: string;
let server: RunningHosts;
/** What the API server accepts and publishes at the moment. */
let accepted: string;
const published: JsonObject[] = [];
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  [first, second] = await Promise.all([
    generateSigningKey('RS256', 'first'),
    generateSigningKey('RS256', 'second'),
  ]);
});
beforeEach(async () => {
  pod = mkdtempSync(join(tmpdir(), 'latchkey-pod-'));
  published.splice(0, published.length, first.publicJwk);
  const metadata = { issuer: `https://${API}`, jwks_uri: `https://${API}/openid/v1/jwks` };
  server = await startHosts(
    { [API]: { '/.well-known/openid-configuration': metadata, '/openid/v1/jwks': { keys: published } } },
    ({ headers }) => headers.authorization === `Bearer ${accepted}`,
  );
  writeFileSync(join(pod, 'ca.crt'), server.ca);
  give('token-of-monday');
  accepted = 'token-of-monday';
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  for (const close of closing.splice(0)) await close();
  await server.close();
  rmSync(pod, { recursive: true });
});

/** Replaces the token of the pod as the kubelet does, in one step. */
function give(token: string): void {
  writeFileSync(join(pod, 'new'), token);
  renameSync(join(pod, 'new'), join(pod, 'token'));
}

/** Starts a service with a descriptor, whose paths are those of this pod. */
function start(text = page?.written ?? '') {
  const descriptor = join(pod, 'service.yaml');
  writeFileSync(descriptor, text.replaceAll(MOUNT, pod));
  const authenticator = createAuthenticator({ descriptor });
  closing.push(() => authenticator.close());
  return authenticator;
}

function token(key: SigningKey, changes: JsonObject = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return mint(key, { ...page?.claims, iat: now, nbf: now, exp: now + 3600, ...changes });
}

it('a token of a service account is verified with the keys of the API server', async () => {
  const authenticator = start();
  await authenticator.ready();
  expect(await authenticator.verify(await token(first))).toMatchObject({
    subject: 'system:serviceaccount:shop:checkout',
    issuer: ISSUER,
  });
  expect(server.requests).toEqual([`https://${API}/openid/v1/jwks`]);
});

it('keys are read with the token that the pod has at that moment', async () => {
  const authenticator = start();
  await authenticator.ready();
  accepted = 'token-of-tuesday';
  give('token-of-tuesday');
  published.push(second.publicJwk);
  expect(await authenticator.verify(await token(second))).toMatchObject({ issuer: ISSUER });
  expect(server.requests).toHaveLength(2);
});

it('without the right token, the start says what the API server answers, and not the token', async () => {
  accepted = 'another-token';
  const error = await start()
    .ready()
    .catch((reason: unknown) => reason);
  expect(String(error)).toMatch(/keySets\[0\]: no keys from https:\/\/kubernetes\.default\.svc.*401/);
  expect(String(error)).not.toContain('token-of-monday');
});

it('a server with a certificate of another authority gets no token', async () => {
  writeFileSync(join(pod, 'ca.crt'), createAuthority('somebody else').cert);
  await expect(start().ready()).rejects.toThrow(/certificate/);
  expect(server.requests).toEqual([]);
});

it('the API server is called directly, also where there is a proxy', async () => {
  vi.stubEnv('HTTPS_PROXY', 'http://127.0.0.1:9');
  await start().ready();
  expect(server.requests).toHaveLength(1);
});

it('discovery at the API server has the same token and the same authority', async () => {
  const text = (page?.written ?? '')
    .replace(ISSUER, `https://${API}`)
    .replace(/jwksUrl: .*/, 'useOidcDiscovery: true');
  await start(text).ready();
  expect(server.requests).toEqual([
    `https://${API}/.well-known/openid-configuration`,
    `https://${API}/openid/v1/jwks`,
  ]);
});

it('the guide to keys has the options of the page', () => {
  const guide = readFileSync(new URL(GUIDE, import.meta.url), 'utf8');
  const block = blocksOf(guide, 'js').find((code) => code.includes('kubernetes.default.svc/')) ?? '';
  expect(argumentOf(block.replace('const cluster', 'const authenticator'))).toEqual(
    parseDescriptor(page?.written ?? '', 'service.yaml').jwt,
  );
});
