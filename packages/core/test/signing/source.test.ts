// Where signing keys come from, end to end: what each source signs is verified by its public half,
// and what cannot sign says why. URLs are real servers on loopback, with certificates of an
// authority made here.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  X509Certificate,
} from 'node:crypto';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import { inspect } from 'node:util';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import { generate } from 'selfsigned';
import { afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import { ConfigError } from '../../src/errors.ts';
import { generateJwk, publicJwk } from '../../src/jwk/generate.ts';
import type { LegacyKeyOptions } from '../../src/keysets/legacy-options.ts';
import { createMemoryStore, type MemoryStore, type SecretStore } from '../../src/secrets/store.ts';
import type { SignerOptions } from '../../src/signing/options.ts';
import { createSigner, type Signer } from '../../src/signing/signer.ts';
import type { AlgorithmName } from '../../src/token/algorithms.ts';
import type { JsonObject } from '../../src/values/json.ts';
import { closing } from '../support/closing.ts';
import { defined } from '../support/defined.ts';
import { rejectionOf } from '../support/refusals.ts';
import { listen } from '../support/servers.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const otherEc = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
/** Random bytes that do not end with a newline, which would be taken for the editor's. */
const secretBytes = Buffer.concat([randomBytes(63), Buffer.from([0x21])]);
const pkcs8 = ({ privateKey }: { readonly privateKey: KeyObject }) =>
  privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const spki = ({ publicKey }: { readonly publicKey: KeyObject }) =>
  publicKey.export({ type: 'spki', format: 'pem' }).toString();
const privateJwk = (pair: { readonly privateKey: KeyObject }, more: JsonObject = {}): JsonObject => ({
  ...(pair.privateKey.export({ format: 'jwk' }) as JsonObject),
  ...more,
});
const setOf = (...keys: JsonObject[]) => JSON.stringify({ keys });

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

function signerOf(options: SignerOptions | object): Signer {
  return closing(createSigner({ expiresIn: '5m', ...options } as SignerOptions));
}

function verifierOf(options: object): Authenticator {
  return closing(createAuthenticator({ keySets: [], audience: null, ...options }));
}

/** Signs, and verifies the token by jose. */
async function signedBy(signer: Signer, key: KeyObject, claims: object = { sub: 'alice' }) {
  const token = await signer.sign({ ...claims });
  const { payload, protectedHeader } = await jwtVerify(token, key);
  expect(payload).toMatchObject(claims);
  return { token, header: protectedHeader };
}

/** The messages of a refusal to sign and of its causes. No private member is in them. */
async function trouble(signer: Signer): Promise<string> {
  const error = await rejectionOf(signer.sign({ sub: 'alice' }));
  const told: string[] = [];
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) told.push(cause.message);
  const text = inspect(error, { depth: 20 });
  for (const name of ['d', 'p', 'q'] as const) {
    for (const pair of [rsa, ec, ed]) {
      const member = privateJwk(pair)[name];
      if (typeof member === 'string') expect(text).not.toContain(member);
    }
  }
  expect(text).not.toContain('-----BEGIN');
  return told.join(' < ');
}

const stored = (key: string, value: string | Uint8Array): MemoryStore =>
  createMemoryStore({ s: { [key]: value } });

/** A signer over one entry of a secret. */
const signerOver = (key: string, value: string | Uint8Array, alg: AlgorithmName) =>
  signerOf({ secret: { name: 's', key }, secrets: stored(key, value), alg });

