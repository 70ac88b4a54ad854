// Lint rules about the keys of a keyset: unusable keys, and kinds of keys that should be separate.
// Rules about the files of secrets are in secrets.ts.

import { type ImportedJwks, importJwks, type KeyPolicy } from '../../jwk/import-jwks.ts';
import { readKeyset } from '../../keysets/options.ts';
import { parseJsonObject } from '../../values/json.ts';
import { isPlainObject, type UncheckedOptions } from '../../values/readers.ts';
import { type Finding, itemsOf, keysetsOf, membersOf, type Part } from './rule.ts';

/** A finding without its place in the file. */
export type UnplacedFinding = Omit<Finding, 'place'>;

/** The constant parts of a finding. */
export type FindingKind = Pick<Finding, 'rule' | 'severity' | 'message' | 'fix'>;

const RULES = {
  noKeys: {
    rule: 'secret-without-keys',
    severity: 'error',
    message: 'this secret is not a JWK Set with a key that this keyset can use',
    fix: 'put a JWK Set there, or name the algorithm of its keys in allowedAlgorithms',
  },
  empty: {
    rule: 'keyset-empty',
    severity: 'warning',
    message: 'has no key, so that every token of this keyset is refused',
    fix: 'add a key, or keep it so if its tokens are to be refused',
  },
  keySkipped: {
    rule: 'key-unusable',
    severity: 'warning',
    message: 'a key of this keyset cannot be used',
    fix: 'replace it with a good key, or remove it',
  },
  mixed: {
    rule: 'keys-mixed',
    severity: 'warning',
    message: 'secrets and public keys are in one set, so that a mistake may confuse them',
    fix: 'keep them in two secrets, with a keyset for each',
  },
} as const satisfies Record<string, FindingKind>;

/** A secret without a usable key. */
export const NO_KEYS: FindingKind = RULES.noKeys;

/** The keys of inline sets: they need no directory. */
export function lintInlineKeys(jwt: UncheckedOptions): readonly UnplacedFinding[] {
  return keysetsOf(jwt).flatMap((keyset) =>
    keyset.value.jwks === undefined ? [] : lintSet(keyset, keyset.value.jwks, `${keyset.path}.jwks`),
  );
}

/** The findings about the keys of a set, imported as a keyset imports them. */
export function lintSet({ path, value }: Part, set: unknown, at: string): readonly UnplacedFinding[] {
  const policy = policyOf(value, path);
  // Core reports faults of the keyset itself, and inline sets without a key or with an exposed one.
  if (policy === undefined) return [];
  const { keys, skipped } = imported(set, policy);
  if (keys.length === 0 && skipped.length === 0 && policy.origin === 'secret' && isEmptySet(set))
    return [foundBy(RULES.empty, at)];
  if (keys.length === 0) {
    const reasons = [...new Set(skipped.map(({ reason }) => reason))].join('; ');
    return policy.origin === 'secret'
      ? [foundBy(RULES.noKeys, at, reasons === '' ? undefined : reasons)]
      : [];
  }
  const kinds = new Set(itemsOf(membersOf(set).keys).map((key) => membersOf(key).kty === 'oct'));
  return [
    ...skipped.map(({ kid, reason }) =>
      foundBy(RULES.keySkipped, at, `${kid === undefined ? '' : `${kid}: `}${reason}`),
    ),
    ...(kinds.size > 1 ? [foundBy(RULES.mixed, at)] : []),
  ];
}

function isEmptySet(set: unknown): boolean {
  const { keys } = membersOf(set);
  return Array.isArray(keys) && keys.length === 0;
}

function policyOf(keyset: UncheckedOptions, path: string): KeyPolicy | undefined {
  try {
    return readKeyset(keyset, path).policy;
  } catch {
    return undefined;
  }
}

function imported(set: unknown, policy: KeyPolicy): ImportedJwks {
  try {
    return importJwks(set, policy);
  } catch {
    // It is not a JWK Set.
    return { keys: [], skipped: [] };
  }
}

/** The text as a JWK Set, perhaps; undefined if it is not a JSON object. */
export function setOf(text: string): UncheckedOptions | undefined {
  try {
    const set: unknown = parseJsonObject(Buffer.from(text));
    return isPlainObject(set) ? set : undefined;
  } catch {
    return undefined;
  }
}

/** Makes a finding of this kind. @param about names one of several things; never a secret */
export function foundBy(rule: FindingKind, path: string, about?: string): UnplacedFinding {
  return { ...rule, path, message: about === undefined ? rule.message : `${about}: ${rule.message}` };
}
