// Lint rules about keysets and deprecated keys: their issuers and their sources. Rules about
// algorithms are in algorithms.ts.

import { isLoopback } from '../../net/addresses.ts';
import type { UncheckedOptions } from '../../values/readers.ts';
import { sharedIssuerRule } from './pins.ts';
import {
  isLonger,
  itemsOf,
  keysetsOf,
  keysOf,
  type LintRule,
  type Part,
  type Spot,
  spotIf,
  urlOf,
} from './rule.ts';

const DAY_MS = 86_400_000;

/** The rules about keysets, keys and their sources. */
export const keysetRules: readonly LintRule[] = [
  {
    id: 'keys-deprecated',
    severity: 'warning',
    message: 'the list of single keys is deprecated',
    fix: 'run `latchkey jwks migrate`, which converts it to keysets',
    find: (jwt) => spotIf(jwt.keys !== undefined, 'keys'),
  },
  {
    id: 'issuerless-keyset',
    severity: 'warning',
    message:
      'this keyset is next to others and has no issuer: it may verify tokens of every issuer that the others do not name',
    fix: 'add `issuer:` with the iss of its tokens, and remove unsafeOtherIssuers',
    find: (jwt) => (keysetsOf(jwt).length + keysOf(jwt).length > 1 ? withoutIssuer(keysetsOf(jwt)) : []),
  },
  {
    id: 'issuer-open',
    severity: 'warning',
    message: 'the only keyset has no issuer: any iss of a token is accepted',
    fix: 'add `issuer:` with the iss of its tokens, or `issuers:` with the accepted ones',
    find: (jwt) =>
      keysetsOf(jwt).length + keysOf(jwt).length === 1 && jwt.issuers === undefined
        ? withoutIssuer(keysetsOf(jwt))
        : [],
  },
  sharedIssuerRule,
  {
    id: 'issuerless-token-reaches-keys',
    severity: 'warning',
    message: 'a token without iss may be verified by any key of the list, also by keys that have an issuer',
    fix: 'run `latchkey jwks migrate`: keysets with an issuer refuse tokens without iss',
    find: (jwt) =>
      spotIf(
        keysOf(jwt).some(({ value }) => value.issuer !== undefined),
        'keys',
      ),
  },
  {
    id: 'issuer-duplicate',
    severity: 'warning',
    message: 'another keyset has this issuer, too: tokens are verified by the keys of both',
    fix: 'keep only one of them, unless one source is about to replace the other',
    find: (jwt) => seenBefore(keysetsOf(jwt), (issuer) => issuer),
  },
  {
    id: 'issuer-look-alike',
    severity: 'warning',
    message: 'differs from the issuer of another keyset only by case or a final slash',
    fix: 'write the issuer exactly as in iss, and remove the other one',
    find: (jwt) => seenBefore(distinct(keysetsOf(jwt)), (issuer) => issuer.toLowerCase().replace(/\/$/, '')),
  },
  {
    id: 'audience-shared',
    severity: 'warning',
    message: 'each of several issuers can make tokens for all of these audiences, also for those of others',
    fix: 'give each keyset the `audience:` of its own tokens',
    find: (jwt) => {
      const sharing = keysetsOf(jwt).filter(({ value }) => value.audience === undefined);
      return spotIf(itemsOf(jwt.audience).length > 1 && distinct(sharing).length > 1, 'audience');
    },
  },
  {
    id: 'unsafe-missing-issuer',
    severity: 'warning',
    message: 'a token without iss may be verified by any keyset',
    fix: 'remove it, and let issuers write iss into their tokens',
    find: (jwt) => spotIf(jwt.unsafeMissingIssuer !== undefined, 'unsafeMissingIssuer'),
  },
  {
    id: 'unsafe-private-addresses',
    severity: 'warning',
    message: 'a token can make this service call machines of its own network',
    fix: 'remove it, or use jwksUrl instead of jwksHosts',
    find: (jwt) =>
      keysetsOf(jwt).flatMap(({ path, value }) =>
        spotIf(value.unsafeAllowPrivateAddresses === true, `${path}.unsafeAllowPrivateAddresses`),
      ),
  },
  {
    id: 'jku-host-whole',
    severity: 'warning',
    message: 'keys from any path of this host are accepted, also where other users can put files',
    fix: 'write the path of the keys, as in keys.example.com/tenants/; or use jwksUrl',
    find: (jwt) =>
      keysetsOf(jwt).flatMap(({ path, value }) =>
        itemsOf(value.jwksHosts).flatMap((host, index) =>
          spotIf(
            typeof host === 'string' && !host.includes('/'),
            `${path}.jwksHosts[${index}]`,
            String(host),
          ),
        ),
      ),
  },
  {
    id: 'keys-in-clear',
    severity: 'warning',
    message:
      'keys may come over plain http from another machine: any host on the network path can insert its own',
    fix: 'use https, and remove allowHttp',
    find: (jwt) =>
      keysetsOf(jwt).flatMap(({ path, value }) =>
        spotIf(value.allowHttp === true && !staysHere(value), `${path}.allowHttp`),
      ),
  },
  {
    id: 'refresh-slow',
    severity: 'warning',
    message: 'a key that its issuer has withdrawn is used for more than a day',
    fix: 'write 1h, which is the default, or less',
    find: (jwt) => longer(jwt, 'refreshInterval', DAY_MS),
  },
  {
    id: 'validation-skipped',
    severity: 'warning',
    message:
      'the service starts without these keys: while they cannot be read, their tokens are answered 503',
    fix: 'remove it as soon as the source can be reached: latchkey jwks update --clear-skip-validation',
    find: (jwt) =>
      keysetsOf(jwt).flatMap(({ path, value }) =>
        spotIf(value.skipValidation === true, `${path}.skipValidation`),
      ),
  },
  {
    id: 'stale-long',
    severity: 'warning',
    message: 'while the source cannot be read, keys are used for more than a week',
    fix: 'write 24h, which is the default, or less',
    find: (jwt) => longer(jwt, 'maxStale', 7 * DAY_MS),
  },
  {
    id: 'system-issuerless',
    severity: 'warning',
    message: 'vouches for the system with any iss in its tokens',
    fix: "add `issuer:` with the iss of the system's own tokens",
    find: (jwt) => withoutIssuer(keysetsOf(jwt).filter(({ value }) => value.system === true)),
  },
];

