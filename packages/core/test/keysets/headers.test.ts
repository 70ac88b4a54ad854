// Headers of requests for keys, against servers on loopback that answer as the API server of
// Kubernetes does: 401 without its token.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createAuthenticator } from '../../src/descriptor/create.ts';
import { createMemoryStore } from '../../src/secrets/store.ts';
import { listen } from '../support/servers.ts';

const AUDIENCE = 'https://api.example.com';
const TOKEN = 'first-service-account-token';
let signing: SigningKey;
let folder: string;

beforeAll(async () => {
  signing = await generateSigningKey('ES256', 'k');
  folder = mkdtempSync(join(tmpdir(), 'latchkey-headers-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Api {
  readonly origin: string;
  /** The path of each request, and its Authorization. */
  readonly asked: (readonly [path: string, authorization: string | undefined])[];
  /** What it accepts as Authorization. */
  expects: string | undefined;
}

/** Serves metadata at the well-known path, redirects `/old` to `/keys`, and has keys elsewhere. */
async function serveApi(jwksUri?: string): Promise<Api> {
  const api = { origin: '', asked: [] as Api['asked'], expects: `Bearer ${TOKEN}` as string | undefined };
  const server = createServer(({ url = '', headers }, response) => {
    api.asked.push([url, headers.authorization]);
    response.setHeader('content-type', 'application/json');
    if (api.expects !== undefined && headers.authorization !== api.expects) {
      response.writeHead(401).end('{}');
    } else if (url === '/old') {
      response.writeHead(302, { location: '/keys' }).end();
    } else if (url.startsWith('/.well-known/')) {
      response.end(JSON.stringify({ issuer: api.origin, jwks_uri: jwksUri ?? `${api.origin}/keys` }));
    } else {
      response.end(JSON.stringify({ keys: [signing.publicJwk] }));
    }
  });
  api.origin = `http://localhost:${await listen(server)}`;
  return api;
}

/** Writes the file of a token, and returns the header that names it. */
function header(name: string, content = `${TOKEN}\n`) {
  const file = join(folder, name);
  writeFileSync(file, content);
  return { authorization: { prefix: 'Bearer ', file } };
}

function create(keyset: object, more: object = {}) {
  const keySets = [{ issuer: 'https://issuer.example', allowHttp: true, ...keyset }] as never;
  const authenticator = createAuthenticator({ keySets, audience: AUDIENCE, ...more });
  closing.push(() => authenticator.close());
  return authenticator;
}

async function token(iss = 'https://issuer.example') {
  return mint(signing, { iss, aud: AUDIENCE, sub: 'system:serviceaccount:a:b', exp: 4_000_000_000 });
}

/** The texts of an error and of its causes. */
function texts(error: unknown): string {
  return error instanceof Error
    ? `${error.message}; ${'detail' in error ? error.detail : ''}; ${texts(error.cause)}`
    : '';
}

describe('headers of a keyset', () => {
  it('are sent with the request for a JWK Set', async () => {
    const api = await serveApi();
    const authenticator = create({ jwksUrl: `${api.origin}/keys`, headers: header('a') });
    expect(await authenticator.verify(await token())).toMatchObject({ subject: 'system:serviceaccount:a:b' });
    expect(api.asked).toEqual([['/keys', `Bearer ${TOKEN}`]]);
  });

  it('are sent with the requests for metadata and for keys of the same origin', async () => {
    const api = await serveApi();
    const keyset = { issuer: api.origin, useOidcDiscovery: true, headers: header('b') };
    await create(keyset).ready();
    expect(api.asked.map(([, authorization]) => authorization)).toEqual([
      `Bearer ${TOKEN}`,
      `Bearer ${TOKEN}`,
    ]);
  });

  it('are not sent to another origin that the metadata names', async () => {
    const elsewhere = await serveApi();
    elsewhere.expects = undefined;
    const api = await serveApi(`${elsewhere.origin}/keys`);
    await create({ issuer: api.origin, useOidcDiscovery: true, headers: header('c') }).ready();
    expect(api.asked).toHaveLength(1);
    expect(elsewhere.asked).toEqual([['/keys', undefined]]);
  });

  it('are not sent after a redirect', async () => {
    const api = await serveApi();
    const authenticator = create({ jwksUrl: `${api.origin}/old`, headers: header('d') });
    await expect(authenticator.ready()).rejects.toThrow();
    expect(api.asked).toEqual([
      ['/old', `Bearer ${TOKEN}`],
      ['/keys', undefined],
    ]);
  });

  it('have the values of this moment: a replaced file counts at the next request', async () => {
    const api = await serveApi();
    const authenticator = create({ jwksUrl: `${api.origin}/keys`, headers: header('e', 'old-token') });
    await expect(authenticator.ready()).rejects.toThrow();
    header('e', 'new-token');
    api.expects = 'Bearer new-token';
    const replaced = create({ jwksUrl: `${api.origin}/keys`, headers: header('e', 'new-token') });
    await replaced.ready();
    expect(api.asked.map(([, authorization]) => authorization)).toEqual([
      'Bearer old-token',
      'Bearer new-token',
    ]);
  });

  it('may be in a secret', async () => {
    const api = await serveApi();
    api.expects = undefined;
    const secrets = createMemoryStore({ api: { token: Buffer.from('k-123') } });
    const headers = { 'X-API-Key': { name: 'api', key: 'token' } };
    await create({ jwksUrl: `${api.origin}/keys`, headers }, { secrets }).ready();
    expect(api.asked).toHaveLength(1);
    expect(() => create({ jwksUrl: `${api.origin}/keys`, headers })).toThrow(
      'keySets[0].headers.x-api-key: expected a secret store; pass one in secrets',
    );
  });

  it.each([
    ['is missing', undefined, /the file of the header authorization cannot be read: ENOENT/],
    ['has two lines', 'secret\nx-other: 1', /not printable ASCII on one line/],
    ['is too long', 'secret'.repeat(3_000), /is not a regular file of at most 16384 bytes/],
    ['is empty', '', /not printable ASCII on one line/],
  ])('fail without the value in the message if the file %s', async (_, content, expected) => {
    const api = await serveApi();
    const headers =
      content === undefined ? { authorization: { file: join(folder, 'none') } } : header('f', content);
    const authenticator = create({ jwksUrl: `${api.origin}/keys`, headers });
    const error = await authenticator.ready().catch((reason: unknown) => reason);
    expect(texts(error)).toMatch(expected);
    expect(texts(error)).not.toContain('secret');
    expect(api.asked).toHaveLength(0);
  });

  it('are found from the directory of a descriptor', async () => {
    const api = await serveApi();
    header('relative');
    const descriptor = join(folder, 'service.yaml');
    writeFileSync(
      descriptor,
      `service:
  jwt:
    audience: ${AUDIENCE}
    keySets:
      - jwksUrl: ${api.origin}/keys
        allowHttp: true
        headers: { authorization: { prefix: 'Bearer ', file: relative } }
`,
    );
    const authenticator = createAuthenticator({ descriptor });
    closing.push(() => authenticator.close());
    await authenticator.ready();
    expect(api.asked).toEqual([['/keys', `Bearer ${TOKEN}`]]);
  });

  it.each([
    [{ headers: {}, jwksHosts: ['keys.example.com'] }, 'keySets[0].headers: '],
    [{ headers: { host: { file: 'a' } } }, 'keySets[0].headers.host: expected the name of a header'],
    [{ headers: { 'a b': { file: 'a' } } }, 'keySets[0].headers.a b: expected the name of a header'],
    [
      { headers: { 'proxy-authorization': { file: 'a' } } },
      'keySets[0].headers.proxy-authorization: expected',
    ],
    [{ headers: { a: 'text' } }, 'keySets[0].headers.a: expected'],
    [{ headers: { a: {} } }, 'keySets[0].headers.a: expected either { file } or { name, key } of a secret'],
    [{ headers: { a: { file: 'a', name: 'b', key: 'c' } } }, 'keySets[0].headers.a: expected either'],
    [
      { headers: { a: { file: 'a', prefix: 'x\r\n' } } },
      'keySets[0].headers.a.prefix: expected printable ASCII',
    ],
    [
      { headers: { a: { file: 'a' } }, jwksUrl: 'http://keys.example.com/', allowHttp: true },
      'keySets[0].headers: expected https: a header may hold a credential',
    ],
  ])('are refused at the start: %j', (keyset, message) => {
    const source =
      'jwksHosts' in keyset || 'jwksUrl' in keyset ? {} : { jwksUrl: 'https://keys.example.com/' };
    expect(() => create({ allowHttp: false, ...source, ...keyset })).toThrow(message);
  });
});
