// Claims before they are signed: what is added, what is refused, and that what is signed is what
// was said. The verifier is the judge.
import { inspect } from 'node:util';
import { seeded } from '@latchkey/test-kit/random';
import { describe, expect, it } from 'vitest';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import { generateJwk } from '../../src/jwk/generate.ts';
import { createMemoryStore } from '../../src/secrets/store.ts';
import { type ClaimsPolicy, type ClaimsToSign, completeClaims } from '../../src/signing/claims.ts';
import { createSigner } from '../../src/signing/signer.ts';
import type { JsonObject, JsonValue } from '../../src/values/json.ts';

const NOW = 1_800_000_000;
const HOUR = 3_600;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** A value that must not be in any message. */
const VALUE = 'hunter2-hunter2';

const POLICY: ClaimsPolicy = {
  issuer: undefined,
  audience: undefined,
  lifetimeSeconds: 300,
  maxLifetimeSeconds: HOUR,
  requireExp: true,
  addIat: true,
  addJti: true,
};

function complete(claims: unknown, policy: Partial<ClaimsPolicy> = {}, lifetimeSeconds?: number) {
  // Not a whole second: what is added is.
  return completeClaims(claims as ClaimsToSign, { ...POLICY, ...policy }, lifetimeSeconds, NOW * 1000 + 999);
}

function payload(...given: Parameters<typeof complete>): JsonObject {
  return JSON.parse(complete(...given).json) as JsonObject;
}

/** The refusal. Fails if there is none, if it is no TypeError, or if it tells a value. */
function refusal(...given: Parameters<typeof complete>): string {
  try {
    complete(...given);
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    expect(inspect(error, { depth: 9 })).not.toContain(VALUE);
    return (error as TypeError).message;
  }
  throw new Error('was not refused');
}

/** An object that is so many objects deep. */
function nested(depth: number, kind: 'object' | 'array' = 'object'): unknown {
  let value: unknown = VALUE;
  for (let level = 0; level < depth; level++) value = kind === 'object' ? { in: value } : [value];
  return value;
}

function cycle(): Record<string, unknown> {
  const value: Record<string, unknown> = { name: VALUE };
  value.self = value;
  return value;
}

describe('what is added', () => {
  it('settlement 47: iat, jti and exp, each where it is absent', () => {
    const first = payload({ sub: 'alice' });
    expect(first).toEqual({
      sub: 'alice',
      iat: NOW,
      exp: NOW + 300,
      jti: expect.stringMatching(UUID) as string,
    });
    expect(payload({ iat: NOW - 5, jti: 'mine', exp: NOW + 7 })).toEqual({
      iat: NOW - 5,
      jti: 'mine',
      exp: NOW + 7,
    });
  });

  it('settlement 47: iss and aud, each where it is absent', () => {
    const policy = { issuer: 'https://issuer.example', audience: ['a', 'b'] };
    expect(payload({}, policy)).toMatchObject({ iss: 'https://issuer.example', aud: ['a', 'b'] });
    expect(payload({ iss: 'https://issuer.example', aud: 'c' }, policy)).toMatchObject({
      iss: 'https://issuer.example',
      aud: 'c',
    });
    expect(payload({}, { audience: 'a' })).toMatchObject({ aud: 'a' });
    expect(payload({})).not.toHaveProperty('iss');
    expect(payload({})).not.toHaveProperty('aud');
  });

  it('KD-18: the claims that the seed uses are left as they are', () => {
    const claims = {
      aud: 'http://api.example.com',
      iss: 'https://krakend.io',
      sub: '1234567890qwertyuio',
      jti: 'mnb23vcsrt756yuiomnbvcx98ertyuiop',
      roles: ['role_a', 'role_b'],
      exp: NOW + 100,
    };
    expect(payload(claims)).toEqual({ ...claims, iat: NOW });
  });

  it('every jti is another', () => {
    expect(new Set(Array.from({ length: 500 }, () => payload({}).jti)).size).toBe(500);
  });

  it('the call has the say of how long, and nothing is added without anybody saying it', () => {
    expect(payload({}, {}, 60).exp).toBe(NOW + 60);
    expect(payload({}, { lifetimeSeconds: undefined, requireExp: false })).not.toHaveProperty('exp');
  });

  it('gives what matters for the choice of the key', () => {
    expect(complete({ iss: 'A', exp: NOW + 1 })).toMatchObject({ iss: 'A', exp: NOW + 1 });
    expect(complete({}, { issuer: 'A' })).toMatchObject({ iss: 'A', exp: NOW + 300 });
    const open = complete({}, { lifetimeSeconds: undefined, requireExp: false });
    expect([open.iss, open.exp]).toEqual([undefined, undefined]);
  });

  it('leaves the claims alone that it was given', () => {
    const claims = Object.freeze({ sub: 'alice', roles: Object.freeze(['a']) });
    complete(claims);
    expect(claims).toEqual({ sub: 'alice', roles: ['a'] });
  });
});

