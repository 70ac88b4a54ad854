// What a refusal tells its client: the scopes of the whole operation, and the realm. Who may read
// it.
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { authorizeRequest, compileRules } from '../../src/adapter/index.ts';
import {
  type AuthenticatorOptions,
  createAuthenticator,
  isAuthError,
  type Principal,
  type Rules,
  route,
} from '../../src/index.ts';
import { configErrorOf } from '../support/refusals.ts';

let key: SigningKey;
beforeAll(async () => {
  key = await generateSigningKey();
});

const start = (options: Partial<AuthenticatorOptions> = {}) =>
  createAuthenticator({ keySets: [{ jwks: { keys: [key.publicJwk] } }], audience: null, ...options });

async function requestOf(claims?: object) {
  const exp = Math.floor(Date.now() / 1000) + 60;
  const token = claims && (await mint(key, { sub: 'alice', exp, ...claims }));
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return { method: 'GET', url: '/', headers, rawHeaders: Object.entries(headers).flat(), params: {} };
}

async function headersOf(work: () => unknown): Promise<Readonly<Record<string, string>>> {
  try {
    await work();
  } catch (error) {
    if (isAuthError(error)) return error.headers;
    throw error;
  }
  throw new Error('expected a refusal');
}

const challengeOf = async (options: Partial<AuthenticatorOptions>, rules: Rules, claims?: object) => {
  const authenticator = start(options);
  const request = await requestOf(claims);
  const headers = await headersOf(() => authenticator.authenticate(request, { claims: rules }));
  return headers['WWW-Authenticate'];
};

describe('scopes in a challenge', () => {
  it('RFC 6750 §3: those of the rules on every token too', async () => {
    const options = { claims: { scope: 'api' } } as const;
    expect(await challengeOf(options, { scope: 'read' }, { scope: 'api' })).toMatch(/, scope="api read"$/);
    expect(await challengeOf(options, { scope: 'read' })).toBe('Bearer scope="api read"');
    expect(await challengeOf(options, { scope: 'read' }, { scope: 'other' })).toMatch(
      /error="invalid_token".*, scope="api read"$/,
    );
  });

  it('RFC 6750 §3: a schema that throws does not hide the scope that is missing', async () => {
    const broken = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (): never => {
          throw new Error('broken');
        },
      },
    } as const;
    expect(await challengeOf({}, [{ scope: 'read' }, { dept: broken }] as never, { dept: 'IT' })).toMatch(
      /insufficient_scope.*scope="read"$/,
    );
  });

  it('RFC 6750 §3: a pattern names none', async () => {
    expect(await challengeOf({}, { scope: /read:.*/ }, { scope: 'a' })).toMatch(
      /^Bearer error="insufficient_scope", error_description="[^"]*"$/,
    );
  });

  it('are in the order of the rules, and held ones too', async () => {
    expect(await challengeOf({}, { scope: ['b', 'a'], scp: 'c' }, { scope: 'a' })).toMatch(/scope="b a c"$/);
  });
});

describe('an anonymous request that a later rule refuses', () => {
  const options: Partial<AuthenticatorOptions> = {
    mode: 'optional',
    realm: 'api',
    scopes: { implies: { all: ['read'] } },
    routes: { readers: { claims: { scope: { anyOf: ['all', 'read'] } } } },
  };

  it.each<[string, Rules]>([
    ['rules', { scope: { anyOf: ['all', 'read'] } }],
    ['a named route', route('readers') as never],
  ])('RFC 9110 §11.5: %s: has the realm and the scopes of its authenticator', async (_, rules) => {
    const request = await requestOf();
    const principal: Principal | undefined = await start(options).authenticate(request);
    const headers = await headersOf(() => authorizeRequest(request, principal, compileRules(rules), request));
    expect(headers['WWW-Authenticate']).toBe('Bearer realm="api", scope="read"');
  });

  it('RFC 6750 §3: names its scopes without any option', async () => {
    const request = await requestOf();
    const principal = await start({ mode: 'optional' }).authenticate(request);
    const rules = compileRules({ scope: 'read' });
    const headers = await headersOf(() => authorizeRequest(request, principal, rules, request));
    expect(headers['WWW-Authenticate']).toBe('Bearer scope="read"');
  });
});

describe('a script of another origin', () => {
  it('may read the challenge by option', async () => {
    const refuse = (exposeChallenge: boolean) =>
      headersOf(async () => start({ exposeChallenge }).authenticate(await requestOf()));
    expect(await refuse(true)).toMatchObject({ 'Access-Control-Expose-Headers': 'WWW-Authenticate' });
    expect(await refuse(false)).not.toHaveProperty('Access-Control-Expose-Headers');
  });

  it('is told of no challenge where there is none', async () => {
    const authenticator = start({ exposeChallenge: true, requireSecureTransport: true });
    const headers = await headersOf(async () => authenticator.authenticate(await requestOf()));
    expect(Object.keys(headers)).toEqual(['Cache-Control']);
  });
});

describe('the size of a challenge', () => {
  const scopes = (length: number, letter = 'x') => [letter.repeat(length)];

  it.each([
    ['4 KiB', 4096, {}],
    ['5 KiB with dpop', 5120, { dpop: { mode: 'allowed', publicUrl: 'https://a.example' } as const }],
  ])('stays under %s with the longest of everything', async (_, most, more) => {
    const authenticator = start({
      ...more,
      realm: '"'.repeat(256),
      audience: null,
      claims: { scope: scopes(1000) },
      resource: { url: `https://a.example/${'r'.repeat(494)}` },
    });
    const request = await requestOf({ scope: scopes(1000), auth_time: 1 });
    const access = { claims: { scope: scopes(1000, 'y') }, acr: ['a'.repeat(500)], maxAge: '365d' } as const;
    const headers = await headersOf(() => authenticator.authenticate(request, access));
    const challenge = headers['WWW-Authenticate'] ?? '';
    for (const part of ['scope=', 'acr_values=', 'max_age=', 'resource_metadata=', 'realm='])
      expect(challenge).toContain(part);
    expect(challenge.length).toBeLessThan(most);
  });

  it('a longer realm, and more scopes, are refused at start', () => {
    expect(configErrorOf(() => start({ realm: 'r'.repeat(257) }))?.problem).toMatch(/at most 256/);
    expect(configErrorOf(() => compileRules({ scope: scopes(1001) }))?.problem).toMatch(/at most 1000/);
    expect(configErrorOf(() => compileRules({ scope: scopes(600), scp: scopes(600, 'y') }))?.path).toBe(
      'claims',
    );
  });
});
