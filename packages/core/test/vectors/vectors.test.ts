// The examples of the RFCs, as data. Each is what it says, which node:crypto and jose prove; core
// accepts it, or refuses it with the code and the reason of the data.
import { constants, createDecipheriv, createHmac, createPrivateKey, privateDecrypt } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { generateSigningKey, mint } from '@latchkey/testing';
import { compactDecrypt, generalDecrypt, importJWK, type JWK } from 'jose';
import { describe, expect, it } from 'vitest';
import { isAuthError } from '../../src/errors.ts';
import { type AuthenticatorOptions, createMemoryStore, type JsonObject } from '../../src/index.ts';
import { importJwk } from '../../src/jwk/import-jwks.ts';
import type { AlgorithmName } from '../../src/token/algorithms.ts';
import { isSigned } from '../properties/reference.ts';
import { startAuthenticator } from '../support/authenticators.ts';

interface Options {
  readonly issuer: string;
  /** Seconds since the epoch. */
  readonly now: number;
  readonly audience: string | null;
  readonly allowedAlgorithms?: readonly AlgorithmName[];
  readonly profile?: 'at+jwt';
}

interface Expected {
  readonly section: string;
  readonly what: string;
  readonly options: Options;
  readonly outcome: string;
  /** A part of the detail of the refusal. */
  readonly detail?: string;
  /** The claims of an accepted token. */
  readonly claims?: JsonObject;
}

interface TokenVector extends Expected {
  readonly token: string;
  /** The keys of its signatures, in their order, or the key that decrypts it. */
  readonly keys: readonly JsonObject[];
  readonly proof: 'signature' | 'decrypts' | 'unsecured';
  readonly plaintext?: string;
  /** The payload that is not in the token. */
  readonly detached?: string;
}

/** Only the header and the claims are in the RFC. */
interface ClaimsVector extends Expected {
  readonly header: JsonObject;
  readonly claims: JsonObject;
}

interface SetVector {
  readonly section: string;
  readonly what: string;
  readonly origin: 'public' | 'secret';
  readonly allowed?: readonly AlgorithmName[];
  readonly jwks: { readonly keys: readonly JsonObject[] };
  readonly keys: readonly {
    readonly skipped?: string;
    readonly kid?: string;
    readonly algorithms?: readonly string[];
    readonly thumbprint?: string;
  }[];
}

/** What core says of it is in test/possession. */
interface ProofVector {
  readonly section: string;
  readonly what: string;
  readonly proof: string;
  readonly claims: JsonObject;
}

interface File {
  readonly rfc: number;
  readonly vectors?: readonly (TokenVector | ClaimsVector)[];
  readonly sets?: readonly SetVector[];
  readonly proofs?: readonly ProofVector[];
}

const folder = new URL('./', import.meta.url);
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as File);

const bytesOf = (text: string) => Buffer.from(text, 'base64url');
const json = (text: string): JsonObject => JSON.parse(bytesOf(text).toString());

interface Signature {
  readonly alg: AlgorithmName;
  readonly input: Buffer;
  readonly bytes: Buffer;
}

/** The signatures of a token in any serialization. */
function signaturesOf({ token, detached }: TokenVector): readonly Signature[] {
  if (!token.startsWith('{')) {
    const [head = '', payload = '', signature = ''] = [
      token.slice(0, token.indexOf('.')),
      token.slice(token.indexOf('.') + 1, token.lastIndexOf('.')),
      token.slice(token.lastIndexOf('.') + 1),
    ];
    const input = Buffer.from(`${head}.${detached ?? payload}`);
    return [{ alg: json(head).alg as AlgorithmName, input, bytes: bytesOf(signature) }];
  }
  interface Flattened {
    readonly protected?: string;
    readonly header?: JsonObject;
    readonly signature: string;
  }
  const whole = JSON.parse(token) as Flattened & {
    readonly payload: string;
    readonly signatures?: readonly Flattened[];
  };
  return (whole.signatures ?? [whole]).map((one) => ({
    alg: { ...(one.protected === undefined ? {} : json(one.protected)), ...one.header }.alg as AlgorithmName,
    input: Buffer.from(`${one.protected ?? ''}.${whole.payload}`),
    bytes: bytesOf(one.signature),
  }));
}

