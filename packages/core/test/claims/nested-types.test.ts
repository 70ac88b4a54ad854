// Types of claims inside other claims. A program that declares its delimiter is compiled here.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { allOf, at, type ClaimsOf, optional, type SignedClaimsOf } from '../../src/index.ts';

/** For their types only. */
const claimsOf = <const R>(_rules: R) => ({}) as ClaimsOf<R>;
const signedOf = <const R>(_rules: R) => ({ address: {} }) as unknown as SignedClaimsOf<R>;

it('a name with a dot is of unknown type: it may be a path', () => {
  const claims = claimsOf({ 'realm_access.roles': allOf('admin'), roles: allOf('admin') });
  expectTypeOf(claims['realm_access.roles']).toEqualTypeOf<unknown>();
  expectTypeOf(claims.realm_access).toEqualTypeOf<unknown>();
  expectTypeOf(claims.roles).toEqualTypeOf<readonly string[]>();
});

it('a name that is a URL is a whole name', () => {
  const claims = claimsOf({ 'https://example.com/roles': allOf('admin') });
  expectTypeOf(claims['https://example.com/roles']).toEqualTypeOf<readonly string[]>();
});

it('at() types the claim at its path', () => {
  const claims = claimsOf([at(['a', 'b', 'c'], allOf(1)), at(['a', 'd'], true), at(['e'], optional('x'))]);
  expectTypeOf<typeof claims.a.b.c>().toEqualTypeOf<readonly number[]>();
  expectTypeOf<typeof claims.a.d>().toEqualTypeOf<true>();
  expectTypeOf<typeof claims.a.other>().toEqualTypeOf<unknown>();
  expectTypeOf<typeof claims.e>().toEqualTypeOf<'x' | readonly unknown[] | undefined>();
});

it('at() with a rule that accepts an absent claim, or a path of unknown length, types nothing', () => {
  const path: string[] = ['a', 'b'];
  const claims = claimsOf([at(['a', 'b'], optional('x')), at(path, 'x')]);
  expectTypeOf<typeof claims.a>().toEqualTypeOf<unknown>();
  const signed = signedOf([at(['address', 'zip'], z.string().optional())]);
  expectTypeOf(signed.address).toEqualTypeOf<unknown>();
});

const program = `
import { allOf, anyOf, type ClaimsOf, optional } from '@latchkey/core';

declare global {
  interface LatchkeyTypeSettings {
    nestedClaimDelimiter: '.';
  }
}

const rules = {
  'realm_access.roles': allOf('admin'),
  'realm_access.level': 4,
  'a.b.c': optional('x'),
  'https://example\\\\.com/roles': anyOf('r'),
  sub: 'alice',
} as const;
declare const claims: ClaimsOf<typeof rules>;
const roles: readonly string[] = claims.realm_access.roles;
const level: 4 = claims.realm_access.level;
const url: 'r' | readonly unknown[] = claims['https://example.com/roles'];
// @ts-expect-error the claim is inside realm_access
const flat: readonly string[] = claims['realm_access.roles'];
// @ts-expect-error the objects around an optional claim may be absent
claims.a.b;
export { flat, level, roles, url };
`;

it('a program that declares its delimiter has nested types', () => {
  const folder = mkdtempSync(fileURLToPath(new URL('./.types-', import.meta.url)));
  try {
    writeFileSync(join(folder, 'program.ts'), program);
    const root = fileURLToPath(new URL('../../../../', import.meta.url));
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: join(root, 'tsconfig.json'), include: ['program.ts'] }),
    );
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const found = execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
    expect(found).toBe('');
  } catch (error) {
    expect((error as { readonly stdout?: string }).stdout ?? error).toBe('');
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);