describe('exp', () => {
  it('row 165: is needed, unless requireExp is false', () => {
    expect(refusal({ sub: VALUE }, { lifetimeSeconds: undefined })).toMatch(/^exp is required/);
    expect(payload({ sub: 'a' }, { lifetimeSeconds: undefined, requireExp: false })).not.toHaveProperty(
      'exp',
    );
  });

  it.each([
    ['milliseconds', (NOW + 60) * 1000],
    ['microseconds', (NOW + 60) * 1e6],
    ['a life longer than maxLifetime', NOW + HOUR + 1],
    ['a fraction beyond maxLifetime', NOW + HOUR + 0.001],
  ])('row 165: in %s is refused', (_, exp) => {
    expect(refusal({ exp })).toMatch(
      /^exp: (?:expected a lifetime of at most maxLifetime|expected seconds since 1970)/,
    );
    expect(refusal({ exp }, { requireExp: false })).toMatch(/^exp: /);
  });

  it('row 165: as long as maxLifetime is the longest', () => {
    expect(payload({ exp: NOW + HOUR }).exp).toBe(NOW + HOUR);
    expect(payload({}, {}, HOUR).exp).toBe(NOW + HOUR);
    expect(refusal({}, {}, HOUR + 1)).toMatch(/^exp: expected a lifetime of at most maxLifetime/);
  });

  it.each([0, 1, 300, 3_600, 86_400, 999_999_999, -1, -NOW])(
    'row 165: %d is a number of seconds from now, and refused',
    (exp) => {
      expect(refusal({ exp })).toBe('exp: expected seconds since 1970');
    },
  );

  it('row 165: among the claims and of the call is refused', () => {
    expect(refusal({ exp: NOW + 5 }, {}, 5)).toMatch(/^exp is already among the claims/);
    expect(refusal({ exp: undefined }, {}, 5)).toMatch(/^exp is already among the claims/);
  });

  it.each(['exp', 'nbf', 'iat'])('row 165: %s is a number and nothing else', (name) => {
    const odd = [String(NOW), null, true, [NOW], { value: NOW }, '', new Date(0), BigInt(NOW), Number.NaN];
    for (const value of odd) expect(refusal({ [name]: value })).toMatch(new RegExp(`^${name}: `));
  });

  it('row 165: nbf and iat are not a number of seconds from now', () => {
    expect(refusal({ nbf: 5 })).toBe('nbf: expected seconds since 1970');
    expect(refusal({ iat: 0 })).toBe('iat: expected seconds since 1970');
  });

  it('row 165: iat in milliseconds is refused', () => {
    expect(refusal({ iat: NOW * 1000 })).toMatch(/^iat: /);
  });

  it('row 165: nbf in milliseconds is refused', () => {
    expect(refusal({ nbf: NOW * 1000 })).toMatch(/^nbf: /);
  });

  it('row 165: nbf or iat after exp, for which the token is never valid, is refused', () => {
    expect(refusal({ iat: NOW + HOUR, exp: NOW + 1 })).toMatch(/^iat: /);
    expect(refusal({ nbf: NOW + HOUR, exp: NOW + 1 })).toMatch(/^nbf: /);
  });

  it.each(['nbf', 'iat'])('row 165: %s that is exp is refused, and one second before it is not', (name) => {
    expect(refusal({ [name]: NOW + 10, exp: NOW + 10 })).toMatch(new RegExp(`^${name}: `));
    expect(payload({ [name]: NOW + 9, exp: NOW + 10 })).toMatchObject({ [name]: NOW + 9 });
  });
});