function withoutIssuer(parts: readonly Part[]): readonly Spot[] {
  return parts.filter(({ value }) => value.issuer === undefined).map(({ path }) => ({ path }));
}

function longer(jwt: UncheckedOptions, name: string, limitMs: number): readonly Spot[] {
  return keysetsOf(jwt).flatMap(({ path, value }) =>
    spotIf(isLonger(value[name], limitMs), `${path}.${name}`),
  );
}

function distinct(parts: readonly Part[]): readonly Part[] {
  const issuers = parts.map(({ value }) => value.issuer);
  return parts.filter(({ value }, index) => issuers.indexOf(value.issuer) === index);
}

/** The issuers that equal, in this form, the issuer of an earlier keyset. */
function seenBefore(parts: readonly Part[], formOf: (issuer: string) => string): readonly Spot[] {
  const seen = new Set<string>();
  return parts.flatMap(({ path, value: { issuer } }) => {
    if (typeof issuer !== 'string') return [];
    const form = formOf(issuer);
    if (seen.has(form)) return [{ path: `${path}.issuer`, about: issuer }];
    seen.add(form);
    return [];
  });
}

/** True if the keyset fetches from this machine only. */
function staysHere({ jwksUrl, jwksHosts, issuer }: UncheckedOptions): boolean {
  const urls =
    jwksUrl === undefined
      ? jwksHosts === undefined
        ? [urlOf(issuer)]
        : itemsOf(jwksHosts).map((host) => urlOf(`https://${String(host)}`))
      : [urlOf(jwksUrl)];
  return urls.every((url) => url !== undefined && isLoopback(url.hostname));
}
