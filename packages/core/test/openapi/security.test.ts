// What a route requires, as OpenAPI: its schemes, its scopes, and the choice between several.
import { generateSigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { anyOf, noneOf, reportOnly } from '../../src/claims/rules.ts';
import type { RouteAccess } from '../../src/decision/access.ts';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import { requireAll, requireAny } from '../../src/decision/combine.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import type { JwkSet } from '../../src/jwk/import-jwks.ts';
import { describeOpenApi } from '../../src/openapi/document.ts';
import { reportAccess } from '../../src/openapi/report-access.ts';
import type { OpenApiOptions } from '../../src/openapi/types.ts';
import { problemsOf } from './valid.ts';

const ISSUER = 'https://login.example.com/realms/a';
const DISCOVERY = { issuer: ISSUER, useDiscovery: 'oidc' } as const;
const DPOP = { mode: 'allowed', publicUrl: 'https://api.example.com' } as const;
let inline: { readonly issuer: string; readonly jwks: JwkSet };

beforeAll(async () => {
  const { publicJwk } = await generateSigningKey('ES256');
  inline = { issuer: 'https://partner.example', jwks: { keys: [publicJwk] } };
});

function made(options: Partial<AuthenticatorOptions> = {}): Authenticator {
  return createAuthenticator({ keySets: [inline], audience: 'me', ...options });
}

type Deciding = Parameters<typeof reportAccess>[1];

async function described(by: Deciding, access: RouteAccess | false, options: OpenApiOptions = {}) {
  const parts = describeOpenApi([reportAccess({ method: 'GET', path: '/x' }, by, access)], options);
  const version = `${options.version ?? '3.1'}.0`;
  expect(
    await problemsOf({ openapi: version, info: { title: 'x', version: '1' }, ...parts }),
  ).toBeUndefined();
  return { schemes: parts.components.securitySchemes, ...parts.paths['/x']?.get };
}

describe('security of OpenAPI', () => {
  it('a public route needs nothing, and has no refusals', async () => {
    const { security, responses, schemes } = await described(made(), false);
    expect(security).toEqual([]);
    expect(Object.keys(responses ?? {})).toEqual(['default']);
    expect(schemes).toEqual({});
  });

  it('an optional token is one of two choices, and none is the first', async () => {
    const { security } = await described(made(), { mode: 'optional' });
    expect(security).toEqual([{}, { bearer: [] }]);
    expect((await described(made({ mode: 'permissive' }), {})).security).toEqual([{}, { bearer: [] }]);
  });

  it('keys without discovery are JWTs of the scheme bearer', async () => {
    const { security, schemes } = await described(made(), {});
    expect(security).toEqual([{ bearer: [] }]);
    expect(schemes).toMatchObject({ bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } });
  });

  it('what refuses nothing yet needs no scope, is answered with no 403, and is named as such', async () => {
    const later = { roles: reportOnly(['admin'], { from: '2999-01-01' }), scope: reportOnly('read') };
    for (const access of [{ claims: later }, { claims: { scope: 'read' }, enforce: false }] as const) {
      const { security, responses, description } = await described(made(), access);
      expect(security).toEqual([{ bearer: [] }]);
      expect(responses).not.toHaveProperty('403');
      expect(description).toContain('(report only');
    }
    const past = { roles: reportOnly(['admin'], { from: '2001-01-01' }), scope: 'read' };
    const { security, responses } = await described(made(), { claims: past });
    expect(security).toEqual([{ bearer: ['read'] }]);
    expect(responses).toHaveProperty('403');
  });

  it('an issuer with discovery is openIdConnect with scopes, in both versions', async () => {
    const by = made({ keySets: [DISCOVERY] });
    for (const version of ['3.0', '3.1'] as const) {
      const { security, schemes } = await described(
        by,
        { claims: { scope: ['read', 'write'] } },
        { version },
      );
      expect(security).toEqual([{ openIdConnect: ['read', 'write'] }]);
      expect(schemes).toMatchObject({
        openIdConnect: {
          type: 'openIdConnect',
          openIdConnectUrl: `${ISSUER}/.well-known/openid-configuration`,
        },
      });
    }
  });

  it('two issuers with discovery are two schemes, and any other keyset is a third choice', async () => {
    const other = { issuer: 'https://b.example', useOidcDiscovery: true } as const;
    const { security, schemes } = await described(made({ keySets: [DISCOVERY, other, inline] }), {});
    expect(security).toEqual([{ openIdConnect: [] }, { openIdConnect_2: [] }, { bearer: [] }]);
    expect(schemes.openIdConnect_2?.openIdConnectUrl).toBe(
      'https://b.example/.well-known/openid-configuration',
    );
  });

  it('a route with issuers has the schemes of these only', async () => {
    const by = made({ keySets: [DISCOVERY, inline] });
    expect((await described(by, { issuers: [ISSUER] })).security).toEqual([{ openIdConnect: [] }]);
    expect((await described(by, { issuers: [inline.issuer] })).security).toEqual([{ bearer: [] }]);
  });

  it('scopes of a bearer token are in OpenAPI 3.1, and in 3.0 only in the words', async () => {
    const access = { claims: { scope: 'read' } };
    expect((await described(made(), access)).security).toEqual([{ bearer: ['read'] }]);
    const { security, description } = await described(made(), access, { version: '3.0' });
    expect(security).toEqual([{ bearer: [] }]);
    expect(description).toContain('- `scope` "read"');
  });

  it('of anyOf, each scope is a choice; noneOf asks for none', async () => {
    const either = { claims: { scope: anyOf('a', 'b'), scp: 'c' } };
    expect((await described(made(), either)).security).toEqual([
      { bearer: ['a', 'c'] },
      { bearer: ['b', 'c'] },
    ]);
    expect((await described(made(), { claims: { scope: noneOf('a') } })).security).toEqual([{ bearer: [] }]);
  });

  it('too many choices of scopes become the one that a challenge names', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'] as const;
    const { security } = await described(made(), { claims: { scope: anyOf(...names) } });
    expect(security).toEqual([{ bearer: ['a'] }]);
  });

  it('rules on every token count too', async () => {
    const { security, description } = await described(made({ claims: { scope: 'all' } }), {
      claims: { scope: 'read' },
    });
    expect(security).toEqual([{ bearer: ['all', 'read'] }]);
    expect(description).toContain('all');
  });

  it('DPoP is a choice where it is allowed, and the only one where the route requires it', async () => {
    const by = made({ dpop: DPOP });
    const { security, schemes } = await described(by, {});
    expect(security).toEqual([{ bearer: [] }, { DPoP: [] }]);
    expect(schemes.DPoP).toMatchObject({ type: 'http', scheme: 'DPoP' });
    expect((await described(by, { dpop: 'required' })).security).toEqual([{ DPoP: [] }]);
    expect((await described(made({ dpop: { ...DPOP, mode: 'required' } }), {})).security).toEqual([
      { DPoP: [] },
    ]);
  });

  it('mutual TLS is next to the token in OpenAPI 3.1, and in words in 3.0', async () => {
    const by = made({ mutualTls: { mode: 'allowed' } });
    const access = { mutualTls: 'required' } as const;
    expect((await described(by, {})).security).toEqual([{ bearer: [] }]);
    expect((await described(by, access)).security).toEqual([{ bearer: [], mutualTLS: [] }]);
    const { security, description } = await described(by, access, { version: '3.0' });
    expect(security).toEqual([{ bearer: [] }]);
    expect(description).toContain('bound to a certificate');
  });

  it('a token that must be bound in any way is by certificate or by DPoP', async () => {
    const by = made({ dpop: DPOP, mutualTls: { mode: 'allowed' }, senderConstrained: 'required' });
    expect((await described(by, {})).security).toEqual([{ bearer: [], mutualTLS: [] }, { DPoP: [] }]);
  });

  it('each other carrier is a scheme of its own', async () => {
    const tokenFrom = [
      { header: 'X-Token' },
      { header: 'Authorization', scheme: 'Token' },
      { cookie: '__Host-t' },
      { query: 'access token' },
      { body: 'access_token' },
    ];
    const { security, schemes } = await described(made({ tokenFrom }), {});
    expect(security).toEqual([
      { 'header_X-Token': [] },
      { Token: [] },
      { 'cookie___Host-t': [] },
      { query_access_token: [] },
      { bearer: [] },
    ]);
    expect(schemes).toMatchObject({
      'header_X-Token': { type: 'apiKey', in: 'header', name: 'X-Token' },
      Token: { type: 'http', scheme: 'Token' },
      'cookie___Host-t': { type: 'apiKey', in: 'cookie', name: '__Host-t' },
      query_access_token: { type: 'apiKey', in: 'query', name: 'access token' },
      bearer: { description: 'A token in the field access_token of a form.' },
    });
  });

  it('all of several tokens are one requirement; any of them are several', async () => {
    const device = made({ tokenFrom: [{ header: 'X-Device' }] });
    const sources = { user: { from: made(), claims: { scope: 'read' } }, device };
    const all = await described(requireAll(sources), {});
    expect(all.security).toEqual([{ bearer: ['read'], 'header_X-Device': [] }]);
    expect(all.description).toContain('token 1 of 2 (each is needed)');
    expect((await described(requireAny(sources), {})).security).toEqual([
      { bearer: ['read'] },
      { 'header_X-Device': [] },
    ]);
  });
});

