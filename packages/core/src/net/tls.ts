// The TLS options of a keyset: an own CA, pinned certificates (checked in pins.ts), cipher suites
// by number. Returns options for tls.connect; no connection is made here.
import { X509Certificate } from 'node:crypto';
import { isAbsolute } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { asError, ConfigError } from '../errors.ts';
import { coming, listed, replaced } from '../values/judge.ts';
import {
  exactlyOne,
  fileName,
  type Option,
  object,
  optional,
  patternSchema,
  shared,
  type TableOf,
  text,
} from '../values/option.ts';
import { readList, readObject } from '../values/readers.ts';
import { readSmallFile } from '../values/small-file.ts';
import { pinning } from './pins.ts';
import { requireNode } from './runtime.ts';

/**
 * How the connection to the source of a keyset is secured, in addition to the CAs of the system.
 */
export interface TlsOptions {
  /** The only trusted CA certificates, PEM. */
  readonly ca?: { readonly file: string } | { readonly pem: string };
  /**
   * Pins: SHA-256 of the public key (SubjectPublicKeyInfo, DER) of a certificate in the chain,
   * base64 or base64url. The chain is verified as well. An additional certificate that is not part
   * of the chain does not count.
   */
  readonly fingerprints?: readonly string[];
  /**
   * The only cipher suites that are offered, by their IANA numbers: 4865 is TLS_AES_128_GCM_SHA256.
   */
  readonly cipherSuites?: readonly number[];
}

/** Options for `tls.connect`. */
export type TlsSettings = Readonly<
  Pick<
    ConnectionOptions,
    'ca' | 'ciphers' | 'minVersion' | 'maxVersion' | 'rejectUnauthorized' | 'checkServerIdentity'
  >
>;

interface CipherSuite {
  /** The name in OpenSSL; undefined if the OpenSSL 3 of Node does not have the suite. */
  readonly openssl: string | undefined;
  readonly name: string;
}

const suite = (name: string, openssl: string | undefined): CipherSuite => ({ name, openssl });
const gone = (name: string): CipherSuite => suite(name, undefined);

const CIPHER_SUITES: ReadonlyMap<number, CipherSuite> = new Map([
  [5, gone('RC4-SHA')],
  [10, gone('DES-CBC3-SHA')],
  [47, suite('AES128-SHA', 'AES128-SHA')],
  [53, suite('AES256-SHA', 'AES256-SHA')],
  [60, suite('AES128-SHA256', 'AES128-SHA256')],
  [156, suite('AES128-GCM-SHA256', 'AES128-GCM-SHA256')],
  [157, suite('AES256-GCM-SHA384', 'AES256-GCM-SHA384')],
  [49159, gone('ECDHE-ECDSA-RC4-SHA')],
  [49161, suite('ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES128-SHA')],
  [49162, suite('ECDHE-ECDSA-AES256-SHA', 'ECDHE-ECDSA-AES256-SHA')],
  [49169, gone('ECDHE-RSA-RC4-SHA')],
  [49170, gone('ECDHE-RSA-DES-CBC3-SHA')],
  [49171, suite('ECDHE-RSA-AES128-SHA', 'ECDHE-RSA-AES128-SHA')],
  [49172, suite('ECDHE-RSA-AES256-SHA', 'ECDHE-RSA-AES256-SHA')],
  [49187, suite('ECDHE-ECDSA-AES128-SHA256', 'ECDHE-ECDSA-AES128-SHA256')],
  [49191, suite('ECDHE-RSA-AES128-SHA256', 'ECDHE-RSA-AES128-SHA256')],
  [49195, suite('ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256')],
  [49196, suite('ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-AES256-GCM-SHA384')],
  [49199, suite('ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256')],
  [49200, suite('ECDHE-RSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384')],
  [52392, suite('ECDHE-RSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305')],
  [52393, suite('ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-ECDSA-CHACHA20-POLY1305')],
  [4865, suite('TLS_AES_128_GCM_SHA256', 'TLS_AES_128_GCM_SHA256')],
  [4866, suite('TLS_AES_256_GCM_SHA384', 'TLS_AES_256_GCM_SHA384')],
  [4867, suite('TLS_CHACHA20_POLY1305_SHA256', 'TLS_CHACHA20_POLY1305_SHA256')],
]);

/** Larger than the certificates of all CAs that a system trusts. */
const MAX_CA_BYTES = 1024 * 1024;

