// Standard Schema, with the real Zod, Valibot and ArkType: for one claim, for all of them, and what
// is no synchronous schema.
import { createClock, generateSigningKey, mint } from '@latchkey/testing';
import { type } from 'arktype';
import * as v from 'valibot';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { compileRules, firstFailure } from '../../src/claims/compile.ts';
import { at, optional, type Rules } from '../../src/claims/rules.ts';
import type { StandardSchema } from '../../src/claims/schema.ts';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import { ConfigError } from '../../src/errors.ts';
import type { JsonObject, JsonValue } from '../../src/values/json.ts';

const holds = (schema: unknown, value: unknown): boolean =>
  firstFailure(compileRules({ c: schema } as Rules), value === undefined ? {} : { c: value as JsonValue }) ===
  undefined;

/** The same schema of one claim, by three libraries. */
const NUMBERS = [
  ['zod', z.number().min(1)],
  ['valibot', v.pipe(v.number(), v.minValue(1))],
  ['arktype', type('number >= 1')],
] as const;
const ROLES = [
  ['zod', z.array(z.string()).min(1)],
  ['valibot', v.pipe(v.array(v.string()), v.minLength(1))],
  ['arktype', type('string[] >= 1')],
] as const;
const TOLERANT = [
  ['zod', z.string().optional()],
  ['valibot', v.optional(v.string())],
  ['arktype', type('string | undefined')],
] as const;
/** The same schema of all claims. */
const CLAIMS = [
  ['zod', z.object({ dept: z.literal('IT'), level: z.number().optional() })],
  ['valibot', v.object({ dept: v.literal('IT'), level: v.optional(v.number()) })],
  ['arktype', type({ dept: "'IT'", 'level?': 'number' })],
] as const;

