// What lint finds in what a service asks over the network beside keys, in groups and who may give
// them, and in what it signs.

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
/** RSA key exchange: who gets the key of the server later reads what was recorded. */
const WITHOUT_FORWARD_SECRECY: ReadonlySet<unknown> = new Set([47, 53, 60, 156, 157]);

/** The rules about endpoints, groups and signing. */
export const endpointRules: readonly LintRule[] = [
  {
    id: 'remote-reject-next',
    severity: 'warning',
    message: 'a token that the endpoint refuses, since it was revoked there, say, still passes by its key',
    fix: 'write `onReject: deny`',
    find: (jwt) => spotIf(membersOf(jwt.remote).onReject === 'next', 'remote.onReject'),
  },
  {
    id: 'remote-in-clear',
    severity: 'warning',
    message: 'every token is sent over plain http to another machine',
    fix: 'use https, and take allowHttp out',
    find: (jwt) => inClear(membersOf(jwt.remote), 'url', 'remote'),
  },
  {
    id: 'remote-cache-long',
    severity: 'warning',
    message: 'a token that was revoked is accepted for more than five minutes',
    fix: 'write 1m or less, or take it out: each token is then asked about each time',
    find: (jwt) => spotIf(isLonger(membersOf(jwt.remote).cacheFor, 5 * MINUTE_MS), 'remote.cacheFor'),
  },
  {
    id: 'remote-system',
    severity: 'warning',
    message: 'whoever answers at this endpoint can make anybody the system',
    fix: 'take it out, and add `system: true` to the keyset of the system instead',
    find: (jwt) => spotIf(membersOf(jwt.remote).system === true, 'remote.system'),
  },
  {
    id: 'remote-other-audiences',
    severity: 'warning',
    message: 'a token for another API is accepted if the endpoint knows its subject',
    fix: 'take `unsafeIgnoreTokenClaims` out',
    find: (jwt) =>
      spotIf(membersOf(jwt.remote).unsafeIgnoreTokenClaims === true, 'remote.unsafeIgnoreTokenClaims'),
  },
  {
    id: 'groups-trust-unset',
    severity: 'warning',
    message: 'there are several issuers, and each of them can say any group of anybody',
    fix: 'add `groups.trust:` with each issuer that may: all, or only: […]; others have none then',
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
    fix: 'write the issuer as its keyset has it, letter by letter, or take it out',
    find: strangers,
  },
  {
    id: 'reserved-groups-unset',
    severity: 'warning',
    message: "the system has a subject of its own, but any issuer may put its users into the system's groups",
    fix: 'add `groups: { reserved: [root] }`, with the groups that only the system is of',
    find: (jwt) =>
      spotIf(
        jwt.systemSubject !== undefined && membersOf(jwt.groups).reserved === undefined,
        'systemSubject',
      ),
  },
  {
    id: 'groups-in-clear',
    severity: 'warning',
    message: 'groups come over plain http from another machine: whoever is on the way can give them',
    fix: 'use https, and take allowHttp out',
    find: (jwt) => inClear(membersOf(membersOf(jwt.groups).endpoint), 'url', 'groups.endpoint'),
  },
  {
    id: 'groups-cache-long',
    severity: 'warning',
    message: 'a group that was taken from somebody counts for more than an hour',
    fix: 'write 60s, which is the default, or a few minutes',
    find: (jwt) => spotIf(isLonger(membersOf(jwt.groups).cacheFor, 60 * MINUTE_MS), 'groups.cacheFor'),
  },
  {
    id: 'signing-without-exp',
    severity: 'warning',
    message: 'tokens are signed that never expire, and that nobody can take back',
    fix: 'take requireExp out, and add `expiresIn:`',
    find: (jwt) => spotIf(membersOf(jwt.signing).requireExp === false, 'signing.requireExp'),
  },
  {
    id: 'signing-lifetime-open',
    severity: 'warning',
    message: 'nothing bounds how long tokens live but the 366 days of the default',
    fix: 'add `maxLifetime:` with the longest that is needed',
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
    fix: 'write hours for access tokens, and days for those that refresh them',
    find: ({ signing }) =>
      ['expiresIn', 'maxLifetime'].flatMap((name) =>
        spotIf((millisecondsOf(membersOf(signing)[name]) ?? 0) > 90 * DAY_MS, `signing.${name}`),
      ),
  },
  {
    id: 'signing-keys-in-clear',
    severity: 'warning',
    message: 'private keys come over plain http from another machine: whoever is on the way has them',
    fix: 'use https, and take allowHttp out; or keep the keys in a secret',
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
    message: 'whoever gets the key of the server later reads connections that were recorded with this suite',
    fix: 'take cipherSuites out, or leave those that begin with ECDHE or TLS',
    find: (jwt) =>
      tlsOf(jwt).flatMap(({ path, tls }) =>
        itemsOf(membersOf(tls).cipherSuites).flatMap((suite, index) =>
          spotIf(WITHOUT_FORWARD_SECRECY.has(suite), `${path}.cipherSuites[${index}]`),
        ),
      ),
  },
];

/**
 * What may be asked in clear, and is not this machine. Where there is no switch, core refuses it.
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
  // An endpoint, and a keyset without one, may speak for any issuer.
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
