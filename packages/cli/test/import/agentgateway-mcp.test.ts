// Imports of agentgateway's MCP policy: its keys by provider, and the resource that it publishes.
import type { JsonObject } from '@latchkey/core';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningHosts, startHosts } from '../hosts.ts';
import { admits, decides, fixture, hour, importData, importText, load } from './imported.ts';

const ISSUER = 'https://keycloak.example.com/realms/mcp';
let key: SigningKey;
let hosts: RunningHosts;

beforeAll(async () => {
  key = await generateSigningKey('RS256', 'k1');
  hosts = await startHosts({
    'keycloak.example.com': { '/realms/mcp/protocol/openid-connect/certs': { keys: [key.publicJwk] } },
  });
});

afterAll(() => hosts.close());

const token = (claims: JsonObject = {}) =>
  mint(key, { iss: ISSUER, aud: 'mcp_proxy', sub: 'alice', permissions: ['read'], ...hour(), ...claims });
const RESOURCE = { resource: 'https://mcp.example.com/mcp' };
const mcp = (members: object = {}) => ({
  mcpAuthentication: {
    issuer: ISSUER,
    audiences: ['mcp_proxy'],
    jwks: { inline: JSON.stringify({ keys: [key.publicJwk] }) },
    resourceMetadata: RESOURCE,
    ...members,
  },
});
const derived = (provider: object | string | undefined, issuer = 'https://idp.example.com') =>
  mcp({ issuer, provider, jwks: undefined });

describe('a file with an MCP server', () => {
  it('decides on tokens as the gateway does, with the rules next to the policy', async () => {
    const { authenticator } = load(await importText(fixture('agentgateway-mcp.yaml')));
    expect(await decides(authenticator, await token())).toBe(200);
    expect(await decides(authenticator, await token({ aud: 'https://mcp.example.com/keycloak/mcp' }))).toBe(
      401,
    );
    expect(await decides(authenticator, await token({ iss: 'https://keycloak.example.com' }))).toBe(401);
    expect(await decides(authenticator, await token({ permissions: ['write'] }))).toBe(401);
    expect(await admits(authenticator, {})).toBe(401);
    await authenticator.close();
  });

  it('publishes the same resource, and names it in challenges', async () => {
    const { authenticator } = load(await importText(fixture('agentgateway-mcp.yaml')));
    const resource = authenticator.resources?.[0];
    expect(resource?.metadata).toEqual({
      resource: 'https://mcp.example.com/keycloak/mcp',
      authorization_servers: [ISSUER],
      scopes_supported: ['profile', 'openid'],
      bearer_methods_supported: ['header'],
      resource_documentation: 'https://mcp.example.com/keycloak/docs',
      resource_policy_uri: 'https://mcp.example.com/keycloak/policies',
    });
    expect(resource?.metadataUrl).toBe(
      'https://mcp.example.com/.well-known/oauth-protected-resource/keycloak/mcp',
    );
    await authenticator.close();
  });

  it('says what the gateway did for clients', async () => {
    const { notes } = await importData(fixture('agentgateway-mcp.yaml'));
    const all = notes.map(({ kind, text }) => `${kind}: ${text}`).join('\n');
    expect(all).toContain('no-equivalent: the gateway spoke for "keycloak"');
    expect(all).toContain('offline_access is not a scope of a resource');
    expect(all).toContain('the metadata name the places in tokenFrom');
    expect(all).toContain('check: publishResource');
    expect(all).not.toContain('unknown setting');
  });
});

describe('the keys', () => {
  it.each([
    [undefined, '/.well-known/jwks.json'],
    [{ auth0: {} }, '/.well-known/jwks.json'],
    [{ okta: {} }, '/.well-known/jwks.json'],
    [{ keycloak: {} }, '/protocol/openid-connect/certs'],
    ['Keycloak', '/protocol/openid-connect/certs'],
    [{ authentik: {} }, '/jwks/'],
  ])('follow from the provider %j', async (provider, path) => {
    for (const issuer of ['https://idp.example.com', 'https://idp.example.com/']) {
      const { jwt } = await importData(derived(provider, issuer));
      expect(jwt.keySets).toMatchObject([{ issuer, jwksUrl: `https://idp.example.com${path}` }]);
    }
  });

  it('of another provider follow from the metadata of the issuer, with a note', async () => {
    const { jwt, notes } = await importData(derived({ entra: {} }));
    expect(jwt.keySets).toMatchObject([{ useDiscovery: 'any' }]);
    expect(notes).toContainEqual(
      expect.objectContaining({ kind: 'check', text: expect.stringContaining('keys of "entra"') }),
    );
  });

  it('that are named are used', async () => {
    const { jwt } = await importData(
      mcp({ provider: { keycloak: {} }, jwks: { url: 'https://mirror.example.com/keys' } }),
    );
    expect(jwt.keySets).toMatchObject([{ jwksUrl: 'https://mirror.example.com/keys' }]);
    const empty = await importData(mcp({ provider: { keycloak: {} }, jwks: { url: '' } }));
    expect(empty.jwt.keySets).toMatchObject([{ jwksUrl: `${ISSUER}/protocol/openid-connect/certs` }]);
  });
});

