// A system without an identity server: it makes its own keys and tokens, or takes those that are
// made outside.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIssuer } from '@latchkey/testing';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, createAuthenticator } from '../../src/index.ts';
import { createUserToken, initAuthDirectory, userTokenFile } from '../../src/own-keys/index.ts';
import { createSigner, generateJwk } from '../../src/signing/index.ts';

let directory: string;
let server: Server;

beforeAll(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'latchkey-own-')), '.auth');
  server = createServer((request, response) => {
    const accepts = request.headers.authorization === 'Bearer opaque-and-good';
    response.writeHead(accepts ? 200 : 401, { 'content-type': 'application/json' });
    response.end(JSON.stringify(accepts ? { sub: 'alice' } : {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  await rm(join(directory, '..'), { recursive: true });
  await new Promise((resolve) => server.close(resolve));
});

describe('tokens that are made outside', () => {
  it('OK-1: are verified by the keys of their maker', async () => {
    const issuer = await createIssuer();
    const authenticator = createAuthenticator({
      keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
      audience: issuer.audience,
    });
    expect((await authenticator.verify(await issuer.mint({ sub: 'alice' }))).subject).toBe('alice');
    await authenticator.close();
    await issuer.close();
  });

  it('OK-1: or an outside service validates them', async () => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/validate`;
    const authenticator = createAuthenticator({ keySets: [], remote: { url }, audience: null });
    expect((await authenticator.verify('opaque-and-good')).subject).toBe('alice');
    await expect(authenticator.verify('opaque-and-bad')).rejects.toMatchObject({ code: 'token_rejected' });
    await authenticator.close();
  });
});

describe('tokens of the system itself', () => {
  it('KD-2: are signed and verified with nothing but a key', async () => {
    const jwk = await generateJwk('HS256', 'one');
    const secrets = { description: 'test', read: async () => Buffer.from(JSON.stringify({ keys: [jwk] })) };
    const secret = { name: 'login' };
    const signer = createSigner({
      secret,
      secrets,
      issuer: 'urn:monolith',
      audience: 'urn:orders',
      expiresIn: '5m',
    });
    const keySets = [{ issuer: 'urn:monolith', secret }];
    const orders = createAuthenticator({ keySets, secrets, audience: 'urn:orders' });
    expect((await orders.verify(await signer.sign({ sub: 'alice' }))).subject).toBe('alice');
  });

  it('OK-15, S55: a key pair and a system token are made, and made again only when asked explicitly', async () => {
    const { made } = await initAuthDirectory({ directory });
    expect(made.map((file) => file.slice(directory.length + 1)).sort()).toEqual([
      'id_rsa',
      'id_rsa.pub',
      'system.token',
    ]);
    const key = await readFile(join(directory, 'id_rsa'), 'utf8');
    await expect(initAuthDirectory({ directory })).rejects.toThrow(ConfigError);
    expect(await readFile(join(directory, 'id_rsa'), 'utf8')).toBe(key);
    await initAuthDirectory({ directory, force: true });
    expect(await readFile(join(directory, 'id_rsa'), 'utf8')).not.toBe(key);
  });

  it('OK-16, OK-17, S54: a token for a user is saved where it is found again, and is from this machine', async () => {
    const { token } = await createUserToken('analyst', ['analyst_group'], { directory });
    expect((await readFile(userTokenFile('analyst', { directory }), 'utf8')).trim()).toBe(token);
    expect(decodeJwt(token)).toMatchObject({ sub: 'analyst', iss: hostname(), groups: ['analyst_group'] });
  });
});