describe('iss, aud, sub and jti', () => {
  it('row 165: another issuer than the signer’s is refused', () => {
    for (const iss of ['B', 'a', 'A ', 'A\u0301', VALUE]) {
      expect(refusal({ iss }, { issuer: 'A' })).toBe('iss: expected the issuer of this signer');
    }
  });

  it.each(['iss', 'sub', 'jti'])('row 165: %s is a string that is not empty', (name) => {
    for (const value of [1, null, true, '', [VALUE], { value: VALUE }, undefined]) {
      expect(refusal({ [name]: value })).toMatch(new RegExp(`^${name}: `));
    }
  });

  it.each([
    [1],
    [null],
    [''],
    [[]],
    [['a', 1]],
    [['a', '']],
    [['a', null]],
    [[['a']]],
    [{ a: VALUE }],
    [true],
  ])('row 165: aud is a string or strings, and not %j', (aud) => {
    expect(refusal({ aud })).toBe('aud: expected a non-empty string or a list of them');
  });

  it.each([' ', '\t', 'a\nb', '\u0000', 'a\u007f'])(
    'sub and jti that our verifiers refuse are refused: %j',
    (value) => {
      expect(refusal({ sub: value })).toMatch(/^sub: /);
      expect(refusal({ jti: value })).toMatch(/^jti: /);
    },
  );
});

