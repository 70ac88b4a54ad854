// All attacks, in the order of the report.
import type { Attack, AttackTakes } from '../attack.ts';
import { ALGORITHM_ATTACKS } from './algorithms.ts';
import { CARRIER_ATTACKS } from './carriers.ts';
import { CLAIM_ATTACKS } from './claims.ts';
import { COOKIE_ATTACKS } from './cookies.ts';
import { ENCODING_ATTACKS } from './encoding.ts';
import { HEADER_ATTACKS } from './headers.ts';
import { KEY_ATTACKS } from './keys.ts';
import { PATH_ATTACKS } from './paths.ts';
import { POSSESSION_ATTACKS } from './possession.ts';
import { PUBLIC_KEY_ATTACKS } from './public-keys.ts';
import { REGISTERED_ATTACKS } from './registered.ts';
import { SIGNATURE_ATTACKS } from './signatures.ts';

/** The attacks of a file, and what those take that say nothing of it. */
function group(takes: AttackTakes, attacks: readonly Attack[]): readonly WholeAttack[] {
  return attacks.map((attack) => ({ takes, ...attack }));
}

/** An attack that says what it takes. */
export type WholeAttack = Attack & { readonly takes: AttackTakes };

/** All attacks. Each has an id of its own. */
export const ATTACKS: readonly WholeAttack[] = [
  ...group('nothing', ALGORITHM_ATTACKS),
  ...group('nothing', PUBLIC_KEY_ATTACKS),
  ...group('nothing', KEY_ATTACKS),
  ...group('nothing', PATH_ATTACKS),
  ...group('a-token', SIGNATURE_ATTACKS),
  ...group('a-token', CLAIM_ATTACKS),
  ...group('a-token', CARRIER_ATTACKS),
  ...group('a-token', COOKIE_ATTACKS),
  ...group('a-token', POSSESSION_ATTACKS),
  ...group('the-issuer', HEADER_ATTACKS),
  ...group('the-issuer', REGISTERED_ATTACKS),
  ...group('the-issuer', ENCODING_ATTACKS),
];