describe('a policy', () => {
  it('requires a token without a mode, and has its other modes', async () => {
    const standalone = await importData(mcp());
    expect(standalone.jwt.mode).toBe('strict');
    expect(standalone.notes.filter(({ kind }) => kind === 'safer')).toEqual([]);
    for (const mode of ['optional', 'permissive']) {
      const { authenticator } = load(await importText(mcp({ mode })));
      expect(await admits(authenticator, {})).toBe(200);
      await authenticator.close();
    }
  });

  it('of Kubernetes is read, and its rules on tools are noted', async () => {
    const source = {
      kind: 'AgentgatewayPolicy',
      spec: {
        backend: {
          mcp: {
            authentication: {
              issuer: ISSUER,
              audiences: ['mcp_proxy'],
              provider: 'Keycloak',
              mode: 'Strict',
              jwks: {
                jwksPath: 'realms/mcp/protocol/openid-connect/certs',
                backendRef: { name: 'keycloak' },
              },
              resourceMetadata: RESOURCE,
            },
            authorization: { policy: { matchExpressions: ['mcp.tool.name == "echo"'] } },
          },
        },
      },
    };
    const imported = await importText(source);
    const { authenticator } = load(imported, { environment: { JWKS_HOST: 'keycloak.example.com' } });
    expect(await decides(authenticator, await token())).toBe(200);
    await authenticator.close();
    expect(imported.stdout).toContain('this was a restriction: authorization is for the gateway');
  });

  it('requires the claims that it names', async () => {
    const source = mcp({ jwtValidationOptions: { requiredClaims: ['email'] } });
    const { authenticator } = load(await importText(source));
    expect(await decides(authenticator, await token())).toBe(401);
    expect(await decides(authenticator, await token({ email: 'a@example.com' }))).toBe(200);
    await authenticator.close();
    expect((await importData(source)).notes.map(({ text }) => text).join()).toContain('requireExp: false');
  });

  it.each([
    [{ header: { name: 'x-token', prefix: 'JWT ' } }, { header: 'x-token', scheme: 'JWT' }],
    [{ header: { name: 'x-token' } }, { header: 'x-token', scheme: null }],
    [{ queryParameter: { name: 'token' } }, { query: 'token' }],
    [{ cookie: { name: 'token' } }, { cookie: 'token' }],
  ])('reads the token from %j', async (location, place) => {
    expect((await importData(mcp({ authorizationLocation: location }))).jwt.tokenFrom).toEqual([place]);
    const { jwt } = await importData({
      jwtAuth: { mode: 'strict', issuer: ISSUER, jwks: { url: 'https://a.example.com/' }, location },
    });
    expect(jwt.tokenFrom).toEqual([place]);
  });

  it('names all that it publishes', async () => {
    const { jwt } = await importData(
      mcp({
        resourceMetadata: {
          ...RESOURCE,
          resourceName: 'MCP',
          resource_tos_uri: 'https://mcp.example.com/terms',
          authorizationServers: ['https://login.example.com'],
          jwksUri: 'https://mcp.example.com/jwks.json',
        },
      }),
    );
    expect(jwt.resource).toEqual({
      url: RESOURCE.resource,
      name: 'MCP',
      termsOfService: 'https://mcp.example.com/terms',
      jwksUrl: 'https://mcp.example.com/jwks.json',
      authorizationServers: ['https://login.example.com'],
    });
  });

  it('without a resource needs its URL', async () => {
    const { jwt, notes } = await importData(mcp({ resourceMetadata: {} }));
    expect(jwt.resource).toBeUndefined();
    expect(notes.map(({ text }) => text).join()).toContain('set resource.url');
  });

  it('prints no secret of a client', async () => {
    const { stdout, stderr } = await importText(
      mcp({ clientId: 'gateway', clientSecret: 'hidden-value', relaySigningKey: 'hidden-key' }),
    );
    expect(stdout + stderr).not.toMatch(/hidden-(?:value|key)/);
    expect(stdout).toContain('clientSecret is for clients');
  });

  it.each<[string, () => object, string]>([
    [
      'a JWT policy next to it',
      () => ({ ...mcp(), jwtAuth: { issuer: ISSUER, jwks: { url: 'https://a.example.com/' } } }),
      'conflicts',
    ],
    [
      'a place that is an expression',
      () => mcp({ authorizationLocation: { expression: 'request.path' } }),
      'authorizationLocation',
    ],
    ['two providers', () => mcp({ provider: { auth0: {}, okta: {} } }), 'provider'],
    [
      'a resource with a query',
      () => mcp({ resourceMetadata: { resource: 'https://a.example.com/?b' } }),
      'resourceMetadata.resource',
    ],
  ])('is refused with %s', async (_what, source, problem) => {
    const { code, stdout, stderr } = await importText(source());
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(problem)]);
  });
});
