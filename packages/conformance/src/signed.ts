// Checks replies whose fields are signed: each field is a token that the authenticator accepts, and
// the reply has none of its claims in clear.
import type { Authenticator } from '@latchkey/core';
import { expect } from 'vitest';
import type { Expectation } from './cases.ts';
import { type Exchange, headerValues } from './exchange.ts';
import { canary } from './tokens.ts';

type Answer = Extract<Expectation, { readonly status: number }>;
type Form = NonNullable<Answer['form']>;

/** Checks the signed members of a reply against a case. */
export async function expectSigned(
  answer: Exchange,
  { signed = {}, form = 'compact', conceals = Object.keys(signed).length > 0 }: Answer,
  authenticator: Authenticator,
): Promise<void> {
  if (conceals) expect(answer.raw).not.toContain(canary);
  for (const [member, claims] of Object.entries(signed)) {
    const { claims: verified } = await authenticator.verify(signedMember(answer, member, form));
    expect(verified, member).toMatchObject({ ...claims, canary });
  }
}

/** Returns the compact JWS of a member, from any of its formats. */
export function signedMember({ body }: Exchange, member: string, form: Form = 'compact'): string {
  const value: unknown = JSON.parse(body)[member];
  if (form === 'compact' && typeof value === 'string') return value;
  expect(typeof value, member).toBe(form === 'object' ? 'object' : 'string');
  const flattened = typeof value === 'string' ? JSON.parse(value) : value;
  expect(Object.keys(flattened).toSorted(), member).toEqual(['payload', 'protected', 'signature']);
  return `${flattened.protected}.${flattened.payload}.${flattened.signature}`;
}

/** Headers that must not repeat do not repeat, and the length is that of the body. */
export function expectOneOfEach(answer: Exchange, hasBody: boolean): void {
  for (const name of [
    'content-type',
    'content-length',
    'cache-control',
    'pragma',
    'etag',
    'content-encoding',
  ])
    expect(headerValues(answer, name).length, name).toBeLessThanOrEqual(1);
  const [length] = headerValues(answer, 'content-length');
  if (!hasBody) return;
  expect(length ?? headerValues(answer, 'transfer-encoding')[0], 'length').toBe(
    length === undefined ? 'chunked' : String(answer.body.length),
  );
}
