// The checking of options: once, when the resolver is made. Asks no directory and no secret store.
import { ConfigError, type SecretReference, type SecretStore } from '@latchkey/core';
import { readObject } from '@latchkey/core/adapter';
import { readBoolean, readCount, readDuration, readText } from './checks.ts';
import { type DistinguishedName, parseDn } from './dn.ts';
import { type Filter, readFilter } from './filters.ts';
import type { LdapGroupsOptions } from './options.ts';
import { readTls, type TlsSettings } from './tls.ts';

/** Options, checked. */
export interface Settings {
  /** For reports. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly security: 'tls' | 'starttls' | 'none';
  readonly tls: TlsSettings;
  /** Undefined: anonymous. */
  readonly bind:
    | { readonly dn: string; readonly password: SecretReference; readonly secrets: SecretStore }
    | undefined;
  readonly issuers: ReadonlySet<string> | undefined;
  /** Adds the control that keeps Active Directory from naming other servers, [MS-ADTS] §3.1.1.3.4.1.5. */
  readonly domainScope: boolean;
  readonly users: {
    readonly base: string;
    readonly attribute: string;
    readonly filter: Filter | undefined;
    readonly ignoreCase: boolean;
  };
  readonly groups: {
    readonly base: string;
    readonly baseDn: DistinguishedName;
    readonly member: string;
    /** Undefined: the DN. */
    readonly name: string | undefined;
    readonly filter: Filter | undefined;
    readonly nested: boolean | 'in-chain';
    readonly via: string | undefined;
  };
  readonly timeoutMs: number;
  readonly connections: number;
  readonly pageSize: number;
  readonly maxGroups: number;
  readonly maxDepth: number;
}

const PRESETS = {
  openldap: {
    users: { attribute: 'uid', filter: undefined },
    groups: { name: 'cn', filter: undefined, nested: true },
  },
  'active-directory': {
    users: { attribute: 'sAMAccountName', filter: '(&(objectCategory=person)(objectClass=user))' },
    groups: { name: 'sAMAccountName', filter: '(objectClass=group)', nested: 'in-chain' },
  },
} as const;

const KNOWN = [
  'url',
  'startTls',
  'unsafeAllowCleartext',
  'tls',
  'bind',
  'secrets',
  'issuers',
  'preset',
  'users',
  'groups',
  'timeout',
  'connections',
  'pageSize',
  'maxGroups',
  'maxDepth',
] as const satisfies readonly (keyof LdapGroupsOptions)[];

/**
 * Checks options. The result is a snapshot: later changes to the object have no effect.
 * @throws ConfigError
 */
export function readOptions(given: LdapGroupsOptions): Settings {
  // Its own members only. What each of them is, is checked next.
  const options = readObject(given, KNOWN, '') as unknown as LdapGroupsOptions;
  const { preset = 'openldap' } = options;
  if (!Object.hasOwn(PRESETS, preset)) {
    throw new ConfigError('preset', `expected 'openldap' or 'active-directory'`);
  }
  const { host, port, encrypted } = readUrl(options.url);
  const security = readSecurity(options, encrypted);
  if (security === 'none' && options.tls !== undefined) {
    throw new ConfigError('tls', 'has no effect without ldaps:// or startTls');
  }
  return {
    url: options.url,
    host,
    port,
    security,
    tls: readTls(options.tls, host),
    bind: readBind(options),
    issuers: readIssuers(options.issuers),
    domainScope: preset === 'active-directory',
    users: readUsers(options.users, preset),
    groups: readGroups(options.groups, preset),
    timeoutMs: readDuration(options.timeout, 2_000, 'timeout'),
    connections: readCount(options.connections, 4, 100, 'connections'),
    pageSize: readCount(options.pageSize, 500, 10_000, 'pageSize'),
    maxGroups: readCount(options.maxGroups, 5_000, 10_000, 'maxGroups'),
    maxDepth: readCount(options.maxDepth, 16, 100, 'maxDepth'),
  };
}

