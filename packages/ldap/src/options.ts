// The options of the resolver: the public types, and the function that reads them. No directory or
// store is contacted here.
import { isIP } from 'node:net';
import {
  ConfigError,
  type Duration,
  type SecretReference,
  type SecretStore,
  type TlsOptions,
} from '@latchkey/core';
import {
  durationFrom,
  readBoolean,
  readChoice,
  readList,
  readObject,
  readStore,
  readText,
  readTls,
  whole,
} from '@latchkey/core/adapter';
import { asciiLower, type DistinguishedName, parseDn } from './dn.ts';
import { readFilter } from './filters.ts';

/** The account that reads the directory. */
export interface LdapReader {
  /**
   * A DN, or another name that the directory accepts, such as `reader@example.com` for Active
   * Directory.
   */
  readonly dn: string;
  /** The place of the password in `secrets`. A line break at its end is not part of it. */
  readonly password: SecretReference;
}

/** Describes the entries of users. */
export interface LdapUsers {
  /** The DN that contains the users, at any depth. */
  readonly base: string;
  /** The attribute that holds the subject. Default `uid`; for Active Directory `sAMAccountName`. */
  readonly attribute?: string;
  /** What else is true of people, RFC 4515. Default for Active Directory: they are users. */
  readonly filter?: string;
  /**
   * True treats `Alice` and `alice` as equal, in ASCII letters only. Default false, because
   * directories compare less strictly, and would give the groups of one user to several subjects.
   */
  readonly ignoreCase?: boolean;
}

/** Describes the entries of groups, and their names. */
export interface LdapGroupEntries {
  /** The DN that contains the groups, at any depth. Other groups are ignored. */
  readonly base: string;
  /** The attribute of a group that holds the DNs of its members. Default `member`. */
  readonly member?: string;
  /** What names a group: an attribute or `dn`. Default `cn`; Active Directory `sAMAccountName`. */
  readonly name?: string;
  /** What else is true of groups, RFC 4515. Default for Active Directory: they are groups. */
  readonly filter?: string;
  /**
   * Whether groups of groups count. `in-chain`: Active Directory finds all of them at once, through
   * all groups of its domain. Default true; for Active Directory `in-chain`.
   */
  readonly nested?: boolean | 'in-chain';
  /** The attribute of an entry that holds the DNs of its groups, in place of `member`. */
  readonly via?: string;
}

/** The directory, the account that reads it, and the entries to find. */
export interface LdapGroupsOptions {
  /** `ldaps://ldap.example.com`, or `ldap://` with `startTls`. Only a host and a port. */
  readonly url: string;
  /** True asks for TLS before anything else is said. For `ldap://` only. Default false. */
  readonly startTls?: boolean;
  /** Dangerous: `ldap://` without TLS. On the way, the password is read and groups are changed. */
  readonly unsafeAllowCleartext?: boolean;
  /** How the connection is secured, beyond the CAs that the system trusts. */
  readonly tls?: TlsOptions;
  /** The account that reads, or `anonymous`. */
  readonly bind: LdapReader | 'anonymous';
  /** The store that has the password. */
  readonly secrets?: SecretStore;
  /** The issuers whose subjects are in this directory. Default: all, and tokens without one too. */
  readonly issuers?: readonly string[];
  /** Which defaults `users` and `groups` have. Default `openldap`. */
  readonly preset?: 'openldap' | 'active-directory';
  readonly users: LdapUsers;
  readonly groups: LdapGroupEntries;
  /** For a whole lookup, connecting and waiting included. Default `2s`. */
  readonly timeout?: Duration;
  /** Entries that are asked for at once, RFC 2696. Default 500. */
  readonly pageSize?: number;
  /** More groups, or more names of groups, are an error. Default 5000. */
  readonly maxGroups?: number;
  /** How deep groups may be nested, from 1; deeper is an error. Default 16. */
  readonly maxDepth?: number;
}

const MEMBERS = {
  options:
    'url startTls unsafeAllowCleartext tls bind secrets issuers preset users groups timeout pageSize maxGroups maxDepth',
  users: 'base attribute filter ignoreCase',
  groups: 'base member name filter nested via',
};

/** Checked options. */
export type Settings = ReturnType<typeof readOptions>;

/**
 * Checks options. The result is a snapshot: later changes to the object have no effect.
 * @throws ConfigError
 */
export function readOptions(given: LdapGroupsOptions) {
  const options = readKnown(given, '', MEMBERS.options);
  const { timeout = '2s', pageSize = 500, maxGroups = 5_000, maxDepth = 16 } = options;
  const preset = readChoice(options.preset, ['openldap', 'active-directory'], 'preset');
  const isActive = preset === 'active-directory';
  const { isEncrypted, ...place } = readUrl(options.url);
  const { host } = place;
  return {
    ...place,
    security: readSecurity(options, isEncrypted),
    // Without `host`, Node would check the name `localhost`. RFC 6066 §3: `servername` is not set
    // for an IP address.
    tls: { ...readTls(options.tls, 'tls'), host, ...(isIP(host) === 0 ? { servername: host } : {}) },
    bind: readBind(options),
    issuers: options.issuers === undefined ? undefined : readList(options.issuers, readText, 'issuers'),
    isActiveDirectory: isActive,
    users: readUsers(options.users, isActive),
    groups: readGroups(options.groups, isActive),
    timeoutMs: durationFrom('1ms', '24d').read(timeout, 'timeout'),
    pageSize: readCount(pageSize, 10_000, 'pageSize'),
    maxGroups: readCount(maxGroups, 10_000, 'maxGroups'),
    maxDepth: readCount(maxDepth, 100, 'maxDepth'),
  };
}

type Unchecked = ReturnType<typeof readObject>;

