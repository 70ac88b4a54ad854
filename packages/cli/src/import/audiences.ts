// Imports the audiences of several providers into one descriptor.
import { isDeepStrictEqual } from 'node:util';
import type { Draft } from './draft.ts';
import type { SourceNode } from './source.ts';

/** The audiences of one keyset; null if the gateway did not check them. */
export interface Audiences {
  readonly node: SourceNode;
  readonly audiences: readonly string[] | null;
}

/**
 * Adds the audiences of the keysets, in their order. If they differ, each keyset has its own, so
 * that no issuer can make tokens for the audience of another one.
 */
export function putAudiences(draft: Draft, lists: readonly Audiences[]): void {
  const [first, ...others] = lists;
  if (first === undefined) return;
  const isSame = others.every(({ audiences }) => sameSet(audiences, first.audiences));
  const placed = isSame
    ? [{ ...first, at: ['audience'] }]
    : lists.map((list, index) => ({ ...list, at: ['keySets', index, 'audience'] }));
  for (const { at, node, audiences } of placed) {
    draft.set(at, audiences, node);
    if (audiences !== null) continue;
    draft.note('check', at, node, 'the gateway did not check aud; set the audience of this service');
  }
}

/** True for lists of the same audiences, in any order. */
export function sameSet(one: readonly string[] | null, other: readonly string[] | null): boolean {
  return isDeepStrictEqual(new Set(one), new Set(other));
}
