// Imports the rows of claims in Akamai's JWT settings: registered claims become options, and all
// others become rows of core.
import { type Draft, noteLeft, quoted } from './draft.ts';
import type { SourceNode } from './source.ts';

const TIMES = ['exp', 'nbf', 'iat'];
const TREAT_IAT = ['treatIatAsNbf', 'isIatTreatedAsNbf', 'iatAsNbf'];

interface Row {
  readonly node: SourceNode;
  readonly name: string;
  readonly required: boolean;
  readonly validate: boolean;
  readonly type: string | undefined;
  readonly value: SourceNode | undefined;
}

/** Adds the rows to a draft. @throws Failure with the place */
export function putClaims(draft: Draft, settings: SourceNode, validation: SourceNode): void {
  const rows = (validation.member('claims')?.items() ?? []).map(readRow);
  const names = new Set<string>();
  for (const { name, node } of rows) {
    if (names.has(name)) node.refuse(`${quoted(name)} has a row already`);
    names.add(name);
  }
  const rowOf = (name: string) => rows.find((row) => row.name === name);
  const iat = rowOf('iat');
  const treated = [settings, validation, ...(iat === undefined ? [] : [iat.node])]
    .flatMap((node) => node.oneOf(...TREAT_IAT) ?? [])
    .filter((node) => node.boolean());
  const exp = rowOf('exp');
  draft.set(['requireExp'], true, exp?.node ?? validation);
  if (exp?.required !== true)
    draft.note(
      'safer',
      ['requireExp'],
      exp?.node ?? validation,
      'the gateway also accepted tokens without exp, which never expire; false restores that',
    );
  if (treated[0] !== undefined) draft.set(['treatIatAsNbf'], true, treated[0]);
  else
    draft.note(
      'safer',
      [],
      iat?.node ?? validation,
      'iat was not treated as nbf, and a token with iat in the future is refused all the same; the gateway accepted it; allowFutureIat: true restores that',
    );
  putAudience(draft, rowOf('aud'), validation);
  const issuer = rowOf('iss');
  if (issuer?.validate === true) putIssuer(draft, issuer);
  let count = 0;
  for (const row of rows) {
    const data = rowData(draft, row);
    if (data === undefined) continue;
    draft.set(['claims', count], data, row.node);
    if (row.type === 'REGEX' && row.validate) noteAnchors(draft, ['claims', count], row);
    count++;
  }
  for (const { node } of rows) noteLeft(draft, [], node, 'a claim');
}

function readRow(node: SourceNode): Row {
  const name = (node.member('name') ?? node.refuse('expected a name')).text();
  const isTime = TIMES.includes(name);
  const type = node.member('type')?.text().toUpperCase();
  return {
    node,
    name,
    required: node.member('required')?.boolean() ?? false,
    validate: (node.member('validate')?.boolean() ?? false) && !isTime,
    type: isTime ? undefined : type,
    value: node.member('value'),
  };
}

/** Returns a row for core; undefined if it has no effect, or if an option expresses it. */
function rowData(draft: Draft, { node, name, required, validate, type, value }: Row): unknown {
  if (name === 'exp' || ((name === 'aud' || name === 'iss') && validate)) return undefined;
  if (!validate) {
    if (required) return { name, required: true };
    if (!TIMES.includes(name))
      draft.note(
        'no-equivalent',
        [],
        node,
        `the claim ${quoted(name)} is neither required nor validated, which has no effect`,
      );
    return undefined;
  }
  const given = value?.value;
  if (given === undefined) node.refuse('is validated, and has no value');
  return { name, required, validate: true, ...(type === undefined ? {} : { type }), value: given };
}

function putAudience(draft: Draft, row: Row | undefined, validation: SourceNode): void {
  if (row?.validate !== true) {
    draft.note(
      'check',
      ['audience'],
      row?.node ?? validation,
      'the gateway did not check aud; set the audience of this service',
    );
    return;
  }
  const audiences = (row.value ?? row.node.refuse('is validated, and has no value')).texts();
  draft.set(['audience'], audiences, row.value ?? row.node);
  if (!row.required)
    draft.note('safer', ['audience'], row.node, 'a token without aud is refused; the gateway accepted it');
}

/** Rows on iss become `issuers`, not claims. */
function putIssuer(draft: Draft, row: Row): void {
  const values = (row.value ?? row.node.refuse('is validated, and has no value')).texts();
  const type = row.type ?? 'STRING';
  if (type !== 'STRING' && type !== 'REGEX') row.node.refuse('iss is STRING or REGEX');
  draft.set(
    ['issuers'],
    type === 'REGEX' ? values.map((pattern) => ({ pattern })) : values,
    row.value ?? row.node,
  );
  if (type === 'REGEX') noteAnchors(draft, ['issuers'], row);
  if (!row.required)
    draft.note('safer', ['issuers'], row.node, 'a token without iss is refused; the gateway accepted it');
}

function noteAnchors(draft: Draft, at: readonly (string | number)[], { node, value }: Row): void {
  const isAnchored = (value?.texts() ?? []).every((pattern) => /^\^.*\$$/s.test(pattern));
  if (!isAnchored) draft.note('safer', at, node, 'the whole value must match, not only a part of it');
}