/** Decrypts a token: by jose, or by node:crypto where jose lacks the algorithm, RSA1_5. */
async function decrypted({ token, keys: [key = {}] }: TokenVector): Promise<string> {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
  if (token.startsWith('{')) {
    const whole = JSON.parse(token);
    const alg = whole.recipients[0].header?.alg ?? whole.unprotected?.alg ?? json(whole.protected).alg;
    return text((await generalDecrypt(whole, await importJWK(key as JWK, alg))).plaintext);
  }
  const [head = '', encryptedKey = '', iv = '', ciphertext = '', tag = ''] = token.split('.');
  const { alg } = json(head);
  if (alg !== 'RSA1_5') {
    const imported = await importJWK(key as JWK, String(alg));
    return text(
      (await compactDecrypt(token, imported, { keyManagementAlgorithms: [String(alg)] })).plaintext,
    );
  }
  const privateKey = createPrivateKey({ key: { ...key }, format: 'jwk' });
  const cek = privateDecrypt(
    { key: privateKey, padding: constants.RSA_PKCS1_PADDING },
    bytesOf(encryptedKey),
  );
  // RFC 7518 §5.2.2.2: the MAC key, then the key of AES.
  const length = Buffer.alloc(8);
  length.writeUInt32BE(head.length * 8, 4);
  const mac = createHmac('sha256', cek.subarray(0, 16))
    .update(Buffer.concat([Buffer.from(head), bytesOf(iv), bytesOf(ciphertext), length]))
    .digest();
  expect(mac.subarray(0, 16).equals(bytesOf(tag))).toBe(true);
  const decipher = createDecipheriv('aes-128-cbc', cek.subarray(16), bytesOf(iv));
  return text(Buffer.concat([decipher.update(bytesOf(ciphertext)), decipher.final()]));
}

/** Judges a token by these keys, and compares with what the data says. */
async function judged(
  token: string,
  key: JsonObject,
  { options, outcome, detail, claims }: Expected,
): Promise<void> {
  const { issuer, now, audience, allowedAlgorithms, profile } = options;
  const common = { issuer, ...(allowedAlgorithms === undefined ? {} : { allowedAlgorithms }) };
  const isSecret = key.kty === 'oct';
  const authenticator = startAuthenticator({
    keySets: [
      isSecret ? { ...common, secret: { name: 'keys', key: 'jwks' } } : { ...common, jwks: { keys: [key] } },
    ],
    secrets: createMemoryStore({ keys: { jwks: JSON.stringify({ keys: [key] }) } }),
    audience,
    clock: { now: () => now * 1000 },
    ...(profile === undefined ? {} : { profile }),
  } as AuthenticatorOptions);
  const found = await authenticator.verify(token).then(
    (principal) => ({ outcome: 'accepted', detail: undefined, claims: principal.claims }),
    (error: unknown) => {
      if (!isAuthError(error)) throw error;
      return { outcome: error.code, detail: error.detail, claims: undefined };
    },
  );
  expect(found.outcome).toBe(outcome);
  if (detail !== undefined) expect(found.detail).toContain(detail);
  if (claims !== undefined && outcome === 'accepted') expect(found.claims).toEqual(claims);
}

const isToken = (vector: TokenVector | ClaimsVector): vector is TokenVector => 'token' in vector;

describe.each(files.map((file) => [file.rfc, file] as const))(
  'RFC %i',
  (_, { vectors = [], sets = [], proofs = [] }) => {
    it.each(vectors.map((vector) => [vector.section, vector.what, vector] as const))(
      '%s: %s',
      async (_section, _what, vector) => {
        if (!isToken(vector)) {
          const key = await generateSigningKey(vector.header.alg as AlgorithmName, String(vector.header.kid));
          return judged(await mint(key, vector.claims, vector.header), key.publicJwk, vector);
        }
        const { token, keys, proof } = vector;
        if (proof === 'decrypts') {
          expect(await decrypted(vector)).toBe(vector.plaintext);
          return judged(token, (await generateSigningKey()).publicJwk, vector);
        }
        const signatures = signaturesOf(vector);
        expect(signatures).toHaveLength(keys.length);
        for (const [index, { alg, input, bytes }] of signatures.entries()) {
          const key = keys[index] as JsonObject;
          if (proof === 'unsecured') {
            expect({ alg, length: bytes.length }).toEqual({ alg: 'none', length: 0 });
            continue;
          }
          expect(isSigned(alg, key, input, bytes)).toBe(true);
          // Core verifies the signature, too, whatever it says of the token.
          const { alg: _alg, ...bare } = key;
          const imported = importJwk(bare, { origin: 'secret', allowed: new Set([alg]) });
          expect('verifiers' in imported && imported.verifiers.get(alg)?.(input, bytes)).toBe(true);
        }
        return judged(token, keys[0] as JsonObject, vector);
      },
    );

    if (sets.length > 0)
      it.each(sets.map((set) => [set.section, set.what, set] as const))('%s: %s', (_section, _what, set) => {
        const allowed = set.allowed === undefined ? undefined : new Set(set.allowed);
        const found = set.jwks.keys.map((key) => {
          const imported = importJwk(key, { origin: set.origin, allowed });
          if ('reason' in imported) return { skipped: imported.reason };
          const { kid, verifiers, thumbprint } = imported;
          return { kid, algorithms: [...verifiers.keys()], thumbprint };
        });
        expect(found).toHaveLength(set.keys.length);
        expect(found).toMatchObject(set.keys);
      });

    if (proofs.length > 0)
      it.each(proofs.map((one) => [one.section, one.what, one] as const))(
        '%s: %s',
        (_section, _what, { proof, claims }) => {
          const [head = '', payload = '', signature = ''] = proof.split('.');
          const { alg, jwk } = json(head);
          const input = Buffer.from(`${head}.${payload}`);
          expect(isSigned(String(alg), jwk as JsonObject, input, bytesOf(signature))).toBe(true);
          expect(json(payload)).toEqual(claims);
        },
      );
  },
);
