// Attacks by the claims that the route requires: left out, in another type, and values that only
// look like the right ones.
import type { JsonValue } from '@latchkey/core';
import type { Attack, Need } from '../attack.ts';
import { signingKey } from '../attack.ts';
import type { Bench } from '../bench.ts';
import type { Forgery } from '../forgery.ts';

const LEFT_OUT =
  'A user without this claim passes. Require it on the route, and refuse a token that does not have it.';
const LOOKALIKE =
  'The claim is compared in part only. Split a scope at spaces, and compare whole values of the same type.';

const hasRequired: Need = ({ route }) =>
  Object.keys(route.requires).length === 0 ? 'the route has no claims in requires' : undefined;

/** One token for each change of a claim. */
async function changing(
  { route, mint }: Bench,
  changesOf: (value: JsonValue, name: string) => readonly (readonly [label: string, JsonValue | undefined])[],
): Promise<readonly Forgery[]> {
  const changes = Object.entries(route.requires).flatMap(([name, value]) =>
    changesOf(value, name).map(([label, changed]) => ({ name, label, changed })),
  );
  return Promise.all(
    changes.map(async ({ name, label, changed }) => ({
      token: await mint({ [name]: changed }),
      label: `${name} ${label}`,
    })),
  );
}

const around = (value: string) => value.replace(/[^ ]+/g, 'x$&x');

/** Other values that contain the right ones. */
function lookalikes(value: JsonValue, name: string): readonly (readonly [string, JsonValue])[] {
  if (typeof value === 'string')
    return [
      ['within a longer text', around(value)],
      ['with an end', value.replace(/[^ ]+/g, '$&x')],
      ['with a beginning', value.replace(/[^ ]+/g, 'x$&')],
      ...inOtherLetters(value),
      ...(name === 'scope' || name === 'scp'
        ? ([['within a text with other separators', `x,${value.replaceAll(' ', ',')}\u00a0x`]] as const)
        : []),
    ];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) return [];
  return [
    ['within longer texts', value.map(around)],
    ['within one text', `x${value.join('x')}x`],
  ];
}

/** Nothing, for a value without letters that have two forms. */
function inOtherLetters(value: string): readonly (readonly [label: string, value: string])[] {
  const upper = value.toUpperCase();
  const other = upper === value ? value.toLowerCase() : upper;
  return other === value ? [] : [['in other letters', other]];
}

export const CLAIM_ATTACKS: readonly Attack[] = [
  {
    id: 'T-065/claim-missing',
    title: 'a required claim left out',
    advice: LEFT_OUT,
    needs: [hasRequired],
    forge: (bench) => changing(bench, () => [['left out', undefined]]),
  },
  {
    id: 'T-065/claim-null',
    title: 'a required claim that is null',
    advice: LEFT_OUT,
    needs: [hasRequired],
    forge: (bench) => changing(bench, () => [['null', null]]),
  },
  {
    id: 'T-063/claim-lookalike',
    title: 'a required value inside another one',
    advice: LOOKALIKE,
    needs: [hasRequired],
    forge: (bench) => changing(bench, lookalikes),
  },
  {
    id: 'T-066/claim-type',
    title: 'a required number, or a required true, as a text',
    advice: 'Compare without conversion of types (===).',
    needs: [hasRequired],
    forge: (bench) =>
      changing(bench, (value) =>
        typeof value === 'number' || typeof value === 'boolean' ? [['as a text', String(value)]] : [],
      ),
  },
  {
    id: 'T-014/claim-inherited',
    takes: 'the-issuer',
    title: 'required claims inside a claim __proto__',
    advice:
      'The claims were copied in a way that sets the prototype. Read own members only, and do not copy claims with Object.assign.',
    needs: [hasRequired, signingKey],
    forge: async ({ good, route, sign }) => {
      const others = Object.entries(good.claims).filter(([name]) => !Object.hasOwn(route.requires, name));
      const inherited = JSON.stringify(route.requires);
      const text = JSON.stringify(Object.fromEntries(others)).replace(/\}$/, `,"__proto__":${inherited}}`);
      return [await sign(good.header, text)];
    },
  },
];