it('T-117: a set of 200 keys is read a few keys at a time, and one of 201 is refused', async () => {
  const key = (kid: number) => privateJwk(ec, { kid: `k${kid}`, alg: 'ES256' });
  const sizes = [200, 201].map((size) => setOf(...Array.from({ length: size }, (_, index) => key(index))));
  const [good = '', bad = ''] = sizes;
  const store = createMemoryStore({ good: { 'jwks.json': good }, bad: { 'jwks.json': bad } });
  let [turns, isDone] = [0, false];
  const turn = () => {
    turns++;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  await signerOf({ secret: { name: 'good' }, secrets: store }).ready();
  isDone = true;
  expect(turns).toBeGreaterThanOrEqual(24);
  await expect(signerOf({ secret: { name: 'bad' }, secrets: store }).ready()).rejects.toMatchObject({
    cause: { message: 'expected a JWK Set of at most 200 keys' },
  });
});

describe('a secret', () => {
  it.each([
    ['PKCS#8 RSA', 'RS256', pkcs8(rsa), rsa.publicKey],
    ['PKCS#8 RSA', 'PS512', pkcs8(rsa), rsa.publicKey],
    ['PKCS#1', 'RS256', rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(), rsa.publicKey],
    ['PKCS#8 EC', 'ES256', pkcs8(ec), ec.publicKey],
    ['SEC 1', 'ES256', ec.privateKey.export({ type: 'sec1', format: 'pem' }).toString(), ec.publicKey],
    ['PKCS#8 Ed25519', 'EdDSA', pkcs8(ed), ed.publicKey],
  ] as const)('%s signs %s, in an entry named for it and in any other', async (_, alg, pem, key) => {
    for (const secret of [
      { name: 's', key: 'private.key' },
      { name: 's', key: 'signing.pem' },
      { name: 's', key: 'tls.key', format: 'pem' },
      { name: 's', key: 'secret.key', format: 'pem' },
    ]) {
      const signer = signerOf({ secret, secrets: stored(secret.key, pem), alg, kid: 'k' });
      const { header } = await signedBy(signer, key);
      expect(header).toEqual({ alg, kid: 'k', typ: 'JWT' });
      const verifier = verifierOf({ keySets: [{ jwks: (await signer.publish()).jwks }] });
      await expect(verifier.verify(await signer.sign({ sub: 'a' }))).resolves.toMatchObject({ subject: 'a' });
    }
  });

  it('SEC 1 with its parameters before it, as openssl writes it, signs', async () => {
    const parameters = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';
    const pem = `${parameters}${ec.privateKey.export({ type: 'sec1', format: 'pem' })}`;
    await signedBy(signerOver('private.key', pem, 'ES256'), ec.publicKey);
  });

  it('RFC 7638: a PEM key without a kid is called by its thumbprint', async () => {
    const signer = signerOver('k.pem', pkcs8(ec), 'ES256');
    const { header } = await signedBy(signer, ec.publicKey);
    expect(header.kid).toMatch(/^[\w-]{43}$/);
    await expect(signer.rotate()).rejects.toThrow(ConfigError);
  });

  it('a PEM key without a kid is published by the name that its tokens have', async () => {
    const signer = signerOver('k.pem', pkcs8(ec), 'ES256');
    const token = await signer.sign({ sub: 'alice' });
    const { jwks } = await signer.publish();
    expect(jwks.keys[0]).toHaveProperty('kid', decodeProtectedHeader(token).kid);
    await verifierOf({ keySets: [{ jwks }] }).verify(token);
  });

  it('a key without alg is published with the algorithm that it signs', async () => {
    const signer = signerOf({ jwks: { keys: [privateJwk(rsa, { kid: 'k' })] }, alg: 'PS256' });
    const verifier = verifierOf({ keySets: [{ jwks: (await signer.publish()).jwks }] });
    await verifier.verify(await signer.sign({ sub: 'alice' }));
  });

  it.each([
    ['HS256', secretBytes, secretBytes],
    ['HS512', secretBytes, secretBytes],
    ['HS256', 'correct horse battery staple, and more\n', 'correct horse battery staple, and more'],
    ['HS256', 'correct horse battery staple, and more\r\n', 'correct horse battery staple, and more'],
  ] as const)('KD-16: a symmetric secret signs %s', async (alg, bytes, key) => {
    for (const secret of [
      { name: 's', key: 'secret.key' },
      { name: 's', key: 'hmac', format: 'symmetric' },
    ]) {
      const signer = signerOf({ secret, secrets: stored(secret.key, bytes), alg, kid: 'sim2' });
      const { header } = await signedBy(signer, createSecretKey(Buffer.from(key)));
      expect(header).toEqual({ alg, kid: 'sim2', typ: 'JWT' });
    }
  });

  it('a symmetric secret without a kid is not called by its thumbprint, which would tell of it', async () => {
    const signer = signerOver('secret.key', secretBytes, 'HS256');
    const { header } = await signedBy(signer, createSecretKey(secretBytes));
    expect(header).toEqual({ alg: 'HS256', typ: 'JWT' });
  });

  it.each([
    ['a JWK Set', 'jwks.json', undefined],
    ['a JWK Set in an entry that looks like PEM', 'k.pem', 'jwks'],
  ])('%s', async (_, key, format) => {
    const set = setOf(privateJwk(rsa, { kid: 'a', alg: 'RS256' }), privateJwk(ec, { kid: 'b' }));
    const options = { secret: defined({ name: 's', key, format }), secrets: stored(key, set) };
    expect((await signedBy(signerOf(options), rsa.publicKey)).header.kid).toBe('a');
    expect((await signedBy(signerOf({ ...options, kid: 'b' }), ec.publicKey)).header.kid).toBe('b');
    expect((await signedBy(signerOf({ ...options, alg: 'ES256' }), ec.publicKey)).header.kid).toBe('b');
  });

  it('row 165: a key in PEM is not taken for a secret, nor a secret for a key', async () => {
    const hmac = (key: string, value: string | Uint8Array) => trouble(signerOver(key, value, 'HS256'));
    const certificate = new X509Certificate(leaf.cert).toString();
    for (const text of [spki(rsa), spki(ec), pkcs8(ec), certificate, setOf(privateJwk(ec))])
      expect(await hmac('secret.key', text)).toMatch(
        /the secret is an encoded key \(PEM, JWK, DER or SSH\)$/,
      );
    expect(await hmac('private.key', secretBytes)).toMatch(/expected one PEM block/);
    expect(await hmac('private.key', pkcs8(rsa))).toMatch(/alg does not fit kty and crv$/);
  });

  const PEM = { type: 'pkcs8', format: 'pem' } as const;
  const weakRsa = generateKeyPairSync('rsa', { modulusLength: 1024 });
  it.each<[title: string, text: () => string, reason: RegExp, alg?: AlgorithmName]>([
    ['a public key', () => spki(rsa), /expected PEM with "BEGIN PRIVATE KEY"/],
    ['a certificate', () => leaf.cert, /expected a private key, got a certificate/],
    ['two keys', () => `${pkcs8(rsa)}${pkcs8(rsa)}`, /expected one PEM block and nothing else$/],
    [
      'broken',
      () => pkcs8(rsa).replace(/\n\w{4}/, '\nAAAA'),
      /type of the key is not supported|no key can sign/,
    ],
    ['weak', () => pkcs8(weakRsa), /RSA modulus under 2048 bits/],
    [
      'encrypted',
      () => rsa.privateKey.export({ ...PEM, cipher: 'aes-256-cbc', passphrase: 'x' }).toString(),
      /expected an unencrypted private key$/,
    ],
    ['of another curve', () => pkcs8(ec), /alg does not fit kty and crv$/, 'ES384'],
    ['Ed448', () => pkcs8(generateKeyPairSync('ed448')), /alg does not fit kty and crv$/, 'EdDSA'],
    [
      'secp256k1',
      () => pkcs8(generateKeyPairSync('ec', { namedCurve: 'secp256k1' })),
      /alg does not fit|not a key of/,
      'ES256',
    ],
  ])(
    'row 165: PEM that is %s signs nothing, and the error says why',
    async (_, text, reason, alg = 'RS256') => {
      expect(await trouble(signerOver('k.pem', text(), alg))).toMatch(reason);
    },
  );

  it.each([
    ['no entry', undefined],
    ['nothing', ''],
    ['a text', 'hello'],
    ['JSON that is not a set', '{"kty":"EC"}'],
    ['a list', '[]'],
    ['a set that repeats a member', '{"keys":[],"keys":[]}'],
    ['an empty set', '{"keys":[]}'],
    ['a set of public keys', setOf(publicJwk(privateJwk(ec))!)],
    ['a set of other values', '{"keys":[null,7,"k",[]]}'],
    ['bytes that are not text', Buffer.from([0xff, 0xfe])],
  ])('settlement 46: %s signs nothing, and nothing leaves unsigned', async (_, value) => {
    const secrets = value === undefined ? createMemoryStore() : stored('jwks.json', value);
    expect(await trouble(signerOf({ secret: { name: 's' }, secrets }))).toMatch(
      /^signer: no usable keys from secret: s: .+ < /,
    );
  });

  it('RFC 7517 §5: a key that cannot be used does not stop the others', async () => {
    const weak = privateJwk(weakRsa, { alg: 'RS256' });
    const set = JSON.stringify({ keys: [null, 7, weak, { kty: 'NTRU' }, privateJwk(ec, { kid: 'b' })] });
    const signer = signerOf({ secret: { name: 's' }, secrets: stored('jwks.json', set) });
    expect((await signedBy(signer, ec.publicKey)).header.kid).toBe('b');
    expect((await signer.publish()).jwks.keys.map(({ kid }) => kid)).toEqual(['b']);
  });

  it('an external secret is read from the other store', async () => {
    const externalSecrets = stored('vault.json', setOf(privateJwk(ec, { kid: 'v' })));
    const signer = signerOf({ externalSecret: { name: 's', key: 'vault.json' }, externalSecrets });
    expect((await signedBy(signer, ec.publicKey)).header.kid).toBe('v');
    expect(signer.report().source).toBe('external-secret: s');
    const pem = signerOf({
      externalSecret: { name: 's', key: 'private.key' },
      externalSecrets: stored('private.key', pkcs8(ec)),
      alg: 'ES256',
    });
    await signedBy(pem, ec.publicKey);
  });

  it('reads nothing before the first sign(), and once for all calls', async () => {
    let reads = 0;
    const set = Buffer.from(setOf(privateJwk(ec)));
    const read = async () => {
      reads++;
      return set;
    };
    const signer = signerOf({ secret: { name: 's' }, secrets: { description: 'counting', read } });
    await new Promise(setImmediate);
    expect(reads).toBe(0);
    const tokens = await Promise.all(Array.from({ length: 50 }, () => signer.sign({ sub: 'a' })));
    expect([reads, new Set(tokens).size]).toEqual([1, 50]);
  });

  it('a store that gives no bytes, or throws, gives no key', async () => {
    const store = (read: () => unknown) => ({ description: 'odd', read }) as unknown as SecretStore;
    for (const read of [
      () => setOf(privateJwk(ec)),
      () => Promise.resolve({ keys: [privateJwk(ec)] }),
      () => Promise.resolve(null),
      () => Promise.reject(new Error('the vault is sealed')),
      () => {
        throw new Error('the vault is sealed');
      },
    ])
      expect(await trouble(signerOf({ secret: { name: 's' }, secrets: store(read) }))).toMatch(
        /something else than bytes|the vault is sealed/,
      );
  });

  it('AK-22: a service verifies with the public half of a private key, also if it is only for signing', async () => {
    const secrets = stored('jwks.json', setOf(privateJwk(ec, { kid: 'k', use: 'sig', key_ops: ['sign'] })));
    const signer = signerOf({ secret: { name: 's' }, secrets, issuer: 'internal' });
    const verifier = verifierOf({ keySets: [{ issuer: 'internal', secret: { name: 's' } }], secrets });
    const token = await signer.sign({ sub: 'alice' });
    await expect(verifier.verify(token)).resolves.toMatchObject({ issuer: 'internal', subject: 'alice' });
    // The published half does not have the private key's key_ops.
    const { jwks } = await signer.publish();
    expect(jwks.keys[0]).not.toHaveProperty('key_ops');
    await verifierOf({ keySets: [{ jwks }] }).verify(token);
  });
});

interface Certified {
  readonly cert: string;
  readonly key: string;
}

let ca: Certified;
let leaf: Certified;
let stranger: Certified;

async function certify(name: string, by?: Certified): Promise<Certified> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions:
      by === undefined
        ? [
            { name: 'basicConstraints', cA: true, critical: true },
            { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
          ]
        : [{ name: 'subjectAltName', altNames: [{ type: 2, value: name }] }],
    ...(by === undefined ? {} : { ca: by }),
  });
  return { cert: `${cert}\n`, key };
}

