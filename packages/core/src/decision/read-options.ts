// Reading single options of an authenticator, each by itself. How they belong together stands in options.ts.
import { isHeaderText } from '../challenge.ts';
import { type CompiledRules, compileRules, needsRequest } from '../claims/compile.ts';
import type { Rules } from '../claims/rules.ts';
import { ConfigError } from '../errors.ts';
import type { KeysetSettings } from '../keysets/create.ts';
import { readKeyset } from '../keysets/read.ts';
import { normalizeType } from '../token/parse.ts';
import { readList, readObject, readText } from '../values/readers.ts';
import type { CacheLimits } from './token-cache.ts';

/** `claims`. @throws ConfigError */
export function readClaims(value: unknown): CompiledRules {
  const claims = compileRules((value === undefined ? {} : value) as Rules, 'claims');
  if (claims.route !== undefined) throw new ConfigError('claims', 'a named route is for routes');
  if (needsRequest(claims)) throw new ConfigError('claims', 'fromRequest is for the rules of a route');
  return claims;
}

/** `keySets`, which may be empty. @throws ConfigError */
export function readKeysets(value: unknown): readonly KeysetSettings[] {
  if (!Array.isArray(value)) throw new ConfigError('keySets', 'expected at least one keyset');
  return Object.freeze(
    Array.from(value, (keyset, index) => Object.freeze(readKeyset(keyset, `keySets[${index}]`))),
  );
}

/** `audience`. @throws ConfigError where nothing is said */
export function readAudience(value: unknown): ReadonlySet<string> | null {
  if (value === null) return null;
  if (value === undefined) {
    throw new ConfigError('audience', 'is needed; null says aloud that aud is not checked');
  }
  return new Set(
    Array.isArray(value) ? readList(value, readText, 'audience') : [readText(value, 'audience')],
  );
}

/** `nestedClaimDelimiter`. @throws ConfigError */
export function readDelimiter(value: unknown): string {
  const delimiter = readText(value, 'nestedClaimDelimiter');
  if (delimiter.includes('\\'))
    throw new ConfigError('nestedClaimDelimiter', 'must not have a backslash, which escapes it');
  return delimiter;
}

/** `typ`, as types are compared. @throws ConfigError */
export function readTypes(value: unknown): ReadonlySet<string | undefined> {
  if (value === undefined) return new Set([undefined, 'jwt', 'at+jwt']);
  const types = Array.isArray(value) ? readList(value, readText, 'typ') : [readText(value, 'typ')];
  return new Set(types.map(normalizeType));
}

/** `cache`; undefined where nothing is kept. @throws ConfigError */
export function readCache(value: unknown): CacheLimits | undefined {
  if (value === false) return undefined;
  const { tokens = 10_000, bytes = 16 * 1024 * 1024 } =
    value === undefined ? {} : readObject(value, ['tokens', 'bytes'], 'cache');
  for (const [name, number] of Object.entries({ tokens, bytes }))
    if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 1 || number >= 2 ** 32)
      throw new ConfigError(
        `cache.${name}`,
        'expected a whole number under 2^32; cache: false keeps nothing',
      );
  return { tokens: Number(tokens), bytes: Number(bytes) };
}

/** `realm`. @throws ConfigError */
export function readRealm(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const realm = readText(value, 'realm');
  if (!isHeaderText(realm)) throw new ConfigError('realm', 'expected printable ASCII');
  return realm;
}
