// Lint rules about endpoints other than key sources, about groups and their trust, and about
// signing.

import { isLoopback } from '../../net/addresses.ts';
import type { UncheckedOptions } from '../../values/readers.ts';
import {
  isLonger,
  itemsOf,
  keysetsOf,
  type LintRule,
  membersOf,
  millisecondsOf,
  ruleSetsOf,
  type Spot,
  spotIf,
  urlOf,
} from './rule.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/**
 * RSA key exchange: an attacker who gets the key of the server later can decrypt recorded
 * connections.
 */
const WITHOUT_FORWARD_SECRECY: ReadonlySet<unknown> = new Set([47, 53, 60, 156, 157]);

/** The rules about endpoints, groups and signing. */
export const endpointRules: readonly LintRule[] = [
  {
    id: 'remote-reject-next',
    severity: 'warning',
    message: 'a token that the endpoint refuses, for example a revoked one, is still accepted by its key',
    fix: 'write `onReject: deny`',
    find: (jwt) => spotIf(membersOf(jwt.remote).onReject === 'next', 'remote.onReject'),
  },
  {
    id: 'remote-in-clear',
    severity: 'warning',
    message: 'every token is sent over plain http to another machine',
    fix: 'use https, and remove allowHttp',
    find: (jwt) => inClear(membersOf(jwt.remote), 'url', 'remote'),
  },
  {
    id: 'remote-cache-long',
    severity: 'warning',
    message: 'a token that was revoked is accepted for more than five minutes',
    fix: 'write 1m or less, or remove it: then each request calls the endpoint',
    find: (jwt) => spotIf(isLonger(membersOf(jwt.remote).cacheFor, 5 * MINUTE_MS), 'remote.cacheFor'),
  },
  {
    id: 'remote-system',
    severity: 'warning',
    message: 'this endpoint can declare any token a token of the system',
    fix: 'remove it, and add `system: true` to the keyset of the system instead',
    find: (jwt) => spotIf(membersOf(jwt.remote).system === true, 'remote.system'),
  },
  {
    id: 'remote-other-audiences',
    severity: 'warning',
    message: 'a token for another API is accepted if the endpoint knows its subject',
    fix: 'remove `unsafeIgnoreTokenClaims`',
    find: (jwt) =>
      spotIf(membersOf(jwt.remote).unsafeIgnoreTokenClaims === true, 'remote.unsafeIgnoreTokenClaims'),
  },
  {
    id: 'remote-missing-audience',
    severity: 'warning',
    message: 'a token without an audience is accepted if the endpoint knows it, a refresh token too',
    fix: 'let the endpoint answer with `aud`, and remove `unsafeMissingAudience`',
    find: (jwt) =>
      spotIf(membersOf(jwt.remote).unsafeMissingAudience === true, 'remote.unsafeMissingAudience'),
  },
  {
    id: 'groups-trust-unset',
    severity: 'warning',
    message: 'there are several issuers, and each of them can claim any group for any subject',
    fix: 'add `groups.trust:` with each trusted issuer: all, or only: […]; the claims of others are then ignored',
    find: (jwt) =>
      spotIf(
        asksForGroups(jwt) &&
          membersOf(jwt.groups).trust === undefined &&
          new Set(keysetsOf(jwt).map(({ value }) => value.issuer)).size > 1,
        'groups',
      ),
  },
  {
    id: 'groups-trust-stranger',
    severity: 'warning',
    message: 'no keyset has this issuer',
    fix: 'write the issuer exactly as in its keyset, or remove it',
    find: strangers,
  },
  {
    id: 'reserved-groups-unset',
    severity: 'warning',
    message: "the system has its own subject, but any issuer may put its users into the system's groups",
    fix: 'add `groups: { reserved: [root] }`, with the groups that only the system has',
    find: (jwt) =>
      spotIf(
        jwt.systemSubject !== undefined && membersOf(jwt.groups).reserved === undefined,
        'systemSubject',
      ),
  },
  {
    id: 'groups-in-clear',
    severity: 'warning',
    message: 'groups come over plain http from another machine: any host on the network path can change them',
    fix: 'use https, and remove allowHttp',
    find: (jwt) => inClear(membersOf(membersOf(jwt.groups).endpoint), 'url', 'groups.endpoint'),
  },
  {
    id: 'groups-cache-long',
    severity: 'warning',
    message: 'a group that was removed from a subject still counts for more than an hour',
    fix: 'write 60s, which is the default, or a few minutes',
    find: (jwt) => spotIf(isLonger(membersOf(jwt.groups).cacheFor, 60 * MINUTE_MS), 'groups.cacheFor'),
  },
  {
    id: 'signing-without-exp',
    severity: 'warning',
    message: 'signed tokens never expire, and cannot be revoked',
    fix: 'remove requireExp, and add `expiresIn:`',
    find: (jwt) => spotIf(membersOf(jwt.signing).requireExp === false, 'signing.requireExp'),
  },
  {
    id: 'signing-lifetime-open',
    severity: 'warning',
    message: 'only the default of 366 days limits the lifetime of tokens',
    fix: 'add `maxLifetime:` with the longest lifetime that is needed',
    find: ({ signing }) =>
      spotIf(
        signing !== undefined &&
          membersOf(signing).expiresIn === undefined &&
          membersOf(signing).maxLifetime === undefined,
        'signing',
      ),
  },
  {
    id: 'signing-lifetime-long',
    severity: 'warning',
    message: 'tokens may live for more than 90 days',
    fix: 'write hours for access tokens, and days for refresh tokens',
    find: ({ signing }) =>
      ['expiresIn', 'maxLifetime'].flatMap((name) =>
        spotIf((millisecondsOf(membersOf(signing)[name]) ?? 0) > 90 * DAY_MS, `signing.${name}`),
      ),
  },
  {
    id: 'signing-keys-in-clear',
    severity: 'warning',
    message:
      'private keys come over plain http from another machine: any host on the network path can read them',
    fix: 'use https, and remove allowHttp; or keep the keys in a secret',
    find: (jwt) => inClear(membersOf(jwt.signing), 'jwkUrl', 'signing'),
  },
  {
    id: 'signing-keys-deprecated',
    severity: 'warning',
    message: 'the list of single keys is deprecated',
    fix: 'keep the key as a JWK Set in a secret, and use `secret:`',
    find: (jwt) => spotIf(membersOf(jwt.signing).keys !== undefined, 'signing.keys'),
  },
  {
    id: 'tls-without-forward-secrecy',
    severity: 'warning',
    message: 'an attacker who gets the key of the server later can read recorded connections with this suite',
    fix: 'remove cipherSuites, or keep those that begin with ECDHE or TLS',
    find: (jwt) =>
      tlsOf(jwt).flatMap(({ path, tls }) =>
        itemsOf(membersOf(tls).cipherSuites).flatMap((suite, index) =>
          spotIf(WITHOUT_FORWARD_SECRECY.has(suite), `${path}.cipherSuites[${index}]`),
        ),
      ),
  },
];

