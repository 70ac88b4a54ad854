// A token without a kid whose header names the certificate of its key, as AD FS writes it: x5t and
// x5t#S256 find a key, and never make one trusted.
import { createHash, createPublicKey, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { forge, generateSigningKey, type SigningKey } from '@latchkey/testing';
import { generate } from 'selfsigned';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Authenticator, isAuthError, type KeysetOptions } from '../../src/index.ts';
import type { JsonObject } from '../../src/values/json.ts';
import { startAuthenticator } from '../support/authenticators.ts';
import { listen } from '../support/servers.ts';

const ISSUER = 'https://issuer.example';

let [first, second, stranger]: readonly SigningKey[] = [];
/** The certificate of the second key, in base64. */
let certificate: string;
let x5t: string;
let x5tS256: string;

beforeAll(async () => {
  [first, second, stranger] = await Promise.all(
    ['first', 'second', 'stranger'].map((kid) => generateSigningKey('ES256', kid)),
  );
  const { cert } = await generate([{ name: 'commonName', value: 'issuer.example' }], {
    algorithm: 'sha256',
    keyType: 'ec',
    keyPair: {
      privateKey: (second as SigningKey).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      publicKey: createPublicKey((second as SigningKey).privateKey)
        .export({ type: 'spki', format: 'pem' })
        .toString(),
    },
  });
  certificate = cert.replace(/-----[^-]+-----|\s/g, '');
  const digest = (hash: string) =>
    createHash(hash).update(Buffer.from(certificate, 'base64')).digest('base64url');
  [x5t, x5tS256] = [digest('sha1'), digest('sha256')];
});

function tokenOf(key: SigningKey | undefined, header: object): string {
  return forge({
    header: { alg: 'ES256', ...header },
    payload: { iss: ISSUER, sub: 'alice', exp: 4_000_000_000 },
    signature: (input) =>
      sign('sha256', input, { key: (key as SigningKey).privateKey, dsaEncoding: 'ieee-p1363' }),
  });
}

function start(keys: readonly unknown[], more: object = {}): Authenticator {
  const keyset = { issuer: ISSUER, jwks: { keys }, ...more } as KeysetOptions;
  return startAuthenticator({ keySets: [keyset], audience: null });
}

async function outcome(authenticator: Authenticator, token: string): Promise<string> {
  try {
    return String((await authenticator.verify(token)).subject);
  } catch (error) {
    return isAuthError(error) ? `${error.code}: ${error.detail}` : String(error);
  }
}

const jwk = (key: SigningKey | undefined, more: object = {}): JsonObject => ({
  ...((key as SigningKey).publicJwk as JsonObject),
  ...more,
});

