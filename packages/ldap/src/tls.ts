// TLS as the resolver asks for it, with the meaning that `tls` has for a keyset: certificate and host name are checked always.
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { ConfigError } from '@latchkey/core';
import { readObject, readSmallFile } from '@latchkey/core/adapter';

/** Options for `tls.connect`. */
export type TlsSettings = Readonly<
  Pick<ConnectionOptions, 'ca' | 'host' | 'minVersion' | 'rejectUnauthorized' | 'servername'>
>;

/** More than all CAs that a system trusts. */
const MAX_CA_BYTES = 1024 * 1024;

/**
 * Checks TLS options, and reads the CA file.
 * @throws ConfigError
 */
export function readTls(value: unknown, host: string): TlsSettings {
  const { ca } = value === undefined ? {} : readObject(value, ['ca'], 'tls');
  return {
    // Said aloud, so that NODE_TLS_REJECT_UNAUTHORIZED=0 does not take the ground from under it.
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    // Without it, Node would look for `localhost` in the certificate.
    host,
    // RFC 6066 §3: no IP address.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca: readCa(ca) }),
  };
}

function readCa(value: unknown): string {
  const { file, pem } = readObject(value, ['file', 'pem'], 'tls.ca');
  if ((typeof file === 'string') === (typeof pem === 'string')) {
    throw new ConfigError('tls.ca', 'expected either { file } or { pem }');
  }
  try {
    const text = typeof file === 'string' ? readSmallFile(file, MAX_CA_BYTES).toString('utf8') : String(pem);
    // Parsed here, so that a wrong file is found when the service starts.
    const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [''];
    for (const certificate of certificates) new X509Certificate(certificate);
    return text;
  } catch (cause) {
    throw new ConfigError('tls.ca', 'expected CA certificates, PEM', { cause });
  }
}
