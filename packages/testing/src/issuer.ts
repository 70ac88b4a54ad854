// An issuer on loopback: OpenID metadata and a JWK Set over real HTTP, tokens that it signs, and
// faults on demand. It has no authorization endpoint.
import { randomUUID } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import {
  type AlgorithmName,
  type AuthenticatorOptions,
  type Clock,
  ConfigError,
  type JsonObject,
  type JsonValue,
} from '@latchkey/core';
import { readObject } from '@latchkey/core/adapter';
import { type Fault, misbehave, readFault } from './faults.ts';
import { generateSigningKey, type SigningKey } from './keys.ts';
import { type MintClaims, mint } from './mint.ts';

/** The options of a test issuer. */
export interface IssuerOptions {
  /** Default ES256. */
  readonly algorithm?: AlgorithmName;
  /**
   * The `aud` of minted tokens, unless `mint` gets another one. Default `https://api.example.com`.
   */
  readonly audience?: string;
  /** The port. Default: a free one. */
  readonly port?: number;
  /** The clock for `iat` and `exp`. Default: the system clock. */
  readonly clock?: Clock;
  /** The Cache-Control header of the answers. Default: no such header. */
  readonly cacheControl?: string;
  /** Serves https with this certificate, valid or not, in PEM. Default: plain http. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** The number of requests that arrived, including those answered with a fault. */
export interface RequestCounts {
  readonly metadata: number;
  readonly jwks: number;
}

/** A running issuer. */
export interface TestIssuer {
  /**
   * The issuer identifier: its own URL, `http://127.0.0.1:PORT`, or with `tls`
   * `https://localhost:PORT`.
   */
  readonly issuer: string;
  readonly jwksUrl: string;
  readonly audience: string;
  /**
   * Options that trust this issuer: `authenticate(issuer.options)`. Discovery, this audience, the
   * clock if one was given, and `allowHttp`, which an issuer on loopback without `tls` needs. With
   * `tls`, add `tls: { ca: { pem: cert } }` to the keyset if the certificate is your own.
   */
  readonly options: AuthenticatorOptions & { readonly audience: string };
  /** The current signing key. */
  readonly key: SigningKey;
  /** The JWK Set that is published now. */
  readonly jwks: { readonly keys: readonly JsonObject[] };
  readonly requests: RequestCounts;
  /**
   * Signs claims. Defaults: `iss`, `aud`, `sub`, `iat`, `exp` in five minutes, `jti`; a claim given
   * as undefined is left out.
   */
  mint(claims?: MintClaims, header?: { readonly [name: string]: JsonValue | undefined }): Promise<string>;
  /** Signs with a new key from now on. The old one stays published unless `keepOld` is false. */
  rotate(options?: { readonly keepOld?: boolean }): Promise<SigningKey>;
  /** Publishes these keys instead of the current ones. */
  publish(keys: readonly JsonObject[]): void;
  /** Answers every request with this fault. Call it without a fault to end that. */
  fail(fault?: Fault): void;
  close(): Promise<void>;
}

/** OpenID Connect Discovery 1.0 §4, and RFC 8414 §3. */
const METADATA: ReadonlySet<string> = new Set([
  '/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server',
]);

/**
 * Starts an issuer on a free port of 127.0.0.1.
 * @throws ConfigError for an option that does not exist, or is undefined
 * @example
 * ```ts
 * const issuer = await createIssuer();
 * const authenticator = createAuthenticator(issuer.options);
 * const token = await issuer.mint({ sub: 'alice', scope: 'friends:read' });
 * await issuer.close();
 * ```
 */
export async function createIssuer(options: IssuerOptions = {}): Promise<TestIssuer> {
  readObject(options, ['algorithm', 'audience', 'clock', 'cacheControl', 'tls', 'port'], '');
  const { algorithm, audience = 'https://api.example.com', clock = Date, cacheControl, tls } = options;
  let key = await generateSigningKey(algorithm);
  let published: readonly JsonObject[] = [key.publicJwk];
  let fault: Fault | undefined;
  const requests = { metadata: 0, jwks: 0 };

  const listener: RequestListener = (request, response) => {
    const isMetadata = METADATA.has(request.url ?? '');
    if (!isMetadata && request.url !== '/jwks.json') {
      response.writeHead(404).end();
      return;
    }
    requests[isMetadata ? 'metadata' : 'jwks']++;
    if (fault !== undefined) {
      misbehave(response, fault);
      return;
    }
    response.setHeader('content-type', 'application/json');
    if (cacheControl !== undefined) response.setHeader('cache-control', cacheControl);
    const body = isMetadata ? { issuer, jwks_uri: `${issuer}/jwks.json` } : { keys: published };
    response.end(JSON.stringify(body));
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve, reject) =>
    server.once('error', reject).listen(options.port ?? 0, '127.0.0.1', resolve),
  );
  const { port } = server.address() as AddressInfo;
  const issuer = tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`;

  return {
    issuer,
    jwksUrl: `${issuer}/jwks.json`,
    audience,
    options: {
      keySets: [{ issuer, useOidcDiscovery: true, ...(tls === undefined ? { allowHttp: true } : {}) }],
      audience,
      ...(options.clock === undefined ? {} : { clock }),
    },
    get key() {
      return key;
    },
    get jwks() {
      return { keys: published };
    },
    requests,
    mint(claims = {}, header = {}) {
      const now = Math.floor(clock.now() / 1000);
      const defaults = {
        iss: issuer,
        aud: audience,
        sub: 'alice',
        iat: now,
        exp: now + 300,
        jti: randomUUID(),
      };
      return mint(key, { ...defaults, ...claims }, header);
    },
    async rotate(how = {}) {
      readObject(how, ['keepOld'], 'rotate');
      const { keepOld = true } = how;
      key = await generateSigningKey(algorithm);
      published = keepOld ? [key.publicJwk, ...published] : [key.publicJwk];
      return key;
    },
    publish(keys) {
      if (!Array.isArray(keys)) throw new ConfigError('publish', 'expected a list of JWKs');
      published = keys;
    },
    fail(next) {
      fault = next === undefined ? undefined : readFault(next);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
