// Judges changes of keysets and of the deprecated keys: which tokens are accepted, by which keys
// and algorithms, and for how long.

import { isDeepStrictEqual } from 'node:util';
import { legacyKeyOptions } from '../../keysets/legacy-options.ts';
import { keysetOptions } from '../../keysets/options.ts';
import { KEYSET_TOKEN_OPTIONS } from '../../keysets/token-options.ts';
import { own } from '../../values/json.ts';
import { type Judge, members, nameOf, replaced, type Verdict, verdict, within } from '../../values/judge.ts';
import { judgesOf } from '../../values/option.ts';
import { isPlainObject, type UncheckedOptions } from '../../values/readers.ts';
import { matched } from './match.ts';

const { sources, table } = keysetOptions;

/**
 * `keySets`.
 * @param reachAll a token that names no issuer is verified by any of them
 * @param tokens judges what each keyset says of its tokens
 */
export const keysetsJudge = (reachAll: boolean, tokens: Judge): Judge =>
  matched({
    likeness: [
      ({ issuer, ...rest }) => [issuer, Object.keys(sourceOf(rest))],
      ({ issuer }) => issuer,
      (keyset) => (isDeepStrictEqual(sourceOf(keyset), {}) ? undefined : sourceOf(keyset)),
    ],
    added: 'opens',
    name: nameOfKeyset,
    order: {
      says: 'keysets are asked in another order: a token without a key id may get another key',
      counts: (first, second) => reachAll || isDeepStrictEqual(first.issuer, second.issuer),
    },
    judge: (before, after) => [
      ...issuerChange(before, after),
      ...sourceChange(before, after),
      ...tokens(before, after),
      ...rest(before, after),
    ],
  });

/** `keys`, the deprecated list. */
export const keysJudge: Judge = (before, after) => [
  ...eachKey(before ?? [], after ?? []),
  // A rule that applies only to the list is removed together with the list.
  ...(hasPinned(before) === hasPinned(after)
    ? []
    : [
        hasPinned(after)
          ? verdict('opens', 'a token without iss may be verified by keys of an issuer', after)
          : verdict('closes', 'a token without iss is verified by no key of an issuer any more', after),
      ]),
];

const eachKey = matched({
  likeness: [({ keyId }) => keyId],
  added: 'opens',
  name: ({ keyId, issuer }) => `key ${nameOf(keyId)} of ${nameOf(issuer, 'any issuer')}`,
  order: {
    says: 'keys are in another order: a token without a key id may get another one',
    counts: () => true,
  },
  judge: (before, after) => [...issuerChange(before, after), ...legacyKeyOptions.judge(before, after)],
});

/** The options other than the issuer, the source and those about tokens. */
function rest(before: unknown, after: unknown): readonly Verdict[] {
  const silent = Object.fromEntries(
    [...sources, ...KEYSET_TOKEN_OPTIONS].map((name) => [name, (): readonly Verdict[] => []]),
  );
  return members({ ...judgesOf(table), ...silent })(before, after);
}

function issuerChange(before: unknown, after: unknown): readonly Verdict[] {
  const [was, is] = [memberOf(before, 'issuer'), memberOf(after, 'issuer')];
  if (isDeepStrictEqual(was, is)) return [];
  if (is === undefined)
    return within('.issuer', [verdict('opens', `tokens of any issuer, and not only of ${nameOf(was)}`, is)]);
  if (was === undefined) return within('.issuer', [verdict('closes', `tokens of ${nameOf(is)} only`, is)]);
  return within('.issuer', [
    verdict('opens', `tokens of ${nameOf(is)} are accepted`, is),
    verdict('closes', `tokens of ${nameOf(was)} are no longer accepted`, is),
  ]);
}

function sourceChange(before: unknown, after: unknown): readonly Verdict[] {
  const [old, current] = [sourceOf(before), sourceOf(after)];
  if (isDeepStrictEqual(old, current)) return [];
  const [was, ...others] = Object.keys(old);
  const [is] = Object.keys(current);
  if (was === undefined || was !== is || others.length > 0 || Object.keys(current).length > 1)
    return replaced(`keys come from elsewhere: ${was ?? 'nowhere'} → ${is ?? 'nowhere'}`)(before, after);
  const judge = own(judgesOf(table), is);
  return judge === undefined ? [] : within(`.${is}`, judge(old[was], current[is]));
}

function sourceOf(keyset: unknown): UncheckedOptions {
  return Object.fromEntries(
    sources.flatMap((name) => (memberOf(keyset, name) === undefined ? [] : [[name, memberOf(keyset, name)]])),
  );
}

function nameOfKeyset({ issuer, ...keyset }: UncheckedOptions): string {
  const source = Object.keys(sourceOf(keyset)).join(', ') || 'no source';
  const audience = keyset.audience === null ? ', whose aud is not checked,' : '';
  return `keyset of ${nameOf(issuer, 'any issuer')} (${source})${audience}`;
}

function memberOf(value: unknown, name: string): unknown {
  return isPlainObject(value) ? own(value, name) : undefined;
}

function hasPinned(keys: unknown): boolean {
  return Array.isArray(keys) && keys.some((key) => memberOf(key, 'issuer') !== undefined);
}
