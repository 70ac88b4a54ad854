// The interface of a source of groups outside the token: a directory, an endpoint, or code of the
// application. No implementation is here.

/** The subject of a look-up. */
export interface GroupSubject {
  /**
   * The `sub` of a verified token. The issuer can put any text there, so escape it before you use
   * it in a query, a name or a path.
   */
  readonly subject: string;
  /**
   * The token's issuer; undefined if neither the token nor its keyset has one. Two issuers may have
   * the same `sub`.
   */
  readonly issuer: string | undefined;
}

/**
 * Looks up the groups of a subject. Core calls it at most once per subject and `cacheFor`, so it
 * need not cache.
 */
export interface GroupResolver {
  /** For logs and reports: `ldap`, `endpoint`. Must not contain secrets. */
  readonly description: string;
  /**
   * Looks up all groups.
   * @returns all groups; undefined if the source knows that there is no such subject. Rejects if
   *   the source fails or has only a part of the answer. After five errors in a row, it is called
   *   once per second. An error that concerns one subject only is made by `inconclusive`, and is
   *   not counted
   * @param signal aborted when no caller waits any more; the resolver must then stop
   */
  resolve(subject: GroupSubject, signal: AbortSignal): Promise<readonly string[] | undefined>;
  /** Closes connections, within a second. */
  close?(): Promise<void>;
}
