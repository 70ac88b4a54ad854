// Judges changes of remote validation, groups, places of tokens, and signing. Other options are
// judged by their tables.
import { isDeepStrictEqual } from 'node:util';
import { carrierOptions } from '../../credentials/options.ts';
import { groupsOptions } from '../../groups/options.ts';
import { remoteOptions } from '../../remote/options.ts';
import { signingOptions } from '../../signing/options.ts';
import { type Judge, listed, members, named, nameOf, replaced, verdict } from '../../values/judge.ts';
import { judgesOf } from '../../values/option.ts';
import { isPlainObject } from '../../values/readers.ts';
import { keysJudge } from './keysets.ts';
import { matched } from './match.ts';

/**
 * `remote`. An endpoint vouches for tokens; with `onReject: deny` it is also asked before all
 * keysets.
 */
export const remoteJudge: Judge = (before, after) => {
  if (isPlainObject(before) && isPlainObject(after)) return remoteOptions.judge(before, after);
  const given = after ?? before;
  const denies = isPlainObject(given) && given.onReject !== 'next';
  return after === undefined || after === null
    ? [
        verdict('closes', 'no endpoint vouches for tokens any more', after),
        ...(denies ? [verdict('opens', 'no endpoint refuses tokens any more', after)] : []),
      ]
    : [
        verdict('opens', 'an endpoint vouches for tokens', after),
        ...(denies ? [verdict('closes', 'tokens that the endpoint refuses are refused', after)] : []),
      ];
};

/** The rank of a trust in claims of groups, from the least. */
function trustRank(trust: unknown): number | undefined {
  if (trust === 'none') return 0;
  if (isPlainObject(trust) && trust.only !== undefined) return 1;
  return trust === 'all' || isPlainObject(trust) ? 2 : undefined;
}

const trustJudge: Judge = (before, after) => {
  const [was, is] = [trustRank(before), trustRank(after)];
  if (was === undefined || is === undefined) return replaced('groups count otherwise')(before, after);
  if (!isDeepStrictEqual(prefixOf(before), prefixOf(after)))
    return replaced('groups have other names')(before, after);
  if (was !== is)
    return [
      verdict(is > was ? 'opens' : 'closes', `${is > was ? 'more' : 'fewer'} groups are trusted`, after),
    ];
  return members({ only: listed({ more: 'opens', thing: 'trusted group' }) })(before, after);
};

function prefixOf(trust: unknown): unknown {
  return isPlainObject(trust) ? trust.prefix : undefined;
}

const groupsMembers = members({
  ...judgesOf(groupsOptions.table),
  trust: (before, after) => {
    if (before !== undefined && after !== undefined)
      return named({ added: 'opens', thing: 'the claim of groups of this issuer' }, trustJudge)(
        before,
        after,
      );
    return after === undefined
      ? [verdict('opens', 'the group claims of all issuers are trusted', after)]
      : [verdict('closes', 'only the group claims of these issuers are trusted', after)];
  },
});

/**
 * `groups`. Without the block, groups come from the claim, and the claims of all issuers are
 * trusted.
 */
export const groupsJudge: Judge = (before, after) => {
  const found = groupsMembers(before, after);
  const isNew = isPlainObject(before) !== isPlainObject(after);
  return found.length === 0 && isNew ? [verdict('changes', 'groups are found in another way', after)] : found;
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
    judge: carrierOptions.judge,
  })(before ?? DEFAULT_CARRIERS, after ?? DEFAULT_CARRIERS);

const DEFAULT_CARRIERS = [{ header: 'Authorization' }];

const signingMembers = members({ ...judgesOf(signingOptions.table), keys: keysJudge });

/** `signing`. */
export const signingJudge: Judge = (before, after) => {
  if (isPlainObject(before) && isPlainObject(after)) return signingMembers(before, after);
  return after === undefined || after === null
    ? [verdict('closes', 'the service signs no tokens any more', after)]
    : [verdict('opens', 'the service signs tokens', after)];
};