/**
 * Reads an object that has only these members, without inherited ones. A member with the value
 * undefined is refused, because it would silently remove a restriction.
 */
function readKnown(value: unknown, path: string, names: string): Unchecked {
  const options: Unchecked = { __proto__: null, ...readObject(value, names.split(' '), path) };
  const isBlank = (name: string) => name in options && options[name] === undefined;
  const blank = ['tls', 'issuers', 'filter'].find(isBlank);
  if (blank === undefined) return options;
  const at = path === '' ? blank : `${path}.${blank}`;
  throw new ConfigError(at, 'expected a value, got undefined; leave it out');
}

function readUrl(value: unknown) {
  // Not parsed by `URL`, which does not know the scheme ldap.
  const pattern = /^(ldaps?):\/\/([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?\/?$/;
  const [url, scheme, host = '', digits] = (typeof value === 'string' && pattern.exec(value)) || [];
  const isEncrypted = scheme === 'ldaps';
  const port = Number(digits ?? (isEncrypted ? 636 : 389));
  if (url === undefined || port < 1 || port > 65_535)
    throw new ConfigError('url', 'expected ldaps://HOST or ldap://HOST, with only a port after it');
  return { url, host: host.replace(/^\[|\]$/g, ''), port, isEncrypted };
}

function readSecurity(options: Unchecked, isEncrypted: boolean): 'tls' | 'starttls' | 'none' {
  const startTls = readBoolean(options.startTls, false, 'startTls');
  const cleartext = readBoolean(options.unsafeAllowCleartext, false, 'unsafeAllowCleartext');
  if (isEncrypted && startTls)
    throw new ConfigError('startTls', 'is only for ldap://; ldaps:// starts with TLS; leave it out');
  if (cleartext && (isEncrypted || startTls))
    throw new ConfigError('unsafeAllowCleartext', 'has no effect with TLS; leave it out');
  if (!isEncrypted && !startTls && !cleartext)
    throw new ConfigError('url', 'expected ldaps://, or startTls: true with ldap://');
  if (cleartext && options.tls !== undefined)
    throw new ConfigError('tls', 'has no effect without ldaps:// or startTls');
  return isEncrypted ? 'tls' : startTls ? 'starttls' : 'none';
}

/**
 * Refuses a name without a password, and the reverse, because that would be an anonymous bind, RFC
 * 4513 §5.1.
 */
function readBind({ bind, secrets }: Unchecked) {
  if (bind === 'anonymous') return undefined;
  if (typeof bind === 'string' || bind === undefined)
    throw new ConfigError('bind', `expected { dn, password }, or 'anonymous'`);
  const reader = readKnown(bind, 'bind', 'dn password');
  const dn = readText(reader.dn, 'bind.dn');
  if (typeof reader.password === 'string')
    throw new ConfigError(
      'bind.password',
      'expected { name, key }, the place of the password, not the password itself',
    );
  const password = readKnown(reader.password, 'bind.password', 'name key');
  const name = readText(password.name, 'bind.password.name');
  const key = readText(password.key, 'bind.password.key');
  return { dn, password: { name, key }, secrets: readStore(secrets, 'secrets') };
}

function readUsers(value: unknown, isActive: boolean) {
  const given = readKnown(value, 'users', MEMBERS.users);
  const {
    attribute = isActive ? 'sAMAccountName' : 'uid',
    filter = isActive ? '(&(objectCategory=person)(objectClass=user))' : undefined,
  } = given;
  return {
    base: readBase(given.base, 'users.base'),
    attribute: readAttribute(attribute, 'users.attribute'),
    filter: readFilter(filter, 'users.filter'),
    ignoreCase: readBoolean(given.ignoreCase, false, 'users.ignoreCase'),
  };
}

function readGroups(value: unknown, isActive: boolean) {
  const given = readKnown(value, 'groups', MEMBERS.groups);
  const {
    member = 'member',
    name = isActive ? 'sAMAccountName' : 'cn',
    filter = isActive ? '(objectClass=group)' : undefined,
    // With `via`, the default is `true` instead of `in-chain`: it finds the same groups level by
    // level.
    nested = isActive && given.via === undefined ? 'in-chain' : true,
  } = given;
  const via = given.via === undefined ? undefined : readAttribute(given.via, 'groups.via');
  if (via !== undefined && given.member !== undefined)
    throw new ConfigError('groups.member', 'has no effect with groups.via; leave one of them out');
  if (nested !== 'in-chain' && typeof nested !== 'boolean')
    throw new ConfigError('groups.nested', `expected true, false or 'in-chain'`);
  if (nested === 'in-chain' && via !== undefined)
    throw new ConfigError('groups.nested', `'in-chain' is a search by groups.member; leave groups.via out`);
  const attribute = readAttribute(name, 'groups.name');
  return {
    base: readBase(given.base, 'groups.base'),
    member: readAttribute(member, 'groups.member'),
    /** Undefined means the DN. */
    name: asciiLower(attribute) === 'dn' ? undefined : attribute,
    filter: readFilter(filter, 'groups.filter'),
    nested,
    via,
  };
}

function readBase(value: unknown, path: string): DistinguishedName {
  const dn = typeof value === 'string' ? parseDn(value) : undefined;
  if (dn !== undefined && dn.folded.length > 0) return dn;
  throw new ConfigError(path, `expected a DN, like 'ou=people,dc=example,dc=com'`);
}

/** RFC 4512 §1.4: a name or an OID. No options. */
function readAttribute(value: unknown, path: string): string {
  if (typeof value === 'string' && /^(?:[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)$/.test(value)) return value;
  throw new ConfigError(path, 'expected the name of an attribute');
}

function readCount(value: unknown, max: number, path: string): number {
  return whole(1, max, `expected a whole number from 1 to ${max}`).read(value, path);
}
