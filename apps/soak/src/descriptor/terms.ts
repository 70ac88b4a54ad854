// What the descriptors of this application say. Each version differs in what it asks, and all of
// them take the same tokens.
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '@latchkey/core';
import type { RemoteIssuer } from '../issuer-handle.ts';

/** The route that is asked, in the path and in the descriptor. */
export const ROUTE = 'orders';

/** Whose tokens are good in every version. */
export interface Trusted {
  /** Keys behind a URL: each version has to fetch them before it is applied. */
  readonly remote: RemoteIssuer;
  /** Keys that stand in the descriptor. */
  readonly inline: { readonly issuer: string; readonly keys: readonly JsonObject[] };
}

/**
 * A version: the order of keysets, a keyset that comes and goes, rules and the realm change from
 * one to the next.
 */
export function descriptorOf({ remote, inline }: Trusted, version: number): string {
  const keySets = [
    { issuer: remote.issuer, jwksUrl: remote.jwksUrl, allowHttp: true },
    { issuer: inline.issuer, jwks: { keys: inline.keys } },
  ];
  if (version % 2 === 1) keySets.reverse();
  if (version % 3 === 0) keySets.push({ issuer: 'urn:guest', jwks: { keys: inline.keys } });
  const jwt = {
    keySets,
    audience: remote.audience,
    realm: versionName(version),
    routes: { [ROUTE]: { claims: version % 5 === 0 ? { sub: { present: true } } : { sub: 'alice' } } },
  };
  return JSON.stringify({ name: 'bench', service: { jwt } }, null, 2);
}

/** What challenges call the version that is in force. */
export const versionName = (version: number): string => `version-${version}`;

/**
 * Texts that nobody can follow: no YAML, half of one, an unknown option, no keys, a source that is
 * not there, and no text at all.
 */
export function invalidTexts(trusted: Trusted): readonly string[] {
  const whole = descriptorOf(trusted, 0);
  const closedPort = { issuer: 'urn:down', jwksUrl: 'http://127.0.0.1:1/jwks.json', allowHttp: true };
  return [
    'service: [',
    whole.slice(0, whole.length / 2),
    whole.replace('"audience"', '"audiance"'),
    JSON.stringify({ service: { jwt: { keySets: [], audience: trusted.remote.audience } } }),
    JSON.stringify({ service: { jwt: { keySets: [closedPort], audience: trusted.remote.audience } } }),
    '',
  ];
}

/** Asks again until it is so. */
export async function until(isSo: () => boolean, limitMs: number): Promise<boolean> {
  const limit = performance.now() + limitMs;
  while (!isSo()) {
    if (performance.now() > limit) return false;
    await sleep(2);
  }
  return true;
}
