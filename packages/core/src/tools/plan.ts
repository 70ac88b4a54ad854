// Plan: tells what a change of a descriptor opens and closes, by comparing the two files. The
// comparison of single values is in plan/.

import { routeOptions } from '../decision/access.ts';
import { completeFapi2, isFapi2 } from '../decision/fapi2.ts';
import { authenticatorOptions } from '../decision/options.ts';
import type { DescriptorDocument } from '../descriptor/document.ts';
import type { FilePlace } from '../errors.ts';
import { type Effect, type Judge, members, named } from '../values/judge.ts';
import { judgesOf } from '../values/option.ts';
import { isPlainObject, type UncheckedOptions } from '../values/readers.ts';
import { carriersJudge, groupsJudge, remoteJudge, signingJudge } from './plan/endpoints.ts';
import { keysetsJudge, keysJudge } from './plan/keysets.ts';
import { rulesJudge } from './plan/rules.ts';
import { commonTokenJudges, keysetTokensJudge } from './plan/token-options.ts';

/** One difference. */
export interface Change {
  /**
   * `opens`: requests pass that did not. `closes`: requests are refused that were not. `changes`:
   * anything else. What cannot be told, such as by how much a variable differs, is said to do both.
   */
  readonly effect: Effect;
  /** The path in `service.jwt`. */
  readonly path: string;
  /** For people. Contains no secret; may quote the descriptors. */
  readonly message: string;
  /** The place in the new file; for removed parts, in the old one. */
  readonly place: FilePlace;
}

/** The judges of the tables of options, except for options whose parts must be matched first. */
const OPTIONS: { readonly [name: string]: Judge } = {
  ...judgesOf(authenticatorOptions.table),
  keys: keysJudge,
  remote: remoteJudge,
  groups: groupsJudge,
  tokenFrom: carriersJudge,
  claims: rulesJudge,
  routes: named(
    { added: 'closes', thing: 'rule of the route' },
    ifEnforced(members({ ...judgesOf(routeOptions.table), claims: rulesJudge })),
  ),
  signing: signingJudge,
};

/**
 * Compares two descriptors. Variables are compared by name, and the content of secrets is not
 * compared. Different spellings with the same meaning are not a change.
 * @returns the differences: first those that open, then those that close, then the rest
 */
export function planChange(before: DescriptorDocument, after: DescriptorDocument): readonly Change[] {
  const reachAll = [before.jwt, after.jwt].some(
    ({ unsafeMissingIssuer }) => unsafeMissingIssuer !== undefined,
  );
  const blocks = [effective(before.jwt), effective(after.jwt)] as const;
  const judges = {
    ...OPTIONS,
    ...commonTokenJudges(blocks),
    keySets: keysetsJudge(reachAll, keysetTokensJudge(blocks)),
  };
  return Object.freeze(
    members(judges)(...blocks)
      .map(({ effect, says, at, side }): Change => {
        const path = at.replace(/^\./, '');
        const document = side === 'before' ? before : after;
        return Object.freeze({ effect, path, message: says, place: document.placeOf(path) });
      })
      .sort((a, b) => EFFECTS.indexOf(a.effect) - EFFECTS.indexOf(b.effect)),
  );
}

/** What changes in a route that refuses nothing, before and after, opens and closes nothing. */
function ifEnforced(judge: Judge): Judge {
  const isNever = (route: unknown) => isPlainObject(route) && route.enforce === false;
  return (before, after) =>
    judge(before, after).map((one) =>
      isNever(before) && isNever(after) ? { ...one, effect: 'changes' } : one,
    );
}

/** The options with all that they imply. */
function effective(jwt: UncheckedOptions): UncheckedOptions {
  return withBindings(withProfile(withAudience(jwt)));
}

/** Replaces `profile: fapi2` by what it sets. Options that it refuses stay as they are. */
function withProfile(jwt: UncheckedOptions): UncheckedOptions {
  if (!isFapi2(jwt)) return jwt;
  const { profile: _profile, ...others } = jwt;
  try {
    const { profile: _same, ...completed } = completeFapi2(jwt);
    return completed;
  } catch {
    return { ...others, senderConstrained: 'required' };
  }
}

/** Where tokens must be bound and one kind is on, it is required. */
function withBindings(jwt: UncheckedOptions): UncheckedOptions {
  if (jwt.senderConstrained !== 'required') return jwt;
  const kinds = (['dpop', 'mutualTls'] as const).filter((name) => {
    const kind = jwt[name];
    return isPlainObject(kind) && kind.mode !== 'off';
  });
  const [only, other] = kinds;
  return only === undefined || other !== undefined
    ? jwt
    : { ...jwt, [only]: { ...Object(jwt[only]), mode: 'required' } };
}

/** Adds the audience that is left out next to `resource`. */
function withAudience(jwt: UncheckedOptions): UncheckedOptions {
  const { audience, resource } = jwt;
  return audience === undefined && isPlainObject(resource) ? { ...jwt, audience: resource.url } : jwt;
}

const EFFECTS: readonly Effect[] = ['opens', 'closes', 'changes'];
