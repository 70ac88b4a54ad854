// Which members of a reply are signed, and how they are written then. Shapes, and their reading.
import { readBoolean, readChoice, readList, readText, type UncheckedOptions } from '../values/readers.ts';

/** Which members of a reply are signed, and how. */
export interface SignedFields {
  /** The members of the reply's JSON object that are signed, each an object of claims. */
  readonly keysToSign: readonly string[];
  /**
   * True writes a flattened JWS JSON Serialization (RFC 7515 §7.2.2) as text where a compact one would stand, as the gateway does;
   * `object` writes it as an object. Default false.
   */
  readonly full?: boolean | 'object' | undefined;
  /** What a reply without one of the members is: `skip`, fine; `error`, a 500. Default `skip`. */
  readonly onMissing?: 'skip' | 'error' | undefined;
}

/** Checks which fields are signed, and how. @throws ConfigError */
export function readSignedFields({ keysToSign, full, onMissing }: UncheckedOptions): {
  readonly names: readonly string[];
  readonly form: 'compact' | 'text' | 'object';
  readonly mustHaveAll: boolean;
} {
  return {
    names: readList(keysToSign, readText, 'keysToSign'),
    form: full === 'object' ? full : readBoolean(full, false, 'full') ? 'text' : 'compact',
    mustHaveAll: readChoice(onMissing, ['skip', 'error'], 'onMissing') === 'error',
  };
}
