// `numericSub`: a `sub` that is a whole number becomes a text, before anything is judged by it.
import { type JsonObject, own } from '../values/json.ts';

/**
 * True for a number that has one spelling as a decimal text. Beyond 2^53 several numbers of JSON
 * are read as one, and would be one subject.
 */
export function isNumericSub(value: unknown): value is number {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}

/** Returns the claims with a numeric `sub` as a text, and others as they are. */
export function withTextSub(claims: JsonObject): JsonObject {
  const sub = own(claims, 'sub');
  return isNumericSub(sub) ? Object.freeze({ ...claims, sub: String(sub) }) : claims;
}
