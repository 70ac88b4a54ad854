// What a source of groups outside the token is: a directory, an endpoint, or anything that an
// application writes.

/** For whom groups are looked up. */
export interface GroupSubject {
  /**
   * The `sub` of a verified token. Whatever its issuer puts there: no part of a query, a name or a
   * path before it is escaped.
   */
  readonly subject: string;
  /**
   * The token's issuer; undefined where its keyset has none, and it names none. Two issuers may
   * have the same `sub`.
   */
  readonly issuer: string | undefined;
}

/**
 * Looks up the groups of a subject. It is asked at most once per subject and `cacheFor`; it need
 * not cache.
 */
export interface GroupResolver {
  /** For people and reports: `ldap`, `endpoint`. Nothing secret. */
  readonly description: string;
  /**
   * Looks up all groups.
   * @returns the groups, complete; undefined if the source can say that there is no such subject.
   *   Rejects if it cannot say, also where it has a part of the answer only. Five errors in a row,
   *   and it is asked once a second: an error that is about one subject, and says nothing of
   *   others, is made by `inconclusive` and does not count
   * @param signal aborted when nobody waits any more; the resolver stops then
   */
  resolve(subject: GroupSubject, signal: AbortSignal): Promise<readonly string[] | undefined>;
  /** Lets go of connections. */
  close?(): Promise<void>;
}