/**
 * Plain HTTP URLs that are permitted and lead to another machine. Without allowHttp, core refuses
 * them.
 */
function inClear(value: UncheckedOptions, name: string, path: string): readonly Spot[] {
  const url = urlOf(value[name]);
  return spotIf(
    value.allowHttp === true && url !== undefined && !isLoopback(url.hostname),
    `${path}.allowHttp`,
  );
}

function asksForGroups(jwt: UncheckedOptions): boolean {
  if (jwt.groups !== undefined) return !isWithoutClaim(membersOf(jwt.groups).order);
  return ruleSetsOf(jwt).some(({ rules }) =>
    (Array.isArray(rules) ? rules : [rules]).some(
      (entry) => Object.hasOwn(membersOf(entry), 'groups') || membersOf(entry).name === 'groups',
    ),
  );
}

function isWithoutClaim(order: unknown): boolean {
  return Array.isArray(order) && !order.includes('claim');
}

function strangers(jwt: UncheckedOptions): readonly Spot[] {
  const issuers = new Set(keysetsOf(jwt).map(({ value }) => value.issuer));
  // An endpoint, or a keyset without an issuer, may accept tokens of any issuer.
  if (jwt.remote !== undefined || issuers.has(undefined)) return [];
  return Object.keys(membersOf(membersOf(jwt.groups).trust))
    .filter((issuer) => !issuers.has(issuer))
    .map((issuer) => ({ path: `groups.trust.${issuer}`, about: issuer }));
}

function tlsOf(jwt: UncheckedOptions): readonly { readonly path: string; readonly tls: unknown }[] {
  return [
    ...keysetsOf(jwt).map(({ path, value }) => ({ path: `${path}.tls`, tls: value.tls })),
    { path: 'remote.tls', tls: membersOf(jwt.remote).tls },
    { path: 'groups.endpoint.tls', tls: membersOf(membersOf(jwt.groups).endpoint).tls },
    { path: 'signing.tls', tls: membersOf(jwt.signing).tls },
  ];
}