describe('AG-5: a schema for one claim', () => {
  const table: readonly (readonly [unknown, boolean])[] = [
    [1, true],
    [4, true],
    [0, false],
    ['4', false],
    [[4], false],
    [null, false],
    [undefined, false],
    [{}, false],
    [true, false],
  ];

  it.each(
    NUMBERS.flatMap(([vendor, schema]) => table.map(([value, ok]) => [vendor, value, ok, schema] as const)),
  )('AG-5, T-065: a number of %s on %j: %s', (_, value, expected, schema) => {
    expect(holds(schema, value)).toBe(expected);
  });

  it.each(
    ROLES.flatMap(([vendor, schema]) =>
      (
        [
          [['admin'], true],
          [[], false],
          ['admin', false],
          [['admin', 5], false],
          [{ 0: 'admin', length: 1 }, false],
          [undefined, false],
          [null, false],
        ] as const
      ).map(([value, ok]) => [vendor, value, ok, schema] as const),
    ),
  )('AG-5, T-065: a list of %s on %j: %s', (_, value, expected, schema) => {
    expect(holds(schema, value)).toBe(expected);
  });

  it.each(NUMBERS)('AM-14: optional says for %s that absent passes, and null does not', (_, schema) => {
    const rule = optional(schema as StandardSchema);
    expect([undefined, 4, 0, null].map((value) => holds(rule, value))).toEqual([true, true, false, false]);
  });

  it.each(TOLERANT)('T-065: a schema of %s may itself take what is absent', (_, schema) => {
    expect([undefined, 'x', 5, null].map((value) => holds(schema, value))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it.each(ROLES)('S31: a schema of %s at a path', (_, schema) => {
    const rules = compileRules([at(['realm_access', 'roles'], schema as StandardSchema)]);
    expect(firstFailure(rules, { realm_access: { roles: ['a'] } })).toBeUndefined();
    expect(firstFailure(rules, { realm_access: { roles: [] } })?.claim).toBe('realm_access.roles');
    expect(firstFailure(rules, { roles: ['a'] })?.claim).toBe('realm_access.roles');
  });
});

describe('AG-5: a schema for all claims', () => {
  const table: readonly (readonly [string, JsonObject, boolean])[] = [
    ['what it wants', { dept: 'IT' }, true],
    ['more than it wants', { dept: 'IT', level: 4, other: [1] }, true],
    ['another value', { dept: 'HR' }, false],
    ['another type', { dept: 'IT', level: '4' }, false],
    ['nothing', {}, false],
    ['a list', { dept: ['IT'] }, false],
    ['null', { dept: null }, false],
  ];

  it.each(CLAIMS.flatMap(([vendor, schema]) => table.map((row) => [vendor, ...row, schema] as const)))(
    'AG-5: %s: %s',
    (_vendor, _what, claims, expected, schema) => {
      expect(firstFailure(compileRules(schema as Rules), claims) === undefined).toBe(expected);
    },
  );

  it('T-064: an inherited member is no claim to it', () => {
    const rules = compileRules(z.object({ admin: z.literal(true) }) as Rules);
    expect(firstFailure(rules, JSON.parse('{"__proto__":{"admin":true}}'))).toBeDefined();
    expect(firstFailure(rules, { admin: true })).toBeUndefined();
  });

  it.each(CLAIMS)('S32: through verify(): %s refuses with claims_insufficient', async (_, schema) => {
    const key = await generateSigningKey();
    const clock = createClock(1_700_000_000_000);
    const authenticator = createAuthenticator({
      keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
      audience: null,
      clock,
    });
    const claims = { iss: 'i', exp: 1_700_000_300, sub: 'alice' };
    const good = await mint(key, { ...claims, dept: 'IT' });
    const bad = await mint(key, { ...claims, dept: 'HR' });
    await expect(authenticator.verify(good, schema as Rules)).resolves.toMatchObject({ subject: 'alice' });
    await expect(authenticator.verify(bad, schema as Rules)).rejects.toMatchObject({
      code: 'claims_insufficient',
    });
  });
});

describe('T-071: what a schema may answer', () => {
  const answering = (answer: unknown): StandardSchema => ({
    '~standard': { version: 1, vendor: 'test', validate: () => answer as never },
  });

  it.each<[unknown, boolean]>([
    [{ value: 1 }, true],
    [{ value: undefined }, true],
    [{ value: 1, issues: undefined }, true],
    [{ issues: [{ message: 'no' }] }, false],
    [{ issues: [] }, false],
    [{ value: 1, issues: [] }, false],
    [{ value: 1, issues: [{ message: 'no' }] }, false],
    [{ value: 1, issues: null }, false],
    [{}, false],
    [{ issues: undefined }, false],
  ])('T-071: %j: %s', (answer, expected) => {
    expect(holds(answering(answer), 'x')).toBe(expected);
  });

  it.each([undefined, null, true, 1, 'true'])('T-071: %j is no answer, and never a yes', (answer) => {
    expect(() => holds(answering(answer), 'x')).toThrow(TypeError);
  });

  it('T-071: what it throws passes on unchanged', () => {
    const fault = new RangeError('broken schema');
    const schema: StandardSchema = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: () => {
          throw fault;
        },
      },
    };
    expect(() => holds(schema, 'x')).toThrow(fault);
  });
});

describe('T-071: schemas that validate asynchronously', () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  beforeEach(() => {
    unhandled.length = 0;
    process.on('unhandledRejection', note);
  });
  afterEach(() => {
    process.off('unhandledRejection', note);
  });

  const failing: StandardSchema = {
    '~standard': { version: 1, vendor: 'test', validate: () => Promise.reject(new Error('late')) },
  };
  const agreeing: StandardSchema = {
    '~standard': { version: 1, vendor: 'test', validate: async (value) => ({ value }) },
  };

  it.each<[string, unknown]>([
    ['zod', z.string().refine(async () => true)],
    [
      'valibot',
      v.pipeAsync(
        v.string(),
        v.checkAsync(async () => true),
      ),
    ],
    [
      'valibot, that rejects',
      v.pipeAsync(
        v.string(),
        v.checkAsync(() => Promise.reject(new Error('late'))),
      ),
    ],
    ['one that agrees', agreeing],
    ['one that rejects', failing],
  ])('T-071: %s: a TypeError, and nothing unhandled', async (_, schema) => {
    expect(() => holds(schema, 'x')).toThrow(TypeError);
    expect(() => holds(schema, 'x')).toThrow('claims.c: expected a result, got a promise');
    // Node tells of unhandled rejections after the microtasks.
    await new Promise((resolve) => setImmediate(resolve));
    expect(unhandled).toEqual([]);
  });
});

describe('T-056: what is no Standard Schema of version 1', () => {
  const validate = () => ({ value: 1 });

  it.each<[string, unknown]>([
    ['version 2', { '~standard': { version: 2, vendor: 'x', validate } }],
    ['version as text', { '~standard': { version: '1', vendor: 'x', validate } }],
    ['no version', { '~standard': { vendor: 'x', validate } }],
    ['no validate', { '~standard': { version: 1, vendor: 'x' } }],
    ['validate that is not a function', { '~standard': { version: 1, vendor: 'x', validate: true } }],
    ['nothing', { '~standard': {} }],
  ])('T-056: %s', (_, schema) => {
    for (const [rules, path] of [
      [{ c: schema }, 'claims.c'],
      [schema, 'claims'],
      [[{ path: ['a', 'b'], rule: schema }], 'claims[0].rule'],
    ] as const) {
      const build = () => compileRules(rules as Rules);
      expect(build).toThrow(ConfigError);
      expect(build).toThrow(`${path}: expected a Standard Schema of version 1`);
    }
  });
});