describe('what JSON would leave out, round or rename', () => {
  const odd: readonly (readonly [string, unknown])[] = [
    ['undefined', undefined],
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['2^53', 2 ** 53],
    ['-2^53', -(2 ** 53)],
    ['1e21', 1e21],
    ['the greatest double', Number.MAX_VALUE],
    ['a BigInt', 1n],
    ['a function', () => VALUE],
    ['a symbol', Symbol(VALUE)],
    ['a Date', new Date(0)],
    ['a Map', new Map([[VALUE, VALUE]])],
    ['a Set', new Set([VALUE])],
    [
      'a class instance',
      new (class Person {
        name = VALUE;
      })(),
    ],
    ['bytes', Buffer.from(VALUE)],
    ['a typed array', new Uint8Array(3)],
    ['a boxed string', Object(VALUE)],
    ['a boxed number', Object(1)],
    ['a boxed BigInt', Object(1n)],
    ['an Error', new Error(VALUE)],
    ['a regular expression', /hunter2-hunter2/],
    ['a promise', Promise.resolve(VALUE)],
    ['an object that inherits', Object.create({ name: VALUE })],
    ['an object with toJSON', { toJSON: () => VALUE }],
    [
      'an object that inherits toJSON',
      Object.create(Object.assign(Object.create(null), { toJSON: () => VALUE })),
    ],
    ['a lone high surrogate', `${VALUE}\ud800`],
    ['a lone low surrogate', `\udc00${VALUE}`],
    // biome-ignore lint/suspicious/noSparseArray: that is the case.
    ['a sparse array', ['a', , 'b']],
    ['an empty array of length 3', new Array(3)],
    ['a cycle', cycle()],
    ['more values than a token holds', Array.from({ length: 20_001 }, () => 0)],
    ['a nesting too deep', nested(31)],
    ['a list nested too deep', nested(31, 'array')],
    ['a nesting a hundred thousand deep', nested(100_000)],
  ];

  it.each(odd)('row 165: %s is refused at the top, in objects and in lists', (_, value) => {
    expect(refusal({ name: value })).toMatch(/^name: /);
    expect(refusal({ name: { in: value } })).toMatch(/^name: /);
    expect(refusal({ name: [1, value] })).toMatch(/^name: /);
    expect(refusal({ name: { in: [{ in: [value] }] } })).toMatch(/^name: /);
    expect(refusal(Object.assign(Object.create(null), { name: value }))).toMatch(/^name: /);
  });

  it.each([
    ['null', null],
    ['undefined', undefined],
    ['a list', [{ sub: 'a' }]],
    ['a text', VALUE],
    ['a number', 1],
    ['a function', () => ({ sub: VALUE })],
    ['a Map', new Map([['sub', VALUE]])],
    ['a Date', new Date(0)],
    [
      'a class instance',
      new (class Person {
        sub = VALUE;
      })(),
    ],
    ['an object that inherits', Object.create({ sub: VALUE })],
  ])('row 165: %s for claims is refused', (_, claims) => {
    expect(refusal(claims)).toBe('claims: expected an object');
  });

  it('row 165: toJSON among the claims renames nothing', () => {
    expect(refusal({ sub: 'a', toJSON: () => ({ sub: VALUE }) })).toMatch(/^toJSON: /);
    expect(payload({ toJSON: 'a plain claim' })).toMatchObject({ toJSON: 'a plain claim' });
  });

  it('row 165: a list with toJSON is refused', () => {
    const roles = Object.assign(['user'], { toJSON: () => ['admin'] });
    expect(refusal({ roles })).toMatch(/^roles: /);
    expect(refusal({ in: { roles } })).toMatch(/^in: /);
  });

  it('row 165: aud that says something else in JSON than it said here is not signed', () => {
    const aud = Object.assign(['a'], { toJSON: () => ({ not: 'an audience' }) });
    expect(() => payload({ aud })).toThrow(/^aud: /);
  });

  it('row 165: a list whose iterator hides its items is refused', () => {
    const list = Object.assign([new Date(0)], { *[Symbol.iterator]() {} });
    expect(refusal({ list })).toMatch(/^list: /);
  });

  it('row 165: raw JSON, which may be a number that no verifier can hold, is refused', () => {
    const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };
    for (const text of ['12345678901234567890', '1e999', '"\\ud800"'])
      expect(refusal({ name: rawJSON(text) })).toMatch(/^name: /);
  });

  it('row 165: a member that answers otherwise the second time is not signed unseen', () => {
    let reads = 0;
    const name = {
      get in() {
        return reads++ === 0 ? 1 : Number.NaN;
      },
    };
    let json = '';
    try {
      json = complete({ name }).json;
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError);
    }
    expect(json).not.toContain('null');
  });

  it('row 165: a lone surrogate in a name is refused, as verifiers do', () => {
    expect(refusal({ '\ud800': 1 })).toMatch(/lone surrogate/);
    expect(refusal({ name: { '\udc00': 1 } })).toMatch(
      /^name: expected well-formed text, got a lone surrogate/,
    );
  });

  it('row 165: a member that is named by a symbol is refused, not left out', () => {
    expect(refusal({ name: { [Symbol('role')]: VALUE } })).toMatch(/^name: /);
    expect(refusal({ [Symbol('role')]: VALUE })).not.toBe('');
  });

  it('a hole ends the check at its index, however long the list says that it is', () => {
    let reads = 0;
    const list = new Proxy(new Array(10_000), {
      get(target, name, receiver) {
        reads++;
        return Reflect.get(target, name, receiver) as unknown;
      },
    });
    expect(refusal({ list })).toMatch(/^list: /);
    expect(reads).toBeLessThan(100);
  });

  it('row 165: a cycle through lists and objects ends', () => {
    const list: unknown[] = [];
    list.push(list, list, { list });
    expect(refusal({ list })).toBe('list: nested too deeply');
  });

  it('30 levels pass, and verifiers take them', () => {
    expect(payload({ name: nested(30) })).toMatchObject({ name: nested(30) as JsonValue });
  });

  it('what JSON can carry is carried', () => {
    const claims = {
      text: '',
      emoji: '\u{1f511} \u0000 "\\" \u2028',
      numbers: [0, -1, 0.1, 1e-7, 2 ** 53 - 1, -(2 ** 53) + 1, 1.5e300 / 3.7e290, Number.MIN_VALUE],
      truths: [true, false, null],
      empty: [{}, [], [[]], { '': '' }],
      bare: Object.assign(Object.create(null), { a: 1 }) as JsonObject,
    };
    expect(payload(claims)).toMatchObject(JSON.parse(JSON.stringify(claims)) as JsonObject);
  });
});

describe('names that mean something elsewhere', () => {
  it('row 165: alg, kid, jku, crit and header are plain claims', () => {
    const claims = {
      alg: 'none',
      kid: 'another',
      jku: 'https://evil.example/jwks.json',
      jwk: { kty: 'oct' },
      x5u: 'u',
      crit: ['b64'],
      b64: false,
      typ: 'at+jwt',
      header: { alg: 'none' },
      protected: {},
      expiresIn: '9999d',
    };
    expect(payload(claims)).toMatchObject(claims);
  });

  it('row 165: an own __proto__ is a claim like any other, and lends nothing', () => {
    const claims = JSON.parse(
      `{"__proto__":{"exp":${NOW + 5},"iss":"B","sub":7},"constructor":1,"hasOwnProperty":2}`,
    ) as ClaimsToSign;
    const { json, iss, exp } = complete(claims, { issuer: 'A' });
    expect([iss, exp]).toEqual(['A', NOW + 300]);
    expect(json).toContain(`"__proto__":{"exp":${NOW + 5},"iss":"B","sub":7}`);
    expect(json).toContain('"constructor":1,"hasOwnProperty":2');
    const nestedProto = JSON.parse('{"a":{"__proto__":{"b":1}}}') as ClaimsToSign;
    expect(complete(nestedProto).json).toContain('"a":{"__proto__":{"b":1}}');
  });

  it('row 165: exp in an own __proto__ is no exp', () => {
    const claims = JSON.parse(`{"__proto__":{"exp":${NOW + 5}}}`) as ClaimsToSign;
    expect(refusal(claims, { lifetimeSeconds: undefined })).toMatch(/^exp is required/);
  });
});

