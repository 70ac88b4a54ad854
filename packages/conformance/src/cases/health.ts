// Health checks: everybody gets an answer, and it says nothing but whether tokens can be judged.
import { bearer, type ConformanceCase } from './case.ts';

// One keyset of each variant cannot be reached.
const UNAVAILABLE = {
  status: 503,
  text: '{"status":"unavailable"}',
  mediaType: 'application/json',
  headers: { 'cache-control': 'no-store' },
  handled: false,
} as const;

/** The cases of `healthCheck`. The suite also checks it while all keys are there. */
export const healthCases: readonly ConformanceCase[] = [
  { name: 'health: no token is needed', path: '/health', expect: UNAVAILABLE },
  ...(['good', 'expired'] as const).map(
    (token): ConformanceCase => ({
      name: `health: a token does not matter: ${token}`,
      path: '/health',
      headers: bearer(token),
      expect: UNAVAILABLE,
    }),
  ),
];
