// The descriptors of this soak. Each version has other keysets, rules and realm, and all of them
// accept the same tokens. No service is here.
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '@latchkey/core';
import type { RemoteIssuer } from '../issuer-handle.ts';

/** The name of the route, in the path and in the descriptor. */
export const ROUTE = 'orders';

/** The issuers whose tokens are valid in every version. */
export interface Trusted {
  /** Keys at a URL. Each version has to fetch them before it is applied. */
  readonly remote: RemoteIssuer;
  /** Keys in the descriptor. */
  readonly inline: { readonly issuer: string; readonly keys: readonly JsonObject[] };
}

/**
 * The text of a version. From one version to the next, the order of keysets, an extra keyset, rules
 * and the realm change.
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

/** The realm of challenges while this version is active. */
export const versionName = (version: number): string => `version-${version}`;

/**
 * Invalid texts: not YAML, incomplete YAML, an unknown option, no keys, a source that cannot be
 * reached, and an empty text.
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

/** Repeats the check until it is true. @returns false after `limitMs` */
export async function until(isSo: () => boolean, limitMs: number): Promise<boolean> {
  const limit = performance.now() + limitMs;
  while (!isSo()) {
    if (performance.now() > limit) return false;
    await sleep(2);
  }
  return true;
}
