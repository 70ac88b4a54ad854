// What a change of remote validation, of groups, of the places of tokens and of signing does.
import { isDeepStrictEqual } from 'node:util';
import { isPlainObject } from '../../values/readers.ts';
import {
  flag,
  type Judge,
  lasting,
  listed,
  members,
  named,
  nameOf,
  nameOfUrl,
  other,
  ranked,
  sized,
  type Verdict,
  verdict,
} from './judge.ts';
import { keysJudge, tlsJudge } from './keysets.ts';
import { matched } from './match.ts';

const allowHttp = flag('opens', 'plain http to other machines will do');
const elsewhere =
  (what: string): Judge =>
  (before, after) => [verdict('changes', `${what}: ${nameOfUrl(before)} → ${nameOfUrl(after)}`, after)];

const remoteMembers = members({
  url: elsewhere('tokens are sent elsewhere'),
  contract: other('the endpoint is asked in another way'),
  client: other('another client asks'),
  onReject: ranked(['deny', 'next'], 'a token that the endpoint refuses'),
  onError: ranked(['deny', 'next'], 'a token that the endpoint says nothing of'),
  timeout: other('the endpoint has another time to answer'),
  cacheFor: lasting('opens', 'a yes counts for', '0s'),
  issuer: one('issuer of the endpoint'),
  system: flag('opens', 'the endpoint speaks for the system'),
  allowHttp,
  tls: tlsJudge,
});

/** `remote`. An endpoint vouches for tokens; one that denies also stands before all keysets. */
export const remoteJudge: Judge = (before, after) => {
  if (isPlainObject(before) && isPlainObject(after)) return remoteMembers(before, after);
  const given = after ?? before;
  const denies = isPlainObject(given) && given.onReject !== 'next';
  return after === undefined || after === null
    ? [
        verdict('closes', 'the endpoint vouches for no token any more', after),
        ...(denies ? [verdict('opens', 'the endpoint refuses no token any more', after)] : []),
      ]
    : [
        verdict('opens', 'an endpoint vouches for tokens', after),
        ...(denies ? [verdict('closes', 'what the endpoint refuses is refused', after)] : []),
      ];
};

/** What a claim of groups is worth, from the least. */
function trustRank(trust: unknown): number | undefined {
  if (trust === 'none') return 0;
  if (isPlainObject(trust) && trust.only !== undefined) return 1;
  return trust === 'all' || isPlainObject(trust) ? 2 : undefined;
}

const trustJudge: Judge = (before, after) => {
  const [was, is] = [trustRank(before), trustRank(after)];
  if (was === undefined || is === undefined || !isDeepStrictEqual(prefixOf(before), prefixOf(after)))
    return [verdict('changes', 'groups count otherwise', after)];
  if (was !== is)
    return [verdict(is > was ? 'opens' : 'closes', `${is > was ? 'more' : 'fewer'} groups count`, after)];
  return members({ only: listed({ more: 'opens', thing: 'group that counts' }) })(before, after);
};

function prefixOf(trust: unknown): unknown {
  return isPlainObject(trust) ? trust.prefix : undefined;
}

const groupsMembers = members({
  claim: elsewhere('groups are in another claim'),
  order: other('sources of groups are asked in another order'),
  trust: (before, after) => {
    if (before !== undefined && after !== undefined)
      return named({ added: 'opens', thing: 'the claim of groups of this issuer' }, trustJudge)(
        before,
        after,
      );
    return after === undefined
      ? [verdict('opens', 'the claim of groups of every issuer counts', after)]
      : [verdict('closes', 'only the claim of groups of these issuers counts', after)];
  },
  reserved: listed({ more: 'closes', thing: 'reserved group' }),
  endpoint: (before, after) => {
    if (before !== undefined && after !== undefined)
      return members({
        url: elsewhere('groups come from elsewhere'),
        token: other('the endpoint is asked with another token'),
        timeout: other('the endpoint has another time to answer'),
        allowHttp,
        tls: tlsJudge,
      })(before, after);
    return after === undefined
      ? [verdict('closes', 'an endpoint gives no groups any more', after)]
      : [verdict('opens', 'an endpoint gives groups', after)];
  },
  onUnknown: (before = 'deny', after = 'deny') => {
    if (before === after) return [];
    const effect = before === 'deny' ? 'opens' : after === 'deny' ? 'closes' : 'changes';
    return [verdict(effect, `a subject that nobody knows: ${nameOf(before)} → ${nameOf(after)}`, after)];
  },
  cacheFor: lasting('opens', 'groups count for', '60s'),
  timeout: other('look-ups have another time'),
  groupCase: other('groups are compared otherwise'),
});