/** Whole numbers that are the same in every run. */
function createRandom(seed: number): (below: number) => number {
  const next = seeded(seed);
  return (below) => (next() * 2 ** 32) % below;
}

const LEAVES: readonly JsonValue[] = [
  null,
  true,
  false,
  '',
  'alice',
  ':{}[]",\\"',
  '\u0000\u001f\u007f',
  '\u{10ffff}\u2028é',
  '__proto__',
  0,
  1,
  -1,
  0.1,
  1e-9,
  2 ** 53 - 1,
  -(2 ** 31),
  123.456,
];
const NAMES = [
  'a',
  'b',
  '',
  '__proto__',
  'constructor',
  'é',
  '\u{1f511}',
  'x:y',
  'https://a.example/roles',
  '"\\',
];
const HOSTILE: readonly unknown[] = [
  undefined,
  Number.NaN,
  2 ** 60,
  1n,
  () => 1,
  new Date(0),
  '\ud800',
  new Map(),
  { toJSON: () => 1 },
  new Array(2),
];

function arbitrary(random: (below: number) => number, depth: number, hostile: number): unknown {
  if (hostile > 0 && random(hostile) === 0) return HOSTILE[random(HOSTILE.length)];
  const kind = depth === 0 ? 0 : random(4);
  if (kind === 1) return Array.from({ length: random(4) }, () => arbitrary(random, depth - 1, hostile));
  if (kind === 2) {
    const entries = Array.from({ length: random(4) }, () => [
      NAMES[random(NAMES.length)],
      arbitrary(random, depth - 1, hostile),
    ]);
    // Defines own members, also one called __proto__.
    return Object.fromEntries(entries) as unknown;
  }
  return LEAVES[random(LEAVES.length)];
}

describe('whatever is signed', () => {
  it.each([
    ['JSON', 0],
    ['now and then none', 12],
  ])(
    'row 165: verifies with equal claims, or is refused: 1,000 claims sets that are %s',
    async (_, hostile) => {
      const jwk = await generateJwk('HS256', 'k');
      const clock = { now: () => NOW * 1000 };
      const signer = createSigner({ jwks: { keys: [jwk] }, expiresIn: '5m', clock, maxTokenBytes: 60_000 });
      const authenticator = createAuthenticator({
        keySets: [{ secret: { name: 's' } }],
        secrets: createMemoryStore({ s: { 'jwks.json': JSON.stringify({ keys: [jwk] }) } }),
        audience: null,
        maxTokenBytes: 60_000,
        clock,
      });
      const random = createRandom(20_260_115 + hostile);
      let signed = 0;
      let refused = 0;
      for (let round = 0; round < 1_000; round++) {
        const claims = Object.fromEntries(
          Array.from({ length: 1 + random(5) }, () => [
            NAMES[random(NAMES.length)],
            arbitrary(random, 4, hostile),
          ]),
        ) as ClaimsToSign;
        const token = await signer.sign(claims).catch((error: unknown) => {
          expect(error).toBeInstanceOf(TypeError);
        });
        if (token === undefined) {
          refused++;
          continue;
        }
        signed++;
        const principal = await authenticator.verify(token);
        const { iat, exp, jti, ...rest } = principal.claims;
        expect([iat, exp, jti]).toEqual([NOW, NOW + 300, expect.stringMatching(UUID)]);
        // As text, for which __proto__ is a member like any other.
        expect(JSON.stringify(rest)).toBe(JSON.stringify(claims));
      }
      expect([signed > 100, refused > 100]).toEqual([true, hostile > 0]);
      await Promise.all([signer.close(), authenticator.close()]);
    },
  );
});
