// Helpers that the tests share. There are no tests here.
import { inspect } from 'node:util';
import { createMemoryStore } from '@latchkey/core';
import { GROUPS, PEOPLE } from '@latchkey/test-kit/directory';
import { PASSWORD, READER } from '@latchkey/test-kit/slapd';
import { expect } from 'vitest';
import { createLdapGroups, type LdapGroups, type LdapGroupsOptions } from '../src/index.ts';

/** The password as a file contains it. */
export const secrets = createMemoryStore({ ldap: { password: `${PASSWORD}\n`, empty: '', blank: '\n' } });

export const waiting = () => new AbortController().signal;

const made = new Set<LdapGroups>();

/** A resolver for the test directory. */
export function create(url: string, options: Partial<LdapGroupsOptions> = {}): LdapGroups {
  const groups = createLdapGroups({
    url,
    bind: { dn: READER, password: { name: 'ldap', key: 'password' } },
    secrets,
    users: { base: PEOPLE },
    groups: { base: GROUPS },
    // The test machine may be busy.
    timeout: '15s',
    ...options,
  });
  made.add(groups);
  return groups;
}

/** Closes the resolvers that `create` made. */
export async function closeAll(): Promise<void> {
  await Promise.all([...made].map((groups) => groups.close()));
  made.clear();
}

export function resolve(
  groups: LdapGroups,
  subject: string,
  signal: AbortSignal = waiting(),
): Promise<readonly string[] | undefined> {
  return groups.resolve({ subject, issuer: 'https://issuer.example' }, signal);
}

/**
 * Returns the error of a promise, after checking that it contains no text from a directory or
 * subject.
 */
export async function failureOf(
  asked: Promise<unknown>,
): Promise<Error & { readonly retryAfterMs?: number }> {
  const error: unknown = await asked.then(
    (value) => expect.unreachable(`there was an answer: ${inspect(value)}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error('not an Error');
  for (const text of [
    inspect(error, { depth: 20, showHidden: true }),
    JSON.stringify(error),
    String(error.stack),
  ]) {
    expect(text).not.toContain('canary');
    expect(text).not.toContain('dc=example');
  }
  expect(error.cause).toBeUndefined();
  return error;
}
