// Judges changes of the options that keysets may have of their own, such as the audience: what
// applies to the tokens of a keyset is compared, wherever it is written.
import { isDeepStrictEqual } from 'node:util';
import {
  KEYSET_TOKEN_OPTIONS,
  type KeysetTokenOptions,
  keysetTokenOptions,
} from '../../keysets/token-options.ts';
import { own } from '../../values/json.ts';
import {
  type Effect,
  type Judge,
  listed,
  listOf,
  nameOf,
  replaced,
  type Verdict,
  verdict,
  within,
} from '../../values/judge.ts';
import { judgesOf } from '../../values/option.ts';
import { isPlainObject, type UncheckedOptions } from '../../values/readers.ts';
import { isInherited } from '../lint/rule.ts';
import { rulesJudge } from './rules.ts';

/** The options that a keyset has in place of those for all, and not next to them. */
const REPLACING = KEYSET_TOKEN_OPTIONS.filter((name) => name !== 'claims');

type Blocks = readonly [before: UncheckedOptions, after: UncheckedOptions];

/** The judges of the options for all keysets. They say nothing where each keyset has its own. */
export function commonTokenJudges(blocks: Blocks): { readonly [name: string]: Judge } {
  const judges = judgesOfTokens(blocks);
  return Object.fromEntries(
    REPLACING.map((name): [string, Judge] => [
      name,
      (before, after) =>
        blocks.every((jwt) => isInherited(jwt, name)) ? (judges[name]?.(before, after) ?? []) : [],
    ]),
  );
}

/** Judges these options of one keyset. */
export function keysetTokensJudge(blocks: Blocks): Judge {
  const judges = judgesOfTokens(blocks);
  return (before, after) => [
    ...REPLACING.flatMap((name) => {
      const written = [before, after].map((keyset) => memberOf(keyset, name));
      const [was, is] = written.map((value, index) => (value === undefined ? blocks[index]?.[name] : value));
      if (isDeepStrictEqual(written[0], written[1]) || isDeepStrictEqual(was, is)) return [];
      const side: Verdict['side'] = written[1] === undefined ? 'before' : 'after';
      const judge =
        name === 'profile' && blocks.some((jwt) => jwt.typ !== undefined)
          ? replaced('tokens must have another type')
          : judges[name];
      return within(`.${name}`, judge?.(was, is) ?? []).map((one) => ({ ...one, side }));
    }),
    ...within('.claims', rulesChange(memberOf(before, 'claims'), memberOf(after, 'claims'))),
  ];
}

const rulesChange: Judge = (before, after) =>
  isDeepStrictEqual(before, after) ? [] : rulesJudge(before, after);

function judgesOfTokens([before, after]: Blocks): { readonly [Name in keyof KeysetTokenOptions]?: Judge } {
  return { ...judgesOf(keysetTokenOptions), audience: audienceJudge(before, after) };
}

/**
 * The effect of an additional audience depends on whether one of them is enough or all are needed.
 */
function audienceJudge(before: UncheckedOptions, after: UncheckedOptions): Judge {
  const [was, is] = [before, after].map(({ audMatch = 'any' }) => audMatch);
  const more: Effect = is === 'all' ? 'closes' : 'opens';
  const isChecked = (audience: unknown) => audience !== null && audience !== undefined;
  return (old, current) => {
    if (isChecked(old) && isChecked(current))
      return was === is
        ? listed({ more, thing: 'audience' })(old, current)
        : replaced('tokens of other audiences')(old, current);
    if (isChecked(old) === isChecked(current))
      return [verdict('changes', 'aud is not checked, unless the application sets an audience', current)];
    const names = listOf(current).map((name) => nameOf(name));
    return isChecked(current)
      ? [verdict('closes', `aud has to be ${names.join(', ')}`, current)]
      : [verdict('opens', 'aud is not checked', current)];
  };
}

function memberOf(value: unknown, name: string): unknown {
  return isPlainObject(value) ? own(value, name) : undefined;
}
