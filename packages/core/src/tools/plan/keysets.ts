// What a change of keysets and of the deprecated keys does: whose tokens are accepted, by which keys and algorithms, and for how long.

import { isDeepStrictEqual } from 'node:util';
import { own } from '../../values/json.ts';
import { isPlainObject, type UncheckedOptions } from '../../values/readers.ts';
import {
  flag,
  type Judge,
  lasting,
  listed,
  members,
  nameOf,
  nameOfUrl,
  other,
  ranked,
  type Verdict,
  verdict,
  within,
} from './judge.ts';
import { matched } from './match.ts';

const SOURCES = [
  'useOidcDiscovery',
  'jwksUrl',
  'jwksHosts',
  'secret',
  'externalSecret',
  'jwks',
  'publicKeys',
] as const;

/** How a connection is secured: what trusts less closes. */
export const tlsJudge: Judge = members({
  ca: (before, after) => {
    if (before !== undefined && after !== undefined)
      return [verdict('changes', 'another CA is trusted', after)];
    return before === undefined
      ? [verdict('closes', 'one CA is trusted, and no other', after)]
      : [verdict('opens', 'every CA of the system is trusted', after)];
  },
  fingerprints: listed({ more: 'opens', given: 'closes', thing: 'fingerprint' }),
  cipherSuites: listed({ more: 'opens', given: 'closes', thing: 'cipher suite' }),
});

/** `keySets`. */
export const keysetsJudge: Judge = matched({
  likeness: [
    ({ issuer, ...rest }) => [issuer, Object.keys(sourceOf(rest))],
    ({ issuer }) => issuer,
    (keyset) => (isDeepStrictEqual(sourceOf(keyset), {}) ? undefined : sourceOf(keyset)),
  ],
  added: 'opens',
  name: nameOfKeyset,
  order: 'keysets are asked in another order',
  judge: (before, after) => [
    ...issuerChange(before, after),
    ...sourceChange(before, after),
    ...rest(before, after),
  ],
});

/** `keys`, the deprecated list. */
export const keysJudge: Judge = (before, after) => [
  ...eachKey(before ?? [], after ?? []),
  // With the list goes what only the list does.
  ...(hasPinned(before) === hasPinned(after)
    ? []
    : [
        hasPinned(after)
          ? verdict('opens', 'a token without iss may be verified by keys of an issuer', after)
          : verdict('closes', 'a token without iss is verified by no key of an issuer any more', after),
      ]),
];

const legacyAlgorithms = listed({ more: 'opens', thing: 'unsafe algorithm' });

const eachKey = matched({
  likeness: [({ keyId }) => keyId],
  added: 'opens',
  name: ({ keyId, issuer }) => `key ${nameOf(keyId)} of ${nameOf(issuer, 'any issuer')}`,
  order: 'keys stand in another order: a token without a key id may get another one',
  judge: (before, after) => [
    ...issuerChange(before, after),
    ...members({
      issuer: () => [],
      keyId: other('has another key id'),
      algorithm: (was, is) => [verdict('changes', `algorithm: ${nameOf(was)} → ${nameOf(is)}`, is)],
      secret: other('is in another secret'),
      unsafeLegacyAlgorithms: legacyAlgorithms,
    })(before, after),
  ],
});

/** What is neither the issuer nor the source. */
const restJudges: { readonly [name: string]: Judge } = {
  allowedAlgorithms: listed({ more: 'opens', given: 'closes', thing: 'algorithm' }),
  kidless: ranked(['refuse', 'first', 'try-all'], 'a token without a key id', 'first'),
  unsafeAlgorithmMatch: (before, after) => [
    before === undefined
      ? verdict('opens', 'keys verify all algorithms of their family', after)
      : verdict(after === undefined ? 'closes' : 'changes', 'keys verify their own algorithm', after),
  ],
  system: flag('opens', 'speaks for the system'),
  refreshInterval: lasting('opens', 'keys are read again after', '1h'),
  maxStale: lasting('opens', 'keys are used without their source for', '24h'),
  skipValidation: other('the start of the service waits for these keys, or does not'),
  allowHttp: flag('opens', 'plain http will do'),
  tls: tlsJudge,
  unsafeLegacyAlgorithms: legacyAlgorithms,
  unsafeAllowPrivateAddresses: flag('opens', 'hosts at private addresses are asked'),
};

