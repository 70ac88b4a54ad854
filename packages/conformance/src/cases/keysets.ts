// What keysets say of their own tokens, and how audiences and lifetimes are limited for all.
import type { TokenName } from '../tokens.ts';
import { bearer, type ConformanceCase, ok } from './case.ts';

type Row = readonly [token: TokenName, expect: ConformanceCase['expect'], path?: string];

const MISMATCH = { code: 'token_audience_mismatch' } as const;

const ROWS: readonly Row[] = [
  ['good', ok],
  ['partner, good', ok],
  ['partner, also for this service', ok],
  // An issuer cannot make tokens for the audience of another one.
  ['partner, for this service', MISMATCH],
  ['only for orders', MISMATCH],
  ['partner, of another dept', { code: 'token_claims_invalid' }],
  ['partner, of another type', { code: 'token_type_refused' }],
  ['good, typ at+jwt', { code: 'token_type_refused' }],
  ['partner, old', { code: 'token_expired' }],
  ['partner, for too long', { code: 'token_claims_invalid' }],
  ['for too long', ok],
  ['good', MISMATCH, '/audience'],
  ['partner, good', ok, '/audience'],
];

/** What keysets say of their own tokens. */
export const keysetCases: readonly ConformanceCase[] = [
  ...(['keysets', 'keysets, uncached', 'keysets, described'] as const).flatMap((authenticator) =>
    ROWS.map(
      ([token, expected, path = '/token']): ConformanceCase => ({
        name: `T-054: ${authenticator}: ${token} on ${path}`,
        authenticator,
        path,
        headers: bearer(token),
        // Only a token that is accepted can come from the cache.
        isCached: expected === ok || path !== '/token',
        expect: expected,
      }),
    ),
  ),
  ...(
    [
      ['only', 'good', ok],
      ['only', 'good, audience in a list', MISMATCH],
      ['only', 'good, also for orders', MISMATCH],
      ['lifetime', 'good', ok],
      ['lifetime', 'for too long', { code: 'token_claims_invalid' }],
      ['lifetime', 'without exp', { code: 'token_claims_invalid' }],
    ] as const
  ).map(
    ([authenticator, token, expected]): ConformanceCase => ({
      name: `T-054: ${authenticator}: ${token}`,
      authenticator,
      path: '/token',
      headers: bearer(token),
      expect: expected,
    }),
  ),
];