function readUrl(value: unknown): {
  readonly host: string;
  readonly port: number;
  readonly encrypted: boolean;
} {
  // Not by URL: to it, ldap: is a scheme that it knows nothing of.
  const found =
    typeof value === 'string'
      ? /^(ldaps?):\/\/([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?\/?$/.exec(value)
      : null;
  const [, scheme, host = '', port] = found ?? [];
  const encrypted = scheme === 'ldaps';
  const number = port === undefined ? (encrypted ? 636 : 389) : Number(port);
  if (found === null || number < 1 || number > 65_535) {
    throw new ConfigError('url', 'expected ldaps://HOST or ldap://HOST, and nothing after it but a port');
  }
  return { host: host.replace(/^\[|\]$/g, ''), port: number, encrypted };
}

function readSecurity(options: LdapGroupsOptions, encrypted: boolean): Settings['security'] {
  const startTls = readBoolean(options.startTls, 'startTls');
  const cleartext = readBoolean(options.unsafeAllowCleartext, 'unsafeAllowCleartext');
  if (encrypted && startTls)
    throw new ConfigError('startTls', 'is for ldap://; ldaps:// has TLS from the start');
  if (cleartext && (encrypted || startTls)) {
    throw new ConfigError('unsafeAllowCleartext', 'has no effect with TLS; leave it out');
  }
  if (encrypted) return 'tls';
  if (startTls) return 'starttls';
  if (cleartext) return 'none';
  throw new ConfigError('url', 'expected ldaps://, or startTls: true with ldap://');
}

function readBind({ bind, secrets }: LdapGroupsOptions): Settings['bind'] {
  if (bind === 'anonymous') return undefined;
  if (typeof bind === 'string' || bind === undefined) {
    throw new ConfigError('bind', `expected { dn, password }, or 'anonymous'`);
  }
  const reader = readObject(bind, ['dn', 'password'], 'bind');
  // A name without a password, or a password without a name, is an anonymous bind that looks like another, RFC 4513 §5.1.
  const dn = readText(reader.dn, 'bind.dn');
  if (typeof reader.password === 'string') {
    throw new ConfigError('bind.password', 'expected { name, key }: where the password is, not the password');
  }
  const { name, key } = readObject(reader.password, ['name', 'key'], 'bind.password');
  const password = {
    name: readText(name, 'bind.password.name'),
    key: readText(key, 'bind.password.key'),
  };
  if (typeof secrets?.read !== 'function') {
    throw new ConfigError('secrets', 'is needed: the store that has bind.password');
  }
  return { dn, password, secrets };
}

function readIssuers(value: unknown): ReadonlySet<string> | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length === 0) {
    throw new ConfigError('issuers', 'expected a list with at least one item');
  }
  return new Set(Array.from(value, (issuer, index) => readText(issuer, `issuers[${index}]`)));
}

function readUsers(value: unknown, preset: keyof typeof PRESETS): Settings['users'] {
  const { base, attribute, filter, ignoreCase } = readObject(
    value,
    ['base', 'attribute', 'filter', 'ignoreCase'],
    'users',
  );
  const defaults = PRESETS[preset].users;
  return {
    base: readBase(base, 'users.base').text,
    attribute: readAttribute(attribute ?? defaults.attribute, 'users.attribute'),
    filter: readFilter(filter ?? defaults.filter, 'users.filter'),
    ignoreCase: readBoolean(ignoreCase, 'users.ignoreCase'),
  };
}

function readGroups(value: unknown, preset: keyof typeof PRESETS): Settings['groups'] {
  const options = readObject(value, ['base', 'member', 'name', 'filter', 'nested', 'via'], 'groups');
  const defaults = PRESETS[preset].groups;
  const baseDn = readBase(options.base, 'groups.base');
  const name = readAttribute(options.name ?? defaults.name, 'groups.name');
  const via = options.via === undefined ? undefined : readAttribute(options.via, 'groups.via');
  if (via !== undefined && options.member !== undefined) {
    throw new ConfigError('groups.member', 'is not looked at with groups.via; leave one out');
  }
  // Through the attribute of an entry, a default of in-chain is the same level by level.
  const nested = options.nested ?? (via === undefined ? defaults.nested : true);
  if (nested !== 'in-chain' && typeof nested !== 'boolean') {
    throw new ConfigError('groups.nested', `expected true, false or 'in-chain'`);
  }
  if (nested === 'in-chain' && via !== undefined) {
    throw new ConfigError('groups.nested', `'in-chain' is a search by groups.member; leave groups.via out`);
  }
  return {
    base: baseDn.text,
    baseDn,
    member: readAttribute(options.member ?? 'member', 'groups.member'),
    name: name.toLowerCase() === 'dn' ? undefined : name,
    filter: readFilter(options.filter ?? defaults.filter, 'groups.filter'),
    nested,
    via,
  };
}

function readBase(value: unknown, path: string): DistinguishedName {
  const dn = typeof value === 'string' ? parseDn(value) : undefined;
  if (dn === undefined || dn.folded.length === 0) {
    throw new ConfigError(path, `expected a DN, like 'ou=people,dc=example,dc=com'`);
  }
  return dn;
}

/** RFC 4512 §1.4: a name or an OID. No options. */
function readAttribute(value: unknown, path: string): string {
  if (typeof value === 'string' && /^(?:[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)$/.test(value)) return value;
  throw new ConfigError(path, 'expected the name of an attribute');
}