function rest(before: unknown, after: unknown): readonly Verdict[] {
  const silent = Object.fromEntries(
    ['issuer', ...SOURCES].map((name) => [name, (): readonly Verdict[] => []]),
  );
  return members({ ...restJudges, ...silent })(before, after);
}

function issuerChange(before: unknown, after: unknown): readonly Verdict[] {
  const [was, is] = [memberOf(before, 'issuer'), memberOf(after, 'issuer')];
  if (isDeepStrictEqual(was, is)) return [];
  if (is === undefined)
    return within('.issuer', [verdict('opens', `tokens of any issuer, and not only of ${nameOf(was)}`, is)]);
  if (was === undefined) return within('.issuer', [verdict('closes', `tokens of ${nameOf(is)} only`, is)]);
  return within('.issuer', [
    verdict('opens', `tokens of ${nameOf(is)} are accepted`, is),
    verdict('closes', `tokens of ${nameOf(was)} are not any more`, is),
  ]);
}

function sourceChange(before: unknown, after: unknown): readonly Verdict[] {
  const [old, current] = [sourceOf(before), sourceOf(after)];
  if (isDeepStrictEqual(old, current)) return [];
  const [was, ...others] = Object.keys(old);
  const [is] = Object.keys(current);
  if (was === undefined || was !== is || others.length > 0 || Object.keys(current).length > 1)
    return [
      {
        effect: 'changes',
        says: `keys come from elsewhere: ${was ?? 'nowhere'} → ${is ?? 'nowhere'}`,
        at: '',
        side: 'after',
      },
    ];
  return within(`.${is}`, sourceJudge(is)(old[was], current[is]));
}

function sourceJudge(source: string): Judge {
  switch (source) {
    case 'jwksHosts':
      return listed({ more: 'opens', thing: 'host' });
    case 'publicKeys':
      return listed({
        more: 'opens',
        thing: 'public key',
        name: (key) => nameOf(memberOf(key, 'file'), 'in place'),
      });
    case 'jwks':
      return members({ keys: inOrder });
    case 'jwksUrl':
      return (before, after) => [
        verdict('changes', `keys come from elsewhere: ${nameOfUrl(before)} → ${nameOfUrl(after)}`, after),
      ];
    default:
      return other('keys come from elsewhere');
  }
}

/** Keys of a set. Their order decides which one a token without a key id gets. */
const inOrder: Judge = (before, after) => {
  const found = listed({
    more: 'opens',
    thing: 'key',
    name: (key) => nameOf(memberOf(key, 'kid'), 'without a key id'),
  })(before, after);
  return found.length > 0 ? found : [verdict('changes', 'keys stand in another order', after)];
};

function sourceOf(keyset: unknown): UncheckedOptions {
  return Object.fromEntries(
    SOURCES.flatMap((name) => (memberOf(keyset, name) === undefined ? [] : [[name, memberOf(keyset, name)]])),
  );
}

function nameOfKeyset({ issuer, ...keyset }: UncheckedOptions): string {
  return `keyset of ${nameOf(issuer, 'any issuer')} (${Object.keys(sourceOf(keyset)).join(', ') || 'no source'})`;
}

function memberOf(value: unknown, name: string): unknown {
  return isPlainObject(value) ? own(value, name) : undefined;
}

function hasPinned(keys: unknown): boolean {
  return Array.isArray(keys) && keys.some((key) => memberOf(key, 'issuer') !== undefined);
}
