// What the tests of TLS share: certificates of authorities made here, servers on loopback with
// them, and authenticators that fetch their keys from these servers.
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { generateSigningKey, mint } from '@latchkey/testing';
import { generate } from 'selfsigned';
import { afterAll, afterEach, vi } from 'vitest';
import type { Authenticator } from '../../src/decision/authenticator.ts';
import { type ConfigError, isAuthError } from '../../src/errors.ts';
import { readTls, type TlsOptions } from '../../src/net/tls.ts';
import { startAuthenticator } from '../support/authenticators.ts';
import { defined } from '../support/defined.ts';
import { configErrorOf } from '../support/refusals.ts';
import { listen } from '../support/servers.ts';

export const AUDIENCE = 'https://api.example.com';
export const ISSUER = 'https://issuer.example';
export const DAY = 86_400_000;

/** A certificate and its private key, PEM. */
export interface Certified {
  readonly cert: string;
  readonly key: string;
}

export interface Wanted {
  readonly kind?: 'rsa' | 'ec';
  readonly name?: string;
  /** Default: it signs itself. */
  readonly by?: Certified;
  readonly authority?: boolean;
  readonly fromMs?: number;
  readonly untilMs?: number;
  /** Default: new ones. */
  readonly keys?: { readonly privateKey: string; readonly publicKey: string };
}

export async function certify(wanted: Wanted): Promise<Certified> {
  const { kind = 'ec', name = 'localhost', by, authority = false } = wanted;
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    keyType: kind,
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() + (wanted.fromMs ?? -DAY)),
    notAfterDate: new Date(Date.now() + (wanted.untilMs ?? DAY)),
    extensions: authority
      ? [
          { name: 'basicConstraints', cA: true, critical: true },
          { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
        ]
      : [
          { name: 'basicConstraints', cA: false, critical: true },
          { name: 'subjectAltName', altNames: [{ type: 2, value: name }] },
        ],
    ...(by === undefined ? {} : { ca: by }),
    ...(wanted.keys === undefined ? {} : { keyPair: wanted.keys }),
  });
  return { cert: `${cert}\n`, key };
}

export const ca = await certify({ name: 'Latchkey test CA', authority: true });
export const leaf = await certify({ by: ca });
export const otherCa = await certify({ name: 'Another CA', authority: true });
export const signing = await generateSigningKey('ES256', 'k');
/** The option that trusts the CA of these tests. */
export const own = { ca: { pem: ca.cert } };

/** A folder for files with certificates. */
export const folder = mkdtempSync(join(tmpdir(), 'latchkey-tls-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

export interface Served {
  readonly server: Server;
  readonly url: string;
  readonly port: number;
  /** How many requests arrived. */
  readonly requests: () => number;
  /** The protocol and the cipher of each connection that was made. */
  readonly connections: { readonly protocol: string | null; readonly cipher: string }[];
}

/** Serves the JWK Set over TLS. */
export async function serve(certified: Certified, options: ServerOptions = {}): Promise<Served> {
  let requests = 0;
  const connections: { protocol: string | null; cipher: string }[] = [];
  const server = createServer({ ...certified, ...options }, (_, response) => {
    requests++;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ keys: [signing.publicJwk] }));
  });
  server.on('secureConnection', (socket: TLSSocket) =>
    connections.push({ protocol: socket.getProtocol(), cipher: socket.getCipher().name }),
  );
  const port = await listen(server);
  return { server, url: `https://localhost:${port}/jwks.json`, port, requests: () => requests, connections };
}

export function create(
  jwksUrl: string,
  tls?: TlsOptions,
  more: { readonly allowHttp?: boolean } = {},
): Authenticator {
  const keySets = [{ issuer: ISSUER, jwksUrl, ...defined({ tls }), ...more }];
  return startAuthenticator({ keySets, audience: AUDIENCE });
}

/** `accepted`, or the code of the refusal and its first cause. */
export async function outcome(authenticator: Authenticator): Promise<string> {
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: 4_000_000_000 };
  try {
    await authenticator.verify(await mint(signing, claims));
    return 'accepted';
  } catch (error) {
    if (!isAuthError(error)) throw error;
    let cause: unknown = error.cause;
    while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
    const { code, message } = cause as Error & { readonly code?: string };
    return `${error.code}: ${code ?? message}`;
  }
}

/** SHA-256 of a certificate's SubjectPublicKeyInfo. */
export function pinOf({ cert }: Certified): Buffer {
  const spki = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest();
}

/** The ConfigError of these options. */
export function faultOf(options: unknown): ConfigError {
  const error = configErrorOf(() => readTls(options, 'tls'));
  if (error === undefined) throw new Error('expected a ConfigError');
  return error;
}

/** `outcome` of a new authenticator that fetches its keys from the server. */
export const ask = ({ url }: Served, ...given: Tail<Parameters<typeof create>>) =>
  outcome(create(url, ...given));
type Tail<T extends readonly unknown[]> = T extends readonly [unknown, ...infer Rest] ? Rest : never;