/** `groups`. Without the block, there is only the claim, and nobody looks whose it is. */
export const groupsJudge: Judge = (before, after) => {
  const found = groupsMembers(before, after);
  const isNew = isPlainObject(before) !== isPlainObject(after);
  return found.length === 0 && isNew ? [verdict('changes', 'groups are found otherwise', after)] : found;
};

/** `tokenFrom`. */
export const carriersJudge: Judge = (before, after) =>
  matched({
    likeness: [
      ({ header, cookie, query, body }) => [
        typeof header === 'string' ? header.toLowerCase() : header,
        cookie,
        query,
        body,
      ],
    ],
    added: 'opens',
    name: ({ header, cookie, query, body }) =>
      Object.entries({ header, cookie, query, body })
        .flatMap(([kind, name]) => (name === undefined ? [] : [`a token in the ${kind} ${nameOf(name)}`]))
        .join(', '),
    judge: members({
      header: () => [],
      scheme: other('another scheme stands before the token'),
      allowedOrigins: listed({ more: 'opens', thing: 'origin' }),
    }),
  })(before ?? DEFAULT_CARRIERS, after ?? DEFAULT_CARRIERS);

const DEFAULT_CARRIERS = [{ header: 'Authorization' }];

const signingMembers = members({
  secret: other('another key signs'),
  externalSecret: other('another key signs'),
  jwkUrl: elsewhere('another key signs'),
  jwks: other('another key signs'),
  keys: keysJudge,
  alg: elsewhere('algorithm'),
  kid: elsewhere('another key signs'),
  issuer: elsewhere('iss of signed tokens'),
  audience: other('signed tokens are for other services'),
  expiresIn: lasting('opens', 'signed tokens live for'),
  maxLifetime: lasting('opens', 'signed tokens live at most for'),
  requireExp: flag('closes', 'signed tokens have to expire', true),
  typ: elsewhere('typ of signed tokens'),
  maxTokenBytes: sized('opens', 'longest token', 8192),
  refreshInterval: lasting('opens', 'keys are read again after'),
  maxStale: lasting('opens', 'keys are used without their source for', '24h'),
  publishAhead: other('keys are published at another time before they sign'),
  allowHttp,
  tls: tlsJudge,
  keysToSign: listed({ more: 'opens', thing: 'signed member of replies' }),
  full: other('signed members are written otherwise'),
  onMissing: ranked(['error', 'skip'], 'a reply without one of the members', 'skip'),
});

/** `signing`. */
export const signingJudge: Judge = (before, after) => {
  if (isPlainObject(before) && isPlainObject(after)) return signingMembers(before, after);
  return after === undefined || after === null
    ? [verdict('closes', 'the service signs no tokens any more', after)]
    : [verdict('opens', 'the service signs tokens', after)];
};

/** One value that is asked for: none asks for nothing. */
function one(what: string): Judge {
  return (before, after): readonly Verdict[] => {
    if (after === undefined) return [verdict('opens', `any ${what} will do`, after)];
    if (before === undefined) return [verdict('closes', `only one ${what} will do: ${nameOf(after)}`, after)];
    return [verdict('changes', `${what}: ${nameOf(before)} → ${nameOf(after)}`, after)];
  };
}
