// Attacks with a public key as the secret of an HMAC, in each form in which a program may hold it.
import { createHmac, createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { JsonObject } from '@latchkey/core';
import { forge } from '../../mint.ts';
import type { Attack } from '../attack.ts';
import type { Bench } from '../bench.ts';

/** A public key of the configuration. */
interface PublicKey {
  readonly key: KeyObject;
  readonly jwk: JsonObject;
  /** As the options have it. */
  readonly pem: string | undefined;
}

const MAX_KEYS = 3;

/** Each makes the bytes of a key, or none. */
const FORMS: Readonly<Record<string, readonly [title: string, (key: PublicKey, bench: Bench) => Bytes]>> = {
  'spki-pem': ['PEM', ({ key }) => pemOf(key)],
  'spki-pem-trimmed': ['PEM without its last line break', ({ key }) => pemOf(key).trimEnd()],
  'spki-pem-crlf': ['PEM with line breaks of Windows', ({ key }) => pemOf(key).replaceAll('\n', '\r\n')],
  'spki-der': ['DER', ({ key }) => key.export({ type: 'spki', format: 'der' })],
  'pkcs1-pem': ['PEM of PKCS #1', ({ key }) => pkcs1Of(key)],
  jwk: ['JWK', ({ jwk }) => JSON.stringify(jwk)],
  jwks: ['JWK Set', (_, { issuer }) => issuer.jwks && JSON.stringify(issuer.jwks)],
  raw: ['bare number or point', ({ jwk }) => rawOf(jwk)],
  configured: ['PEM as the options have it', ({ pem }) => pem],
};

type Bytes = string | Buffer | undefined;

export const PUBLIC_KEY_ATTACKS: readonly Attack[] = Object.entries(FORMS).map(
  ([name, [title, bytesOf]]): Attack => {
    const secretsOf = (bench: Bench) => publicKeysOf(bench).flatMap((key) => bytesOf(key, bench) ?? []);
    return {
      id: `T-018/${name}`,
      title: `HS256 and HS512 with a public key as the secret: its ${title}`,
      advice:
        'Every caller knows the public key, so every caller can sign. Bind each key to its type: a key pair never verifies an HMAC.',
      needs: [
        (bench) =>
          secretsOf(bench).length === 0
            ? 'no public key of this form is in the options, nor in issuer.jwks'
            : undefined,
      ],
      forge: (bench) =>
        secretsOf(bench).flatMap((secret) =>
          (['256', '512'] as const).map((bits) =>
            forge({
              header: { ...bench.good.header, alg: `HS${bits}` },
              payload: bench.good.claims,
              signature: (input) => createHmac(`sha${bits}`, secret).update(input).digest(),
            }),
          ),
        ),
    };
  },
);

/** The public keys of the options and of the issuer. */
function publicKeysOf({ issuer, attack }: Bench): readonly PublicKey[] {
  const keysets = attack.options.keySets ?? [];
  const jwks = [...(issuer.jwks?.keys ?? []), ...keysets.flatMap(({ jwks: set }) => set?.keys ?? [])];
  const pems = keysets.flatMap(({ publicKeys = [] }) =>
    publicKeys.map(({ pem, file }) => pem ?? readFileSync(file ?? '', 'utf8')),
  );
  return [
    ...jwks.map((jwk) => ({ jwk: jwk as JsonObject, pem: undefined })),
    ...pems.map((pem) => ({ jwk: undefined, pem })),
  ]
    .flatMap(({ jwk, pem }): PublicKey | [] => {
      try {
        const key = createPublicKey(jwk === undefined ? (pem ?? '') : { key: { ...jwk }, format: 'jwk' });
        return { key, jwk: jwk ?? (key.export({ format: 'jwk' }) as JsonObject), pem };
      } catch {
        // A key that Node cannot read, such as a symmetric one.
        return [];
      }
    })
    .slice(0, MAX_KEYS);
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

function pkcs1Of(key: KeyObject): Bytes {
  return key.asymmetricKeyType === 'rsa' ? key.export({ type: 'pkcs1', format: 'pem' }) : undefined;
}

function rawOf({ n, x }: JsonObject): Bytes {
  const number = n ?? x;
  return typeof number === 'string' ? Buffer.from(number, 'base64url') : undefined;
}