describe('refusals of OpenAPI', () => {
  const statuses = async (by: Deciding, access: RouteAccess) =>
    Object.keys((await described(by, access)).responses ?? {});

  it('401 is on every route that may refuse a token', async () => {
    expect(await statuses(made(), {})).toEqual(['400', '401', 'default']);
    expect(await statuses(made(), { mode: 'optional' })).toEqual(['400', '401', 'default']);
    expect(await statuses(made(), { mode: 'permissive' })).toEqual(['default']);
    expect(await statuses(made(), { mode: 'permissive', claims: {} })).toEqual(['401', 'default']);
  });

  it.each(['strict', 'optional', 'permissive'] as const)(
    '400 is on a route that answers it, in the mode %s',
    async (mode) => {
      const by = made({ tokenFrom: [{ header: 'Authorization', scheme: 'Bearer' }, { query: 't' }] });
      const { responses } = await described(by, { mode });
      const malformed = { headers: { authorization: 'Bearer a b' }, url: '/x' };
      const ambiguous = { headers: { authorization: 'Bearer a.b.c' }, url: '/x?t=a.b.c' };
      for (const one of [malformed, ambiguous]) {
        const decision = await by.decide({ method: 'GET', ...one }, { mode });
        const refusal = decision.ok ? undefined : decision.error;
        expect(refusal?.status).toBe(mode === 'permissive' ? undefined : 400);
        const described400 = (responses as { readonly [status: string]: object } | undefined)?.['400'];
        expect(described400 === undefined).toBe(refusal === undefined);
        if (refusal !== undefined) {
          expect(refusal.headers).toHaveProperty('WWW-Authenticate');
          expect(described400).toHaveProperty('headers.WWW-Authenticate');
        }
      }
    },
  );

  it('403 is where rules, actors, cookies or the transport can be refused', async () => {
    const withRules = ['400', '401', '403', 'default'];
    expect(await statuses(made(), { claims: { roles: ['admin'] } })).toEqual(withRules);
    expect(await statuses(made(), { actors: false })).toEqual(withRules);
    expect(await statuses(made({ tokenFrom: [{ cookie: 't' }] }), {})).toEqual(withRules);
    expect(await statuses(made({ requireSecureTransport: true }), {})).toEqual(withRules);
    expect(await statuses(made(), { acr: ['urn:mfa'] })).toEqual(['400', '401', 'default']);
  });

  it('503 is where something has to be fetched or asked', async () => {
    expect(await statuses(made({ keySets: [DISCOVERY] }), {})).toEqual(['400', '401', '503', 'default']);
    expect(await statuses(made({ dpop: DPOP }), {})).toEqual(['400', '401', '503', 'default']);
    expect(await statuses(made({ revocation: {} }), {})).toEqual(['400', '401', '503', 'default']);
  });

  it('the example of a challenge is the one that a client without a token gets', async () => {
    const by = made({ realm: 'orders', dpop: DPOP });
    const access = { claims: { scope: 'read' } };
    const { responses } = await described(by, access);
    const refused = by.decide({ method: 'GET', url: '/x', headers: {}, rawHeaders: [] }, access);
    const decision = await refused;
    const sent = decision.ok ? undefined : decision.error.headers['WWW-Authenticate'];
    expect(sent).toContain('scope="read"');
    expect(responses).toMatchObject({ 401: { headers: { 'WWW-Authenticate': { example: sent } } } });
  });
});

describe('words of OpenAPI', () => {
  it('say each rule and each requirement', async () => {
    const { description } = await described(made({ routes: { admin: { claims: { roles: ['admin'] } } } }), {
      claims: { tier: anyOf('gold', 'silver') },
      audience: 'orders',
      maxAge: '5m',
    });
    expect(description).toBe(
      [
        'Needs a token.\n',
        'The token has to satisfy:\n',
        '- `tier` is or has one of ["gold","silver"]',
        '- `aud` is one of ["orders"]',
        '- `auth_time` is at most 300 s ago',
      ].join('\n'),
    );
  });

  it('with names, no value of a rule is in the document', async () => {
    const access = { claims: { tier: anyOf('gold-secret', 'silver-secret') }, audience: 'aud-secret' };
    const parts = describeOpenApi([reportAccess({ method: 'GET', path: '/x' }, made(), access)], {
      rules: 'names',
    });
    expect(JSON.stringify(parts)).not.toContain('secret');
    expect(parts.paths['/x']?.get?.description).toContain('- `tier`\n- `aud`');
  });
});
