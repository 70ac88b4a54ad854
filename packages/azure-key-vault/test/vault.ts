// A TLS server on a free port that implements the part of the Key Vault REST API that the store
// uses. No test is here.
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { AccessToken, TokenCredential } from '@azure/core-auth';
import { createAuthority } from '@latchkey/test-kit/certificate';

/** A request that the vault received. */
export interface SeenRequest {
  readonly method: string | undefined;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  body: string;
}

/** One version of a secret, with the field names of the vault's JSON. */
export interface StoredSecret {
  readonly value: unknown;
  readonly version: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** Answers a request that has a token. */
export type Answer = (response: ServerResponse, request: IncomingMessage) => void;

export interface TestVault {
  /**
   * A host under vault.azure.net, so that the SDK's check of the challenge is on. Only `agent`
   * resolves it.
   */
  readonly url: string;
  /** The same server as `localhost`. */
  readonly localUrl: string;
  readonly ca: string;
  /** Trusts the vault's authority and resolves the vault's host to loopback. */
  readonly agent: Agent;
  readonly requests: SeenRequest[];
  /** All versions of each secret, by name; the current version is last. */
  readonly secrets: Map<string, StoredSecret[]>;
  /** If set, it answers instead of the secrets. */
  answer: Answer | undefined;
  /** The resource that the challenge names. */
  resource: string;
  /** Resolves to the next request that has a token, when it arrives. */
  nextRequest(): Promise<IncomingMessage>;
  close(): Promise<void>;
}

const HOST = 'latchkey-test.vault.azure.net';
export const TENANT = '11111111-2222-3333-4444-555555555555';
export const TOKEN = 'canary-token-4f1d';

/** Starts a vault. */
export async function startVault(): Promise<TestVault> {
  const authority = createAuthority('Latchkey test authority');
  const requests: SeenRequest[] = [];
  const secrets = new Map<string, StoredSecret[]>();
  let waiting: ((request: IncomingMessage) => void)[] = [];
  const contexts = new Map([HOST, 'localhost'].map((host) => [host, authority.issue(host)]));
  const server = createServer({ ...contexts.get(HOST) }, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'https://vault');
    const { authorization } = request.headers;
    const { method } = request;
    const seen: SeenRequest = { method, path: pathname, query: searchParams, authorization, body: '' };
    requests.push(seen);
    request.setEncoding('utf8').on('data', (chunk: string) => {
      seen.body += chunk;
    });
    if (authorization !== `Bearer ${TOKEN}`) {
      const challenge = `Bearer authorization="https://login.microsoftonline.com/${TENANT}", resource="${vault.resource}"`;
      response.setHeader('WWW-Authenticate', challenge);
      sendError(response, 401, 'Unauthorized', 'AKV10000: Request is missing a Bearer or PoP token.');
      return;
    }
    for (const resolve of waiting) resolve(request);
    waiting = [];
    if (vault.answer !== undefined) vault.answer(response, request);
    else if (method === 'PUT') request.on('end', () => storeSecret(response, secrets, pathname, seen.body));
    else sendSecret(response, secrets, pathname);
  });
  server.addContext('localhost', { ...contexts.get('localhost') });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const vault: TestVault = {
    url: `https://${HOST}:${port}`,
    localUrl: `https://localhost:${port}`,
    ca: authority.cert,
    agent: createAgent(authority.cert),
    requests,
    secrets,
    answer: undefined,
    resource: 'https://vault.azure.net',
    nextRequest: () => new Promise((resolve) => waiting.push(resolve)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return vault;
}

/** An agent that trusts one authority and resolves every host to loopback. */
export function createAgent(ca: string): Agent {
  return new Agent({
    ca,
    lookup: (_host, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
  });
}

/** A credential that gives the vault's token and records the requests for it. */
export function createCredential(): TokenCredential & {
  readonly asked: { readonly scopes: string | string[]; readonly tenantId: string | undefined }[];
} {
  const asked: { scopes: string | string[]; tenantId: string | undefined }[] = [];
  return {
    asked,
    async getToken(scopes, options): Promise<AccessToken> {
      asked.push({ scopes, tenantId: options?.tenantId });
      return { token: TOKEN, expiresOnTimestamp: Date.now() + 3_600_000 };
    },
  };
}

/** Sends an error in the vault's format. */
export function sendError(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify({ error: { code, message } }));
}

/** Sends a secret in the vault's format. */
export function sendBundle(response: ServerResponse, name: string, secret: StoredSecret): void {
  const { value, version, attributes } = secret;
  const id = `https://${HOST}/secrets/${name}/${version}`;
  const now = Math.floor(Date.now() / 1000);
  const all = { enabled: true, created: now, updated: now, recoveryLevel: 'Recoverable', ...attributes };
  response.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify({ value, id, attributes: all }));
}

function sendSecret(
  response: ServerResponse,
  secrets: ReadonlyMap<string, StoredSecret[]>,
  path: string,
): void {
  const [, collection, name = '', version = ''] = path.split('/');
  const versions = collection === 'secrets' ? (secrets.get(name) ?? []) : [];
  const secret =
    version === '' ? versions.at(-1) : versions.find((candidate) => candidate.version === version);
  if (secret !== undefined) sendBundle(response, name, secret);
  else
    sendError(
      response,
      404,
      'SecretNotFound',
      `A secret with (name/id) ${name} was not found in this key vault.`,
    );
}

function storeSecret(
  response: ServerResponse,
  secrets: Map<string, StoredSecret[]>,
  path: string,
  body: string,
): void {
  const [, , name = ''] = path.split('/');
  const { value } = JSON.parse(body) as { readonly value: unknown };
  const secret = { value, version: randomBytes(16).toString('hex') };
  secrets.set(name, [...(secrets.get(name) ?? []), secret]);
  sendBundle(response, name, secret);
}