const TABLE = {
  ca: optional(
    {
      read: readCa,
      schema: object(
        { file: optional(fileName, 'A PEM file.'), pem: optional(text, 'The PEM itself.') },
        exactlyOne(['file', 'pem']),
      ).schema,
    },
    'The only CA certificates that are trusted, in PEM: `{ file: path }` or `{ pem: text }`.',
    coming(
      ['closes', 'one CA is trusted, and no other'],
      ['opens', 'every CA of the system is trusted'],
      replaced('another CA is trusted'),
    ),
  ),
  fingerprints: optional(
    {
      read: pinning,
      schema: { type: 'array', minItems: 1, items: patternSchema('^[A-Za-z0-9+/_-]{43}=?$') },
    },
    'SHA-256 of public keys, base64: a certificate in the chain of the server must have one of them.',
    listed({ more: 'opens', given: 'closes', thing: 'fingerprint' }),
  ),
  cipherSuites: optional(
    {
      read: ciphers,
      schema: {
        type: 'array',
        minItems: 1,
        items: {
          enum: [...CIPHER_SUITES].flatMap(([number, { openssl }]) => (openssl === undefined ? [] : number)),
        },
      },
    },
    'The only cipher suites that are offered, by their IANA numbers.',
    listed({ more: 'opens', given: 'closes', thing: 'cipher suite' }),
  ),
} satisfies TableOf<TlsOptions>;

/** The options of `tls`. */
export const tlsOptions = object(TABLE);

/** `tls`. */
export const tls: Option<TlsSettings> = {
  ...optional(
    { ...tlsOptions, schema: shared('tls', tlsOptions.schema ?? {}) },
    'How the connection is secured, beyond the CAs that the system trusts.',
  ),
  read: readTls,
};

/**
 * Checks TLS options, and reads the CA file.
 * @throws ConfigError
 */
export function readTls(value: unknown, path: string): TlsSettings {
  // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED=0 has no effect here.
  const base = { rejectUnauthorized: true, minVersion: 'TLSv1.2' } as const;
  if (value === undefined) return base;
  requireNode(path);
  const { ca, fingerprints, cipherSuites } = tlsOptions.read(value, path);
  return { ...base, ...(ca === undefined ? {} : { ca }), ...fingerprints, ...cipherSuites };
}

function readCa(value: unknown, path: string): string {
  const { file, pem } = readObject(value, ['file', 'pem'], path);
  if ((typeof file === 'string') === (typeof pem === 'string')) {
    throw new ConfigError(path, 'expected either { file } or { pem }');
  }
  const text = file === undefined ? String(pem) : readCaFile(file, path);
  try {
    // Parsed here, so that an invalid file is found when the service starts.
    const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [''];
    for (const certificate of certificates) new X509Certificate(certificate);
    return text;
  } catch (cause) {
    const got = text.includes('PRIVATE KEY-----') ? ', got a private key' : '';
    throw new ConfigError(path, `expected CA certificates, PEM${got}`, { cause });
  }
}

function readCaFile(value: unknown, path: string): string {
  const file = fileName.read(value, path);
  try {
    return readSmallFile(file, MAX_CA_BYTES).toString('utf8');
  } catch (cause) {
    const from = isAbsolute(file) ? '' : `; it is looked for in ${process.cwd()}`;
    throw new ConfigError(path, `${file} ${asError(cause).message}${from}`, { cause });
  }
}

function ciphers(value: unknown, path: string): Pick<TlsSettings, 'ciphers' | 'minVersion' | 'maxVersion'> {
  if (!Array.isArray(value) || value.length === 0)
    throw new ConfigError(path, 'expected at least one cipher suite');
  const names = readList(value, readCipherSuite, path);
  const modern = names.filter((name) => name.startsWith('TLS_'));
  return {
    ciphers: names.join(':'),
    // A TLS version without a suite in the list would use its default suites, so it is turned off.
    ...(modern.length === 0 ? { maxVersion: 'TLSv1.2' as const } : {}),
    ...(modern.length === names.length ? { minVersion: 'TLSv1.3' as const } : {}),
  };
}

function readCipherSuite(value: unknown, path: string): string {
  const found = typeof value === 'number' ? CIPHER_SUITES.get(value) : undefined;
  if (found === undefined) {
    throw new ConfigError(
      path,
      `unknown cipher suite; expected one of ${[...CIPHER_SUITES.keys()].join(', ')}`,
    );
  }
  if (found.openssl === undefined) {
    throw new ConfigError(
      path,
      `${found.name} is broken, and OpenSSL 3 does not have it; leave cipherSuites out`,
    );
  }
  return found.openssl;
}
