// Plan: tells what a change of a descriptor opens and closes, by comparing the two files. The
// comparison of single values is in plan/.

import { routeOptions } from '../decision/access.ts';
import { authenticatorOptions } from '../decision/options.ts';
import type { DescriptorDocument } from '../descriptor/document.ts';
import type { FilePlace } from '../errors.ts';
import { normalizeType } from '../token/parse.ts';
import {
  type Effect,
  type Judge,
  listed,
  listOf,
  members,
  named,
  nameOf,
  replaced,
  verdict,
} from '../values/judge.ts';
import { judgesOf } from '../values/option.ts';
import type { UncheckedOptions } from '../values/readers.ts';
import { carriersJudge, groupsJudge, remoteJudge, signingJudge } from './plan/endpoints.ts';
import { keysetsJudge, keysJudge } from './plan/keysets.ts';
import { rulesJudge } from './plan/rules.ts';

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
  typ: (before, after) => listed({ more: 'opens', thing: 'typ' })(typesOf(before), typesOf(after)),
  routes: named(
    { added: 'closes', thing: 'rule of the route' },
    members({ ...judgesOf(routeOptions.table), claims: rulesJudge }),
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
  const judges = {
    ...OPTIONS,
    ...audienceJudges(before.jwt, after.jwt),
    keySets: keysetsJudge(reachAll),
  };
  return Object.freeze(
    members(judges)(before.jwt, after.jwt)
      .map(({ effect, says, at, side }): Change => {
        const path = at.replace(/^\./, '');
        const document = side === 'before' ? before : after;
        return Object.freeze({ effect, path, message: says, place: document.placeOf(path) });
      })
      .sort((a, b) => EFFECTS.indexOf(a.effect) - EFFECTS.indexOf(b.effect)),
  );
}

const EFFECTS: readonly Effect[] = ['opens', 'closes', 'changes'];

/**
 * The effect of an additional audience depends on whether one of them is enough or all are needed.
 */
function audienceJudges(
  before: UncheckedOptions,
  after: UncheckedOptions,
): { readonly [name: string]: Judge } {
  const [was, is] = [before, after].map(({ audMatch = 'any' }) => audMatch);
  const more: Effect = is === 'all' ? 'closes' : 'opens';
  const isChecked = (audience: unknown) => audience !== null && audience !== undefined;
  return {
    audience: (old, current) => {
      if (isChecked(old) && isChecked(current))
        return was === is
          ? listed({ more, thing: 'audience' })(old, current)
          : replaced('tokens of other audiences')(old, current);
      if (isChecked(old) === isChecked(current))
        return [verdict('changes', 'aud is not checked, unless the application sets an audience', current)];
      const effect: Effect = isChecked(current) ? 'closes' : 'opens';
      return [
        verdict(
          effect,
          isChecked(current)
            ? `aud has to be ${listOf(current)
                .map((name) => nameOf(name))
                .join(', ')}`
            : 'aud is not checked',
          current,
        ),
      ];
    },
  };
}

/** The accepted types, with a word for a missing typ. */
function typesOf(value: unknown): readonly unknown[] {
  if (value === undefined) return ['no typ', 'jwt', 'at+jwt'];
  return listOf(value).map((type) => (typeof type === 'string' ? normalizeType(type) : type));
}
