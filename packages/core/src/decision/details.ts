// The texts of `detail` about issuers, algorithms and keys. They name the options, and of a token
// only its `iss`, in a bounded form. Called only for refusals.

import type { KeySnapshot, Keyset } from '../keysets/keyset.ts';
import { skippedText } from '../keysets/refreshed-keyset.ts';
import { type KeysetIndex, namesKey } from '../keysets/select.ts';
import { plain } from '../plain-text.ts';
import { type AlgorithmName, algorithmNames } from '../token/algorithms.ts';
import type { KeyName } from '../token/parse.ts';
import { kindOf } from '../values/kind.ts';
import { textOf } from '../values/text.ts';

/** How many keysets, issuers or keys a detail names. */
const SHOWN = 3;
/** How many characters of an `iss` a detail shows. */
const MAX_ISS = 100;

/** The start of the `iss` of a token, in printable characters. */
export function issuerText(issuer: unknown): string {
  if (issuer === undefined) return 'a token without iss';
  if (typeof issuer !== 'string') return `an iss that is ${kindOf(issuer)}`;
  const cut = issuer.length > MAX_ISS ? '…' : '';
  return `iss ${plain(textOf(issuer.slice(0, MAX_ISS)))}${cut}`;
}

/** Says why no keyset is asked for tokens of an issuer. */
export function noKeysetText(issuer: unknown, keysets: readonly Keyset[], index: KeysetIndex): string {
  if (issuer === undefined) return 'the token has no iss, and every keyset is for an issuer';
  if (typeof issuer !== 'string' || issuer === '') return `iss: expected a string, got ${kindOf(issuer)}`;
  const other = issuer.endsWith('/') ? issuer.slice(0, -1) : `${issuer}/`;
  const refusing = index.naming(issuer);
  if (refusing !== undefined) return `${refusing.name}.tenants does not accept ${issuerText(issuer)}`;
  const near = index.naming(other);
  if (near !== undefined) return `${issuerText(issuer)} differs from ${near.name}.issuer by a trailing slash`;
  const issuers = [...new Set(keysets.slice(0, 2 * SHOWN).flatMap((keyset) => keyset.issuer ?? []))];
  if (issuers.length === 0) return `${issuerText(issuer)} has no keyset`;
  const shown = issuers.slice(0, SHOWN).map(textOf);
  const more = issuers.length > SHOWN || keysets.length > 2 * SHOWN ? ' and others' : '';
  return `${issuerText(issuer)} is not the issuer of a keyset: ${shown.join(', ')}${more}`;
}

/** Says that there is no such algorithm. */
export function unsupportedText(alg: string): string {
  if (alg.toLowerCase() === 'none') return 'the token is not signed: its alg is none';
  const name = /^[\w-]{1,20}$/.test(alg) ? alg : 'alg of the token';
  return `${name} is not supported; supported are ${algorithmNames.join(', ')}`;
}

/** Says that no keyset of the issuer allows an algorithm. */
export function notAllowedText(algorithm: AlgorithmName, keysets: readonly Keyset[]): string {
  return eachOf(
    keysets,
    ({ name, allowed = [] }) =>
      `${algorithm} is not among ${name}.allowedAlgorithms: ${[...allowed].join(', ')}`,
  );
}

/** A keyset that was asked, and has not verified the token. */
export interface Miss {
  readonly keyset: Keyset;
  readonly snapshot: KeySnapshot;
  /** The keyset has a key that the token means. */
  readonly known: boolean;
  /** How many keys were tried. */
  readonly tried: number;
}

/** Says that no key made the signature. */
export function noSignerText(algorithm: AlgorithmName, named: KeyName, misses: readonly Miss[]): string {
  const asked = misses.filter(({ tried }) => tried > 0);
  return eachOf(asked, ({ keyset: { name, selection }, snapshot, tried }) => {
    const fitting = snapshot.keys.filter(({ verifiers }) => verifiers.has(algorithm)).length;
    const isFirst = !namesKey(snapshot, named) && selection.kidless === 'first' && selection.unnamed !== true;
    return isFirst && fitting > tried
      ? `the token has no kid, so only the first key of ${name} was tried; kidless: 'try-all' tries more`
      : `not made with a key of ${name}`;
  });
}

/** Says that the key that the token means is for other algorithms. */
export function otherAlgorithmText(
  algorithm: AlgorithmName,
  kid: string | undefined,
  misses: readonly Miss[],
): string {
  const known = misses.filter((miss) => miss.known);
  return eachOf(known, ({ keyset, snapshot: { keys, byKid } }) => {
    const named = kid === undefined ? undefined : byKid.get(kid);
    const algorithms = new Set((named ?? keys).flatMap(({ verifiers }) => [...verifiers.keys()]));
    const whose = named === undefined ? 'the keys' : "the token's key";
    return `${algorithm} is not among the algorithms of ${whose} in ${keyset.name}: ${[...algorithms].join(', ')}`;
  });
}

/** Says which keys there are instead of the one that the token means. */
export function noKeyText(named: KeyName, misses: readonly Miss[]): string {
  return eachOf(misses, ({ keyset: { name, selection }, snapshot }) => {
    const { keys, skipped } = snapshot;
    const unused = skipped.length === 0 ? '' : `; not used: ${plain(skippedText(skipped))}`;
    if (keys.length === 0) return `${name} has no usable key${unused}`;
    if (!namesKey(snapshot, named) && selection.kidless === 'refuse')
      return `the token has no kid, and ${name} has kidless: 'refuse'`;
    const names = keys.map((key) => (key.kid === undefined ? 'a key without a kid' : `kid ${key.kid}`));
    const by = named.kid === undefined ? 'certificate (x5t)' : 'kid';
    return `${name} has no key with the ${by} of the token, but ${plain(listed(names))}${unused}`;
  });
}

function eachOf<T>(items: readonly T[], text: (item: T) => string): string {
  const more = items.length - SHOWN;
  return `${items.slice(0, SHOWN).map(text).join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

function listed(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return `${names.slice(0, SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