describe('the certificate of a key', () => {
  it.each<[title: string, members: () => object]>([
    ['is in x5c', () => ({ x5c: [certificate] })],
    ['is in x5t', () => ({ x5t })],
    ['is in x5t#S256', () => ({ 'x5t#S256': x5tS256 })],
    ['is in all of them', () => ({ x5c: [certificate], x5t, 'x5t#S256': x5tS256 })],
    ['is in x5c, next to an x5t that is not a text', () => ({ x5c: [certificate], x5t: 5 })],
  ])('%s: it finds the second key of a set', async (_, members) => {
    const authenticator = start([jwk(first), jwk(second, members())], { kidless: 'refuse' });
    const published = members();
    const names = [
      ...('x5c' in published || 'x5t' in published ? [{ x5t }] : []),
      ...('x5c' in published || 'x5t#S256' in published ? [{ 'x5t#S256': x5tS256 }] : []),
      { x5t, 'x5t#S256': x5tS256 },
    ];
    for (const name of names) expect(await outcome(authenticator, tokenOf(second, name))).toBe('alice');
  });

  it('T-036: makes no other key trusted', async () => {
    const authenticator = start([jwk(first), jwk(second, { x5c: [certificate] })]);
    for (const key of [first, stranger])
      for (const name of [{ x5t }, { 'x5t#S256': x5tS256 }, { x5t, x5c: [certificate] }])
        expect(await outcome(authenticator, tokenOf(key, name))).toBe(
          'token_signature_invalid: not made with a key of keySets[0]',
        );
  });

  it('T-126: two that name different keys name none', async () => {
    const authenticator = start([jwk(first, { x5t: 'one' }), jwk(second, { 'x5t#S256': x5tS256 })]);
    const token = tokenOf(second, { x5t: 'one', 'x5t#S256': x5tS256 });
    expect(await outcome(authenticator, token)).toBe(
      'token_key_unknown: keySets[0] has no key with the certificate (x5t) of the token, but kid first, kid second',
    );
  });

  it('counts only without a kid, and is then not even read', async () => {
    const authenticator = start([jwk(first), jwk(second, { x5c: [certificate] })]);
    expect(await outcome(authenticator, tokenOf(first, { kid: 'first', x5t }))).toBe('alice');
    expect(await outcome(authenticator, tokenOf(second, { kid: 'second', x5t: 5 }))).toBe('alice');
    expect(await outcome(authenticator, tokenOf(second, { kid: 'unknown', x5t }))).toMatch(
      /^token_key_unknown: .* kid of the token/,
    );
  });

  it('T-127: of a set without certificates says nothing: kidless decides', async () => {
    expect(await outcome(start([jwk(first), jwk(second)]), tokenOf(first, { x5t }))).toBe('alice');
    expect(await outcome(start([jwk(first), jwk(second)]), tokenOf(second, { x5t }))).toBe(
      "token_signature_invalid: the token has no kid, so only the first key of keySets[0] was tried; kidless: 'try-all' tries more",
    );
    expect(await outcome(start([jwk(first)], { kidless: 'refuse' }), tokenOf(first, { x5t }))).toBe(
      "token_key_unknown: the token has no kid, and keySets[0] has kidless: 'refuse'",
    );
  });

  it.each<[name: object, detail: string]>([
    [{ x5t: 5 }, 'x5t is not a string'],
    [{ x5t: '' }, 'x5t is not a string'],
    [{ 'x5t#S256': null }, 'x5t#S256 is not a string'],
    [{ 'x5t#S256': 'a'.repeat(257) }, 'x5t#S256 is too long'],
  ])('T-039: %j is refused', async (name, detail) => {
    expect(await outcome(start([jwk(first)]), tokenOf(first, name))).toBe(`token_malformed: ${detail}`);
  });

  it('that no key has, is looked for once more, like a kid', async () => {
    let keys = [jwk(first, { x5t: 'one' })];
    let readings = 0;
    const server = createServer((_, response) => {
      readings++;
      response.end(JSON.stringify({ keys }));
    });
    const jwksUrl = `http://127.0.0.1:${await listen(server)}/`;
    const clock = { now: () => Date.now(), monotonic: () => performance.now() + ahead };
    let ahead = 0;
    const authenticator = startAuthenticator({
      keySets: [{ issuer: ISSUER, jwksUrl, allowHttp: true }],
      audience: null,
      clock,
    });
    onTestFinished(() => void server.close());
    await authenticator.ready();
    keys = [...keys, jwk(second, { x5c: [certificate] })];
    // A set that was just read is not read again.
    ahead = 60_000;
    expect(await outcome(authenticator, tokenOf(second, { x5t }))).toBe('alice');
    expect(readings).toBe(2);
    for (let round = 0; round < 3; round++)
      expect(await outcome(authenticator, tokenOf(second, { x5t: 'made up' }))).toMatch(/^token_key_unknown/);
    expect(readings).toBe(2);
  });

  it('is shown by explain', async () => {
    const authenticator = start([jwk(first), jwk(second, { x5c: [certificate] })]);
    const shown = async (name: object) =>
      (await authenticator.explain(tokenOf(second, name))).checks.find(({ check }) => check === 'keys')
        ?.checks?.[0];
    expect(await shown({ x5t })).toMatchObject({ actual: `x5t "${x5t}"`, outcome: 'passed' });
    expect(await shown({ 'x5t#S256': x5tS256 })).toMatchObject({ actual: `x5t#S256 "${x5tS256}"` });
  });
});
