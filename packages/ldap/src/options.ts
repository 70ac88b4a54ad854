// What the resolver is told.
import type { Duration, SecretReference, SecretStore, TlsOptions } from '@latchkey/core';

/** Who reads the directory. */
export interface LdapReader {
  /** As the directory takes it in a simple bind: a DN; for Active Directory `reader@example.com` too. */
  readonly dn: string;
  /** Where the password stands in `secrets`. Read anew for every connection, less a line break at its end. */
  readonly password: SecretReference;
}

/** How the entry of a subject is found. */
export interface LdapUsers {
  /** The DN under which it is, at any depth. */
  readonly base: string;
  /** The attribute that holds the subject. Default `uid`; for Active Directory `sAMAccountName`. */
  readonly attribute?: string;
  /** What else is true of it, RFC 4515. Default: nothing; for Active Directory `(&(objectCategory=person)(objectClass=user))`. */
  readonly filter?: string;
  /**
   * True takes `Alice` for `alice`. Default false: the attribute has one value that is the subject, character for character. Most
   * directories compare less strictly, and would give one person's groups to several subjects of an issuer that does not.
   */
  readonly ignoreCase?: boolean;
}

/** How groups are found, and what they are called. */
export interface LdapGroupEntries {
  /** The DN under which they are, at any depth. No other group is one. */
  readonly base: string;
  /** The attribute of a group that holds the DNs of its members. Default `member`. */
  readonly member?: string;
  /**
   * The attribute that is a group's name, with all its values, or `dn` for its whole DN. Default `cn`; for Active Directory
   * `sAMAccountName`, of which a domain has one of each.
   */
  readonly name?: string;
  /** What else is true of them, RFC 4515. Default: nothing; for Active Directory `(objectClass=group)`. */
  readonly filter?: string;
  /**
   * Whether groups of groups count. True: level by level, through groups under `base`. `in-chain`: Active Directory finds them all
   * at once, through all groups of its domain. Default true; for Active Directory `in-chain`.
   */
  readonly nested?: boolean | 'in-chain';
  /** The attribute of an entry that holds the DNs of its groups: they are read from there, and `member` is not looked at. Default: none. */
  readonly via?: string;
}

/** Which directory it is, who asks it, and what is looked for. */
export interface LdapGroupsOptions {
  /** `ldaps://ldap.example.com`, or `ldap://` with `startTls`. A host and a port, nothing more. */
  readonly url: string;
  /** True asks for TLS before anything else is said. For `ldap://` only. Default false. */
  readonly startTls?: boolean;
  /** Dangerous: `ldap://` without TLS. Whoever is on the way reads the password, and decides who has which groups. Default false. */
  readonly unsafeAllowCleartext?: boolean;
  /** `ca`: the only CA certificates that are trusted. Default: those of the system. */
  readonly tls?: Pick<TlsOptions, 'ca'>;
  /** Who reads; `anonymous` for nobody. */
  readonly bind: LdapReader | 'anonymous';
  /** Where the password is. */
  readonly secrets?: SecretStore;
  /** The issuers whose subjects are in this directory; another's are unknown to it. Default: all, and tokens without an issuer too. */
  readonly issuers?: readonly string[];
  /** Which defaults `users` and `groups` have. Default `openldap`. */
  readonly preset?: 'openldap' | 'active-directory';
  readonly users: LdapUsers;
  readonly groups: LdapGroupEntries;
  /** For a whole lookup, connecting and waiting included. Default `2s`. */
  readonly timeout?: Duration;
  /** The most connections at a time, each for one lookup at a time. Default 4. */
  readonly connections?: number;
  /** Entries that are asked for at once, RFC 2696. Default 500. */
  readonly pageSize?: number;
  /** More groups than these are an error. Default 5000. */
  readonly maxGroups?: number;
  /** How deep groups may be nested; deeper is an error. A group of which the user itself is a member has depth 1. Default 16. */
  readonly maxDepth?: number;
}