beforeAll(async () => {
  ca = await certify('Latchkey signing CA');
  stranger = await certify('Another CA');
  leaf = await certify('localhost', ca);
});

const pinOf = ({ cert }: Certified): string =>
  createHash('sha256')
    .update(new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64');

/** An issuer whose JWK Set holds what no issuer's should: private keys. */
async function keyServer(keys: readonly JsonObject[], tls: boolean): Promise<TestIssuer> {
  const issuer = await createIssuer(tls ? { tls: leaf } : {});
  closing(issuer);
  issuer.publish(keys);
  return issuer;
}

describe('a URL', () => {
  const wanted = () => privateJwk(ec, { kid: 'sim2', alg: 'ES256' });

  it('KD-7, KD-14: keys come over TLS from a machine with an own CA', async () => {
    const server = await keyServer([privateJwk(otherEc, { kid: 'sim1' }), wanted()], true);
    const signer = signerOf({ jwkUrl: server.jwksUrl, kid: 'sim2', tls: { ca: { pem: ca.cert } } });
    expect(server.requests.jwks).toBe(0);
    const { header } = await signedBy(signer, ec.publicKey);
    expect(header).toEqual({ alg: 'ES256', kid: 'sim2', typ: 'JWT' });
    await signer.sign({ sub: 'b' });
    expect(server.requests.jwks).toBe(1);
    expect(signer.report()).toMatchObject({ source: server.jwksUrl, state: 'fresh', failures: 0 });
  });

  it('KD-14: no other CA is trusted, nor is the default enough', async () => {
    const server = await keyServer([wanted()], true);
    const options = { jwkUrl: server.jwksUrl, kid: 'sim2' };
    for (const tls of [undefined, { ca: { pem: stranger.cert } }])
      expect(await trouble(signerOf({ ...options, ...defined({ tls }) }))).toMatch(
        /^signer: no usable keys from https:/,
      );
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    vi.spyOn(process, 'emitWarning').mockReturnValue();
    expect(await trouble(signerOf(options))).toMatch(/^signer: no usable keys/);
    // KD-11, settlement 44: allowHttp does not change TLS.
    expect(await trouble(signerOf({ ...options, allowHttp: true }))).toMatch(/^signer: no usable keys/);
    expect(server.requests.jwks).toBe(0);
  });

  it('KD-12: a fingerprint of the chain is enough, and no other is', async () => {
    const server = await keyServer([wanted()], true);
    const signer = (...fingerprints: string[]) =>
      signerOf({ jwkUrl: server.jwksUrl, kid: 'sim2', tls: { ca: { pem: ca.cert }, fingerprints } });
    await signedBy(signer(pinOf(leaf)), ec.publicKey);
    await signedBy(signer(pinOf(ca)), ec.publicKey);
    const inBase64url = Buffer.from(pinOf(leaf), 'base64').toString('base64url');
    await signedBy(signer(pinOf(stranger), inBase64url), ec.publicKey);
    const requests = server.requests.jwks;
    const reason = /no certificate of the chain has a pinned fingerprint$/;
    expect(await trouble(signer(pinOf(stranger)))).toMatch(reason);
    expect(server.requests.jwks).toBe(requests);
  });

  it('KD-13: only the named cipher suites are spoken', async () => {
    const ciphers: string[] = [];
    const serve = (options: ServerOptions) =>
      urlOf(
        createServer({ ...leaf, ...options }, (request, response) => {
          ciphers.push((request.socket as unknown as { getCipher(): { name: string } }).getCipher().name);
          response.end(setOf(wanted()));
        }),
        'https://localhost',
      );
    const tls = { ca: { pem: ca.cert }, cipherSuites: [4867] };
    const signer = signerOf({ jwkUrl: await serve({}), kid: 'sim2', tls });
    await signedBy(signer, ec.publicKey);
    expect(ciphers).toEqual(['TLS_CHACHA20_POLY1305_SHA256']);
    const other = await serve({ ciphers: 'TLS_AES_128_GCM_SHA256', minVersion: 'TLSv1.3' });
    expect(await trouble(signerOf({ jwkUrl: other, kid: 'sim2', tls }))).toMatch(/^signer: no usable keys/);
    expect(ciphers).toHaveLength(1);
  });

  it('KD-16: a symmetric key may be in the set', async () => {
    const k = secretBytes.toString('base64url');
    const server = await keyServer([{ kty: 'oct', kid: 'sim2', alg: 'HS256', k }], true);
    const signer = signerOf({ jwkUrl: server.jwksUrl, kid: 'sim2', tls: { ca: { pem: ca.cert } } });
    const { header } = await signedBy(signer, createSecretKey(secretBytes));
    expect(header).toEqual({ alg: 'HS256', kid: 'sim2', typ: 'JWT' });
  });

  it('KD-15: such a key verifies nothing in a keyset, because a private key that is published is lost', async () => {
    const server = await keyServer([wanted()], false);
    const signer = signerOf({ jwkUrl: server.jwksUrl, kid: 'sim2', allowHttp: true });
    const token = await signer.sign({ iss: server.issuer, sub: 'alice' });
    const keySet = { issuer: server.issuer, jwksUrl: server.jwksUrl, allowHttp: true };
    const verifier = verifierOf({ keySets: [keySet] });
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'token_key_unknown' });
  });

  it('KD-8: of the set only the key that is named signs', async () => {
    const server = await keyServer([privateJwk(otherEc, { kid: 'sim1' })], false);
    const options = { jwkUrl: server.jwksUrl, kid: 'sim2', allowHttp: true };
    expect(await trouble(signerOf(options))).toMatch(/ < no key can sign$/);
    server.publish([privateJwk(otherEc), { ...wanted(), kid: 'SIM2' }, { ...wanted(), kid: ['sim2'] }]);
    expect(await trouble(signerOf(options))).toMatch(/ < no key can sign$/);
    server.publish([publicJwk(wanted())!]);
    expect(await trouble(signerOf(options))).toMatch(/ < no key can sign: not a private key$/);
    server.publish([wanted()]);
    expect(await trouble(signerOf({ ...options, alg: 'RS256' }))).toMatch(/alg does not fit kty and crv$/);
  });

  it('KD-7: a redirect to another origin is not followed', async () => {
    const server = await keyServer([wanted()], false);
    const evil = await keyServer([wanted()], false);
    for (const location of [evil.jwksUrl, `http://localhost:${new URL(server.jwksUrl).port}/jwks.json`]) {
      server.fail({ kind: 'redirect', location });
      const signer = signerOf({ jwkUrl: server.jwksUrl, kid: 'sim2', allowHttp: true });
      expect(await trouble(signer)).toMatch(/ < redirects to another origin$/);
    }
    expect(evil.requests.jwks).toBe(0);
  });

  it('KD-7: a redirect from https to http is not followed, whatever allowHttp says', async () => {
    const plain = await keyServer([wanted()], false);
    const server = await keyServer([wanted()], true);
    server.fail({ kind: 'redirect', location: plain.jwksUrl });
    const tls = { ca: { pem: ca.cert } };
    const signer = signerOf({ jwkUrl: server.jwksUrl, kid: 'sim2', allowHttp: true, tls });
    expect(await trouble(signer)).toMatch(/ < redirects to another origin$/);
    expect(plain.requests.jwks).toBe(0);
  });

  it.each([
    [{ kind: 'status', status: 500 }],
    [{ kind: 'status', status: 404 }],
    [{ kind: 'reset' }],
    [{ kind: 'endless' }],
    [{ kind: 'gzip-bomb', bytes: 10_000_000 }],
    [{ kind: 'body', body: '<html>' }],
    [{ kind: 'body', body: '{"keys":[' }],
  ] as const)('settlement 46: a server that answers %j gives no key', async (fault) => {
    const server = await keyServer([wanted()], false);
    server.fail(fault);
    const signer = signerOf({ jwkUrl: server.jwksUrl, kid: 'sim2', allowHttp: true });
    expect(await trouble(signer)).toMatch(/^signer: no usable keys from http:\/\/127\.0\.0\.1/);
    expect(signer.report()).toMatchObject({ state: 'empty', failures: 1, keys: [] });
  });

  it('the query is in no report, error or event', async () => {
    const server = await keyServer([], false);
    const signer = signerOf({ jwkUrl: `${server.jwksUrl}?code=hunter2`, kid: 'sim2', allowHttp: true });
    const error: unknown = await signer.sign({ sub: 'a' }).catch((reason: unknown) => reason);
    expect(inspect(error, { depth: 20 })).not.toContain('hunter2');
    expect(inspect(signer.report())).not.toContain('hunter2');
  });

  describe('D8: plain HTTP', () => {
    const create = (jwkUrl: string, allowHttp?: boolean) =>
      signerOf({ jwkUrl, kid: 'k', ...(allowHttp === undefined ? {} : { allowHttp }) });
    const far = 'http://keys.example/private.json';

    it('is refused unless it is asked for', () => {
      for (const allowHttp of [undefined, false])
        expect(() => create(far, allowHttp)).toThrow(/^jwkUrl: must be https/);
      expect(() => create('http://127.0.0.1/', false)).toThrow(ConfigError);
      expect(() => create(far, true)).not.toThrow();
    });

    it('is refused in production, unless the environment allows it', () => {
      vi.stubEnv('NODE_ENV', 'production');
      vi.stubEnv('LATCHKEY_ALLOW_HTTP_KEYS', undefined);
      expect(() => create(far, true)).toThrow(/^jwkUrl: expected https for private keys in production/);
      for (const value of ['', '1', 'yes', 'TRUE', 'false', ' true']) {
        vi.stubEnv('LATCHKEY_ALLOW_HTTP_KEYS', value);
        expect(() => create(far, true)).toThrow(ConfigError);
      }
      vi.stubEnv('LATCHKEY_ALLOW_HTTP_KEYS', 'true');
      expect(() => create(far, true)).not.toThrow();
      expect(() => create(far)).toThrow(/^jwkUrl: must be https/);
    });

    it('is allowed to loopback in production too', () => {
      vi.stubEnv('NODE_ENV', 'production');
      vi.stubEnv('LATCHKEY_ALLOW_HTTP_KEYS', undefined);
      const loopback = '127.0.0.1 127.1 127.255.255.254 localhost [::1] LOCALHOST 0x7f.1';
      for (const host of loopback.split(' '))
        expect(() => create(`http://${host}:8080/keys`, true)).not.toThrow();
      const names = '127.0.0.1.evil.example localhost.evil.example evil.example 127.0.0.1x.example';
      const addresses = '10.0.0.1 0.0.0.0 192.168.0.1 [::] [fe80::1] 128.0.0.1';
      for (const host of [...names.split(' '), ...addresses.split(' ')])
        expect(() => create(`http://${host}/keys`, true)).toThrow(ConfigError);
    });

    it('warns', async () => {
      const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
      create(far, true);
      create('https://keys.example/', true);
      expect(warned.mock.calls).toEqual([
        [
          'jwkUrl: private keys come over plain HTTP, where any host on the network path can read them',
          { type: 'SecurityWarning', code: 'LATCHKEY_UNSAFE' },
        ],
      ]);
      warned.mockRestore();
    });
  });
});

