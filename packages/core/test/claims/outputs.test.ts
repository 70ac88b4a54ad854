// What a schema makes of a claim: which code gets it, that the signed claims stay, and that types
// and values agree.
import { createClock, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { authorized, compileRules } from '../../src/adapter/index.ts';
import {
  at,
  authorize,
  createAuthenticator,
  isAuthError,
  optional,
  present,
  type Rules,
  signedClaims,
  whenExpired,
} from '../../src/index.ts';

const NOW = 1_700_000_000;
let key: SigningKey;
let token: string;
beforeAll(async () => {
  key = await generateSigningKey();
  const claims = {
    level: '4',
    scope: 'a b',
    permissions: ['p'],
    email: 'A@X.EXAMPLE',
    address: { zip: '12' },
  };
  token = await mint(key, { iss: 'i', exp: NOW + 300, sub: 'alice', ...claims });
});

const create = (options: { readonly nestedClaimDelimiter?: string } = {}) =>
  createAuthenticator({
    keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
    audience: null,
    clock: createClock(NOW * 1000),
    ...options,
  });

describe('AG-5: the output of a schema is the claim', () => {
  it('AG-5: transformed, coerced, from a default, and the same again for a cached token', async () => {
    const authenticator = create();
    for (let round = 0; round < 3; round++) {
      const { claims } = await authenticator.verify(token, {
        level: z.coerce.number(),
        email: z.string().transform((text) => text.toLowerCase()),
        theme: z.string().default('dark'),
      });
      expectTypeOf(claims.level).toEqualTypeOf<number>();
      expectTypeOf(claims.email).toEqualTypeOf<string>();
      expectTypeOf(claims.theme).toEqualTypeOf<string>();
      expect(claims).toMatchObject({ level: 4, email: 'a@x.example', theme: 'dark', sub: 'alice' });
    }
    expect((await authenticator.verify(token)).claims.level).toBe('4');
  });

  it('AG-5: a list of scopes, and of permissions', async () => {
    const { claims } = await create().verify(token, {
      scope: z.array(z.enum(['a', 'b'])),
      permissions: z.array(z.string()),
    });
    expectTypeOf(claims.scope).toEqualTypeOf<('a' | 'b')[]>();
    expectTypeOf(claims.permissions).toEqualTypeOf<string[]>();
    expect([claims.scope, claims.permissions]).toEqual([['a', 'b'], ['p']]);
  });

  it('AG-5: at a path, also where the objects around it are missing', async () => {
    const rules = [
      at(['address', 'zip'], z.coerce.number()),
      at(['home', 'address', 'zip'], z.number().default(7)),
    ] as const;
    const { claims } = await create().verify(token, rules);
    expectTypeOf(claims.address.zip).toEqualTypeOf<number>();
    expectTypeOf(claims.home.address.zip).toEqualTypeOf<number>();
    expect(claims).toMatchObject({ address: { zip: 12 }, home: { address: { zip: 7 } } });
  });

  it('AG-5: by a name with the delimiter', async () => {
    const { claims } = await create({ nestedClaimDelimiter: '.' }).verify(token, {
      'address.zip': z.coerce.number(),
    });
    expectTypeOf(claims['address.zip']).toEqualTypeOf<unknown>();
    expect(claims.address).toEqual({ zip: 12 });
  });

  it('AG-5: of all claims; members that it drops stay as they were signed', async () => {
    const { claims } = await create().verify(token, z.object({ level: z.coerce.number() }));
    expectTypeOf(claims.level).toEqualTypeOf<number>();
    expect(claims).toMatchObject({ level: 4, sub: 'alice' });
  });

  it('AG-5: an optional rule does not run the schema for an absent claim', async () => {
    const { claims } = await create().verify(token, { theme: optional(z.string().default('dark')) });
    expectTypeOf(claims.theme).toEqualTypeOf<string | undefined>();
    expect(claims.theme).toBeUndefined();
  });

  it('AG-5: a schema of all claims whose output is not an object is a fault', async () => {
    const schema = z.object({ sub: z.string() }).transform(({ sub }) => sub);
    const failed: unknown = await create()
      .verify(token, schema)
      .catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(TypeError);
    expect(isAuthError(failed)).toBe(false);
  });
});

describe('AG-5: the signed claims stay', () => {
  it('AG-5: authorize() changes nothing, and its types say so', async () => {
    const principal = await create().verify(token);
    authorize(principal, { level: z.coerce.number(), email: z.string().transform(() => 1) });
    expectTypeOf(principal.claims.email).toEqualTypeOf<string>();
    expectTypeOf(principal.claims.level).toEqualTypeOf<unknown>();
    expect(principal.claims.level).toBe('4');
  });

  it('AG-5: later rules are checked on the signed claims, and their outputs are added', async () => {
    const plain = await create().verify(token);
    const first = authorized(plain, compileRules({ level: z.coerce.number() }));
    expect(() => authorize(first, { level: '4' })).not.toThrow();
    expect(() => authorize(first, { level: 4 })).toThrow('lacks a claim');
    const second = authorized(first, compileRules({ email: z.string().transform((text) => text.length) }));
    expect(second.claims).toMatchObject({ level: 4, email: 11 });
    expect(signedClaims(second)).toMatchObject({ level: '4', email: 'A@X.EXAMPLE' });
    expect(signedClaims(second)).toBe(plain.claims);
    expect(second).toMatchObject({ subject: 'alice', issuer: 'i' });
    expect(Object.isFrozen(second) && Object.isFrozen(second.claims)).toBe(true);
  });

  it('AG-5: rules without an output give the same principal', async () => {
    const plain = await create().verify(token);
    expect(authorized(plain, compileRules({ email: z.string(), sub: present() }))).toBe(plain);
  });

  it('AG-5: a changed exp does not change when a connection ends', async () => {
    const { principal } = {
      principal: await create().verify(token, { exp: z.number().transform((at) => new Date(at * 1000)) }),
    };
    expect(principal.claims.exp).toBeInstanceOf(Date);
    let isOver = false;
    const stop = whenExpired(principal, () => {
      isOver = true;
    });
    stop();
    expect(isOver).toBe(false);
  });

  it('T-065: names of Object.prototype are own members of the claims', async () => {
    const rules = { toString: z.string().default('x') } as unknown as Rules;
    const { claims } = await create().verify(token, JSON.parse('{"a":1}') && rules);
    expect(Object.hasOwn(claims, 'toString')).toBe(true);
    expect(Object.getPrototypeOf(claims)).toBe(Object.prototype);
  });
});
