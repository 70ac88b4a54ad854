// Clients that others have written read a challenge, find the metadata that it names, and accept
// both: the client of the Model Context Protocol, and oauth4webapi.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Authenticator, createAuthenticator } from '@latchkey/core';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import {
  checkResourceAllowed,
  discoverOAuthProtectedResourceMetadata,
  extractWWWAuthenticateParams,
} from '@modelcontextprotocol/client';
import express, { type Express } from 'express';
import * as oauth from 'oauth4webapi';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { authenticate, publishResource } from '../src/index.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A service at a path of a host that clients can reach, and the URL of it. */
async function start(path: string): Promise<{ readonly url: string; readonly authenticator: Authenticator }> {
  const app: Express = express();
  app.set('env', 'test');
  const server: Server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  const { keySets } = issuer.options;
  const scopes = ['files:read', 'files:write'];
  const authenticator = createAuthenticator({ keySets, resource: { url, name: 'Files', scopes } });
  closers.push(
    () => authenticator.close(),
    () => server.close(),
    () => server.closeAllConnections(),
  );
  app.use(publishResource(authenticator));
  app.use(authenticate(authenticator, { claims: { scope: 'files:read' } }));
  app.use((_request, response) => void response.json({ ok: true }));
  return { url, authenticator };
}

const tokenFor = (aud: string, scope: string) => issuer.mint({ aud, sub: 'alice', scope });
const get = (url: string, token?: string) =>
  fetch(url, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } });

describe('the client of MCP', () => {
  it.each(['', '/', '/mcp', '/server/mcp'])('finds the issuer of a service at "%s"', async (path) => {
    const { url } = await start(path);
    const { resourceMetadataUrl, scope, error } = extractWWWAuthenticateParams(await get(url));
    expect(resourceMetadataUrl?.pathname).toBe(
      `/.well-known/oauth-protected-resource${path === '/' ? '' : path}`,
    );
    expect({ scope, error }).toEqual({ scope: 'files:read', error: undefined });
    // The client refuses metadata that it cannot read.
    const metadata = await discoverOAuthProtectedResourceMetadata(url, {
      resourceMetadataUrl: resourceMetadataUrl!,
    });
    expect(metadata).toMatchObject({
      resource: url,
      authorization_servers: [issuer.issuer],
      scopes_supported: ['files:read', 'files:write'],
    });
    expect(checkResourceAllowed({ requestedResource: url, configuredResource: metadata.resource })).toBe(
      true,
    );
    // And it finds the same where a proxy has dropped the challenge.
    expect(await discoverOAuthProtectedResourceMetadata(url)).toEqual(metadata);
    expect((await get(url, await tokenFor(metadata.resource, 'files:read'))).status).toBe(200);
  });

  it('reads which scope is missing', async () => {
    const { url } = await start('/mcp');
    const refused = await get(url, await tokenFor(url, 'files:list'));
    expect(refused.status).toBe(403);
    expect(extractWWWAuthenticateParams(refused)).toMatchObject({
      error: 'insufficient_scope',
      scope: 'files:read',
      resourceMetadataUrl: new URL('/.well-known/oauth-protected-resource/mcp', url),
    });
  });

  it('reads that a token is for another service', async () => {
    const { url } = await start('/mcp');
    const refused = await get(url, await tokenFor(`${url}/other`, 'files:read'));
    expect(refused.status).toBe(401);
    expect(extractWWWAuthenticateParams(refused)).toMatchObject({ error: 'invalid_token' });
  });
});

describe('oauth4webapi', () => {
  const insecure = { [oauth.allowInsecureRequests]: true };

  it.each(['/', '/mcp', '/mcp/'])('accepts the metadata of a service at "%s"', async (path) => {
    const { url } = await start(path);
    const answer = await oauth.resourceDiscoveryRequest(new URL(url), insecure);
    expect(await oauth.processResourceDiscoveryResponse(new URL(url), answer)).toMatchObject({
      resource: url,
      authorization_servers: [issuer.issuer],
    });
  });

  it('reads the challenge of a bad token', async () => {
    const { url } = await start('/mcp');
    const expired = await tokenFor('https://other.example', 'files:read');
    const request = oauth.protectedResourceRequest(
      expired,
      'GET',
      new URL(url),
      undefined,
      undefined,
      insecure,
    );
    await expect(request).rejects.toMatchObject({
      status: 401,
      cause: [
        {
          scheme: 'bearer',
          parameters: {
            error: 'invalid_token',
            resource_metadata: new URL('/.well-known/oauth-protected-resource/mcp', url).href,
          },
        },
      ],
    });
  });
});
