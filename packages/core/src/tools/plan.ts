// Plan: what a change of a descriptor opens and closes, told from the two files alone. How single
// values compare stands in plan/.

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

/** One thing that is otherwise. */
export interface Change {
  /**
   * `opens`: requests pass that did not. `closes`: requests are refused that were not. `changes`: anything else. What cannot be told, such as
   * by how much a variable differs, is said to do both.
   */
  readonly effect: Effect;
  /** Where in `service.jwt`. */
  readonly path: string;
  /** For people. Holds no secret; may hold what the descriptors say. */
  readonly message: string;
  /** Where it stands; for what is gone, where it stood. */
  readonly place: FilePlace;
}

/** Every option as its table judges it, but for those whose parts have to be matched first. */
const OPTIONS: { readonly [name: string]: Judge } = {
  ...judgesOf(authenticatorOptions.table),
  keys: keysJudge,
  remote: remoteJudge,
  groups: groupsJudge,
  tokenFrom: carriersJudge,
  claims: rulesJudge,
  typ: (before, after) => listed({ more: 'opens', thing: 'typ' })(typesOf(before), typesOf(after)),
  routes: named(
    { added: 'closes', thing: 'what the route asks' },
    members({ ...judgesOf(routeOptions.table), claims: rulesJudge }),
  ),
  signing: signingJudge,
};

/**
 * Compares two descriptors. Variables are compared by name, and secrets not at all. What means the
 * same is no change, however it is written.
 * @returns what is otherwise: what opens first, then what closes, then the rest
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

/** What one audience more does depends on whether any of them is enough, or all are needed. */
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
        return [verdict('changes', 'aud is not looked at, unless the application says an audience', current)];
      const effect: Effect = isChecked(current) ? 'closes' : 'opens';
      return [
        verdict(
          effect,
          isChecked(current)
            ? `aud has to be ${listOf(current)
                .map((name) => nameOf(name))
                .join(', ')}`
            : 'aud is not looked at',
          current,
        ),
      ];
    },
  };
}

/** The types that are accepted, with the word for none. */
function typesOf(value: unknown): readonly unknown[] {
  if (value === undefined) return ['no typ', 'jwt', 'at+jwt'];
  return listOf(value).map((type) => (typeof type === 'string' ? normalizeType(type) : type));
}
