// Spellings of paths that routers read differently: a handler runs only for an authenticated
// request, with any spelling (T-095).
import type { ConformanceCase } from './case.ts';

const SPELLINGS = [
  '/roles',
  '//roles',
  '/roles/',
  '/roles//',
  '/ROLES',
  '/Roles',
  '/%72oles',
  '/%52oles',
  '/roles%2f',
  '/roles%2F',
  '/%2froles',
  '/roles;a=b',
  '/;/roles',
  '/roles?',
  '/roles?x=/public',
  '/roles%3f',
  '/./roles',
  '/public/../roles',
  '/public/..;/roles',
  '/x/%2e%2e/roles',
  '/roles.',
  '/roles%20',
  '/roles%00',
  '/roles%09',
  '/\\roles',
  '/roles\\',
  '/roles#public',
  '/public%2f..%2froles',
  'http://localhost/roles',
  'http://localhost//roles',
] as const;

/** Every spelling, with every method that a handler might answer, without a token. */
export const pathCases: readonly ConformanceCase[] = (['GET', 'HEAD', 'POST', 'OPTIONS'] as const).flatMap(
  (method) =>
    SPELLINGS.map((path) => ({
      name: `T-095: ${method} ${path}, no token`,
      method,
      path,
      expect: { notHandled: true } as const,
    })),
);
