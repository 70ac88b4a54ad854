// Puts several KrakenD validators into one descriptor: common settings go to the top, different
// rules, audiences and issuers go to routes, and other differences are refused.
// krakend-validator.ts reads one validator.
import { isDeepStrictEqual } from 'node:util';
import { type Draft, type PathRule, quoted } from './draft.ts';
import { putMade } from './krakend-source.ts';
import type { Validator } from './krakend-validator.ts';

/**
 * Adds validators to a draft.
 * @throws Failure with the place of a validator that does not fit the others
 */
export function putValidators(draft: Draft, validators: readonly Validator[]): void {
  const [first] = validators;
  if (first === undefined) return;
  const keysets = differentKeysets(validators);
  for (const [index, { keyset, keysetNotes, node }] of keysets.entries()) {
    const [secret, from] = keyset.get('secret') ?? [];
    const alike = keysets
      .slice(0, index)
      .find((one) => isDeepStrictEqual(one.keyset.get('secret')?.[0], secret));
    if (secret !== undefined && alike !== undefined)
      from?.refuse(
        `would use the secret of ${alike.node.path}; give the file another name, or import one endpoint by itself, with --endpoint`,
      );
    putMade(draft, ['keySets', index], keyset);
    draft.comesFrom(['keySets', index], node);
    for (const [kind, member, from, text] of keysetNotes)
      draft.note(kind, member === '' ? ['keySets', index] : ['keySets', index, member], from, text);
  }
  const sameAudience = validators.every(({ audience }) => isDeepStrictEqual(audience, first.audience));
  putAudience(draft, validators, sameAudience);
  putShared(draft, validators, 'tokenFrom', 'auth_header_name and cookie_key');
  putShared(draft, validators, 'clockSkew', 'leeway');
  const sameRules = validators.every(({ rules }) => isDeepStrictEqual(rules, first.rules));
  if (sameRules && sameAudience && keysets.length === 1) {
    if (first.rules.length > 0) {
      draft.set(['claims'], rulesOf(first.rules), first.node);
      draft.note(
        'check',
        ['claims'],
        first.node,
        'a token that does not satisfy these rules gets 401 here and 403 in KrakenD; rules of routes answer 403',
      );
    }
  } else putRoutes(draft, validators, sameAudience, keysets.length > 1);
  const said = new Set<string>();
  for (const { notes } of validators)
    for (const note of notes) {
      // Adds each note once per place in the descriptor, because it is the same for every endpoint.
      const key = JSON.stringify([note[1], note[3]]);
      if (!said.has(key)) draft.note(...note);
      said.add(key);
    }
  draft.note(
    'safer',
    [],
    first.node,
    'tokens without exp are refused; KrakenD accepted them; requireExp: false restores that',
  );
}

/**
 * Keys of one issuer are one keyset. Other keysets of that issuer would apply to every endpoint.
 */
function differentKeysets(validators: readonly Validator[]): readonly Validator[] {
  const found: Validator[] = [];
  for (const validator of validators) {
    const issuer = validator.keyset.get('issuer')?.[0];
    const known = found.find(({ keyset }) => keyset.get('issuer')?.[0] === issuer);
    if (known === undefined) {
      if (found.length > 0 && (issuer === undefined || found[0]?.keyset.get('issuer') === undefined))
        validator.node.refuse(
          `has other keys than ${found[0]?.node.path ?? 'another'}, and one of them names no issuer; import one endpoint by itself, with --endpoint`,
        );
      found.push(validator);
    } else if (!isDeepStrictEqual(valuesOf(known), valuesOf(validator)))
      validator.node.refuse(
        `has the issuer of ${known.node.path} and other keys, or another algorithm or cache; import one endpoint by itself, with --endpoint`,
      );
  }
  return found;
}

function valuesOf({ keyset }: Validator): unknown {
  return [...keyset].map(([name, [value]]) => [name, value]);
}

/**
 * A token must name all audiences of an endpoint. If endpoints differ, the top accepts any of the
 * audiences, and each route requires its own.
 */
function putAudience(draft: Draft, validators: readonly Validator[], same: boolean): void {
  const [first] = validators;
  if (first === undefined) return;
  const from = first.node.member('audience') ?? first.node;
  if (validators.some(({ audience }) => audience === undefined)) {
    draft.set(['audience'], null, from);
    draft.note(
      'check',
      ['audience'],
      from,
      'the gateway did not check aud; set the audience of this service',
    );
  } else {
    const all = [...new Set(validators.flatMap(({ audience }) => audience ?? []))];
    draft.set(['audience'], all, from);
    if (same && all.length > 1) draft.set(['audMatch'], 'all', from);
  }
}

function putShared(
  draft: Draft,
  validators: readonly Validator[],
  option: 'tokenFrom' | 'clockSkew',
  what: string,
): void {
  const [first, ...others] = validators;
  if (first === undefined) return;
  for (const other of others)
    if (!isDeepStrictEqual(other[option], first[option]))
      other.node.refuse(
        `differs from ${first.node.path} in ${what}; import one endpoint by itself, with --endpoint`,
      );
  if (first[option] !== undefined) draft.set([option], first[option], first.node);
}

function putRoutes(
  draft: Draft,
  validators: readonly Validator[],
  sameAudience: boolean,
  severalIssuers: boolean,
): void {
  const seen = new Set<string>();
  for (const { endpoint = '', node, rules, audience, keyset } of validators) {
    if (seen.has(endpoint)) node.refuse(`${quoted(endpoint)} has a validator already`);
    seen.add(endpoint);
    const required = sameAudience ? [] : (audience ?? []);
    // One of the audiences of a route is enough, and the gateway requires all of them.
    const own: readonly PathRule[] =
      required.length > 1 ? [{ path: ['aud'], rule: { values: required } }] : [];
    draft.set(['routes', endpoint, 'claims'], rulesOf([...own, ...rules]), node);
    if (required.length === 1) draft.set(['routes', endpoint, 'audience'], required[0], node);
    if (severalIssuers) draft.set(['routes', endpoint, 'issuers'], [keyset.get('issuer')?.[0]], node);
    draft.comesFrom(['routes', endpoint], node);
  }
}

/**
 * Writes rules by name, which is easier to read, if no rule has a path and no two rules are about
 * the same claim.
 */
function rulesOf(rules: readonly PathRule[]): unknown {
  const names = new Set(rules.map(({ path }) => path[0]));
  const simple = rules.every(({ path }) => path.length === 1 && path[0] !== '__proto__' && path[0] !== 'iss');
  if (!simple || names.size !== rules.length) return rules;
  return Object.fromEntries(rules.map(({ path, rule }) => [path[0], rule]));
}