async function urlOf(server: Server | ReturnType<typeof createServer>, origin: string): Promise<string> {
  return `${origin}:${await listen(server)}/jwks.json`;
}

describe('an answer', () => {
  it('whose cache headers are shorter than refreshInterval is read again by then', async () => {
    onTestFinished(() => void vi.useRealTimers());
    vi.useFakeTimers({ toFake: ['performance'] });
    let requests = 0;
    const listener: RequestListener = (_, response) => {
      requests++;
      response.setHeader('cache-control', 'max-age=120');
      response.end(setOf(privateJwk(ec, { kid: 'k' })));
    };
    const url = await urlOf(createHttpServer(listener), 'http://127.0.0.1');
    const signer = signerOf({ jwkUrl: url, kid: 'k', allowHttp: true });
    await signer.sign({ sub: 'a' });
    vi.advanceTimersByTime(119_000);
    await signer.sign({ sub: 'a' });
    expect(requests).toBe(1);
    vi.advanceTimersByTime(1_000);
    await signer.sign({ sub: 'a' });
    expect(requests).toBe(2);
  });
});

describe('the deprecated list', () => {
  const key = (keyId: string, issuer: string | undefined, algorithm: LegacyKeyOptions['algorithm']) =>
    ({ keyId, ...(issuer === undefined ? {} : { issuer }), algorithm, secret: { name: keyId } }) as const;
  const first = createSecretKey(secretBytes);
  const secondBytes = Buffer.concat([randomBytes(63), Buffer.from([0x21])]);
  const second = createSecretKey(secondBytes);
  const store = (): MemoryStore =>
    createMemoryStore({
      k1: { 'secret.key': secretBytes },
      k2: { 'secret.key': secondBytes },
      k3: { 'private.key': pkcs8(rsa), 'public.key': spki(rsa) },
      k4: { 'private.key': pkcs8(ec), 'public.key': spki(ec) },
      k5: { 'public.key': spki(otherEc) },
      k6: { 'private.key': pkcs8(otherEc), 'public.key': spki(otherEc) },
    });
  const legacy = (keys: readonly LegacyKeyOptions[], more: object = {}, secrets = store()) =>
    signerOf({ keys, secrets, ...more });
  const kidOf = async (signer: Signer, claims: object) =>
    decodeProtectedHeader(await signer.sign({ ...claims })).kid;

  it('AK-33: for claims without an issuer all keys are candidates, and the first signs', async () => {
    expect(await kidOf(legacy([key('k1', 'A', 'HS256'), key('k2', undefined, 'HS256')]), {})).toBe('k1');
    expect(await kidOf(legacy([key('k2', undefined, 'HS256'), key('k1', 'A', 'HS256')]), {})).toBe('k2');
    expect(await kidOf(legacy([key('k4', 'B', 'ES256'), key('k3', 'A', 'RS256')]), {})).toBe('k4');
  });

  it('AK-32, AK-34: the first of the issuer’s keys signs that fits the algorithm', async () => {
    const ofA = [key('k3', 'A', 'RS256'), key('k1', 'A', 'HS256'), key('k4', 'A', 'ES256')];
    const keys = [key('k2', 'B', 'HS256'), ...ofA];
    expect(await kidOf(legacy(keys), { iss: 'A' })).toBe('k3');
    expect(await kidOf(legacy(keys), { iss: 'B' })).toBe('k2');
    expect(await kidOf(legacy(keys, { alg: 'HS256' }), { iss: 'A' })).toBe('k1');
    expect(await kidOf(legacy(keys, { alg: 'ES256' }), { iss: 'A' })).toBe('k4');
    expect(await kidOf(legacy(keys, { alg: 'HS256' }), {})).toBe('k2');
    expect(await kidOf(legacy(keys, { kid: 'k4' }), { iss: 'A' })).toBe('k4');
    expect(await kidOf(legacy(keys, { issuer: 'B' }), {})).toBe('k2');
  });

  it('AK-35: an issuer that no key is pinned to gets only keys without an issuer', async () => {
    const keys = [key('k1', 'A', 'HS256'), key('k2', undefined, 'HS256'), key('k4', undefined, 'ES256')];
    expect(await kidOf(legacy(keys), { iss: 'C' })).toBe('k2');
    expect(await kidOf(legacy(keys, { alg: 'ES256' }), { iss: 'C' })).toBe('k4');
    const ofA = [key('k1', 'A', 'HS256')];
    expect(await trouble(legacy(ofA, { issuer: 'C' }))).toBe('signer: no active key for this issuer');
    for (const iss of ['C', 'a'])
      await expect(legacy(ofA).sign({ iss })).rejects.toThrow(/no active key for this issuer/);
  });

  it.each([
    ['has only a public key', [key('k5', 'A', 'ES256'), key('k4', undefined, 'ES256')], {}],
    ['is not of the algorithm', [key('k1', 'A', 'HS256'), key('k4', undefined, 'ES256')], { alg: 'ES256' }],
    ['is not the one that is named', [key('k1', 'A', 'HS256'), key('k4', undefined, 'ES256')], { kid: 'k4' }],
  ] as const)('AK-35: no other key signs for an issuer whose own key %s', async (_, keys, more) => {
    await expect(legacy(keys, more).sign({ iss: 'A' })).rejects.toThrow(/no active key for this issuer/);
  });

  it('S20: a secret that only verifies is passed over', async () => {
    const keys = [key('k5', undefined, 'ES256'), key('k4', undefined, 'ES256')];
    expect(await kidOf(legacy(keys), { sub: 'a' })).toBe('k4');
    expect(await trouble(legacy([key('k5', undefined, 'ES256')]))).toMatch(/ < no key can sign$/);
    expect(await trouble(legacy([key('nowhere', undefined, 'HS256')]))).toMatch(/ < no key can sign$/);
  });

  it('a private key that cannot be used is passed over', async () => {
    const secrets = store();
    secrets.set(
      { name: 'weak', key: 'private.key' },
      pkcs8(generateKeyPairSync('rsa', { modulusLength: 1024 })),
    );
    // k3 is RSA, and declared for ES256.
    const ofEc = [key('k3', undefined, 'ES256'), key('k4', undefined, 'ES256')];
    const keys = [key('weak', undefined, 'RS256'), ...ofEc];
    expect(await kidOf(legacy(keys, {}, secrets), { sub: 'a' })).toBe('k4');
  });

  it('a private key that is not PEM does not stop the others, as in keysets', async () => {
    const secrets = store();
    secrets.set({ name: 'broken', key: 'private.key' }, 'not PEM');
    const keys = [key('broken', undefined, 'ES256'), key('k4', undefined, 'ES256')];
    expect(await kidOf(legacy(keys, {}, secrets), { sub: 'a' })).toBe('k4');
  });

  it('D1: a key of a legacy algorithm verifies, and signs nothing', async () => {
    const keys = [
      { ...key('k1', 'A', 'HMD5'), unsafeLegacyAlgorithms: ['HMD5'] },
      { ...key('k2', 'B', 'HS224'), unsafeLegacyAlgorithms: ['HS224'] },
      key('k4', undefined, 'ES256'),
    ] as const;
    expect(await kidOf(legacy(keys), { sub: 'a' })).toBe('k4');
    expect(await trouble(legacy(keys.slice(0, 2)))).toMatch(
      /HMD5 is for verifying only; HS224 is for verifying only$/,
    );
  });

  it('what it signs is verified by the same list', async () => {
    const pinned = [key('k1', 'A', 'HS256'), key('k3', 'B', 'RS256'), key('k4', 'C', 'ES256')];
    const keys = [...pinned, key('k2', undefined, 'HS512')];
    const secrets = store();
    const signer = legacy(keys, {}, secrets);
    const verifier = verifierOf({ keys, secrets });
    for (const [iss, publicKey] of [
      ['A', first],
      ['B', rsa.publicKey],
      ['C', ec.publicKey],
      ['D', second],
      [undefined, first],
    ] as const) {
      const claims = iss === undefined ? { sub: 'alice' } : { iss, sub: 'alice' };
      const { token } = await signedBy(signer, publicKey, claims);
      await expect(verifier.verify(token)).resolves.toMatchObject({ issuer: iss, subject: 'alice' });
    }
    expect((await signer.publish()).jwks.keys.map(({ kid }) => kid)).toEqual(['k3', 'k4']);
  });

  it('AK-31: is deprecated, and warns', () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    legacy([key('k1', 'A', 'HS256')]);
    const deprecation = { type: 'DeprecationWarning', code: 'LATCHKEY_DEPRECATED' };
    expect(warned.mock.calls).toEqual([['keys: deprecated; move them into a JWK Set', deprecation]]);
    warned.mockRestore();
  });

  it('a key that comes later signs when its secret says that it has changed', async () => {
    const secrets = createMemoryStore({ k4: { 'private.key': pkcs8(ec) } });
    const signer = legacy([key('k6', undefined, 'ES256'), key('k4', undefined, 'ES256')], {}, secrets);
    expect(await kidOf(signer, {})).toBe('k4');
    secrets.set({ name: 'k6', key: 'private.key' }, pkcs8(otherEc));
    await vi.waitFor(async () => expect(await kidOf(signer, {})).toBe('k6'));
  });
});

describe('keys in the options', () => {
  it('are taken as they are when the signer is made', async () => {
    const jwk = { ...(await generateJwk('ES256', 'k')) } as Record<string, string>;
    const jwks = { keys: [jwk as JsonObject] };
    const signer = signerOf({ jwks });
    const publicKey = createPublicKey(createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' }));
    jwk.alg = 'none';
    jwk.kid = 'another';
    jwks.keys.splice(0);
    expect((await signedBy(signer, publicKey)).header).toEqual({ alg: 'ES256', kid: 'k', typ: 'JWT' });
    expect((await signer.publish()).jwks.keys.map(({ kid }) => kid)).toEqual(['k']);
    await expect(signer.ready()).resolves.toBeUndefined();
    await expect(signer.rotate()).rejects.toThrow(ConfigError);
  });
});
