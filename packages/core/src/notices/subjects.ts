// The subject of a security event, as in tokens: the subject identifiers of RFC 9493, of the Shared
// Signals Framework, and of their drafts. Which tokens end is decided in actions.ts.
import { isIdentifier } from '../claims/identifier.ts';
import { isJsonObject, type JsonObject, type JsonValue, own } from '../values/json.ts';

/** Names tokens by one of their claims. */
export interface Subject {
  readonly by: 'sub' | 'sid' | 'jti';
  readonly id: string;
  /** The issuer that the subject names. Undefined: that of the event. */
  readonly issuer: string | undefined;
}

/** What an identifier is of: `either` if the place of it does not say so. */
type Role = 'user' | 'session' | 'either';

/** A longer id is of no token, because the memory of revocations takes none. */
const MAX_ID_LENGTH = 1024;
/** A complex subject, with aliases in it. */
const MAX_DEPTH = 2;

/**
 * Finds the tokens that a subject identifier names.
 * @param isSession the event ends a session, so an opaque identifier may be that of a session
 * @returns none for an identifier that no token has, such as an address of email
 */
export function subjectsOf(identifier: JsonValue | undefined, isSession: boolean): readonly Subject[] {
  return isJsonObject(identifier) ? find(identifier, isSession ? 'either' : 'user', 0) : [];
}

function find(identifier: JsonObject, role: Role, depth: number): readonly Subject[] {
  if (depth > MAX_DEPTH) return [];
  switch (formatOf(identifier)) {
    case 'iss_sub':
      return named(role === 'session' ? ['sid'] : ['sub'], own(identifier, 'sub'), own(identifier, 'iss'));
    case 'jwt_id':
      return named(['jti'], own(identifier, 'jti'), own(identifier, 'iss'));
    case 'opaque': {
      const claims =
        role === 'either' ? (['sid', 'sub'] as const) : ([role === 'user' ? 'sub' : 'sid'] as const);
      return named(claims, own(identifier, 'id'));
    }
    case 'aliases': {
      const identifiers = own(identifier, 'identifiers');
      if (!Array.isArray(identifiers)) return [];
      return identifiers.flatMap((one: JsonValue) => (isJsonObject(one) ? find(one, role, depth + 1) : []));
    }
    case 'complex':
      return findInComplex(identifier, role, depth + 1);
    default:
      return [];
  }
}

/** A session is more exact than its user. A device or a tenant is in no token. */
function findInComplex(identifier: JsonObject, role: Role, depth: number): readonly Subject[] {
  const [session, user] = [own(identifier, 'session'), own(identifier, 'user')];
  const ofSession = isJsonObject(session) && role === 'either' ? find(session, 'session', depth) : [];
  if (ofSession.length > 0) return ofSession;
  return isJsonObject(user) ? find(user, 'user', depth) : [];
}

/** Drafts had `subject_type: 'iss-sub'`, and complex subjects without a format. */
function formatOf(identifier: JsonObject): JsonValue | undefined {
  const format = own(identifier, 'format') ?? own(identifier, 'subject_type');
  if (typeof format === 'string') return format.replace('-', '_');
  return isJsonObject(own(identifier, 'user')) || isJsonObject(own(identifier, 'session'))
    ? 'complex'
    : undefined;
}

/** @param issuer absent in identifiers that name none */
function named(
  claims: readonly Subject['by'][],
  id: JsonValue | undefined,
  ...issuers: readonly [issuer?: JsonValue | undefined]
): readonly Subject[] {
  const [issuer] = issuers;
  if (!isTokenId(id)) return [];
  if (issuers.length > 0 && (typeof issuer !== 'string' || issuer === '')) return [];
  return claims.map((by) => ({ by, id, issuer: typeof issuer === 'string' ? issuer : undefined }));
}

/** True for a text that a revocation can name. */
export function isTokenId(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && isIdentifier(value) && value.length <= MAX_ID_LENGTH;
}
