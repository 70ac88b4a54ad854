// Wrong options, defaults, and warnings. Filters and DNs in options are tested here too.
import { ConfigError, createMemoryStore } from '@latchkey/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { equal, readFilter } from '../src/filters.ts';
import { createLdapGroups, type LdapGroupsOptions } from '../src/index.ts';
import { readOptions } from '../src/options.ts';

const GOOD: LdapGroupsOptions = {
  url: 'ldaps://ldap.example.com',
  bind: { dn: 'cn=reader,dc=example,dc=com', password: { name: 'ldap', key: 'password' } },
  secrets: createMemoryStore(),
  users: { base: 'ou=people,dc=example,dc=com' },
  groups: { base: 'ou=groups,dc=example,dc=com' },
};

let warn: ReturnType<typeof vi.spyOn>;

beforeEach(() => {
  warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe('wrong options', () => {
  const users = (more: object) => ({ users: { ...GOOD.users, ...more } });
  const groups = (more: object) => ({ groups: { ...GOOD.groups, ...more } });

  it.each<[string, unknown]>([
    ['options', undefined],
    ['options', []],
    ['Url', { ...GOOD, Url: 'canary' }],
    ['url', { ...GOOD, url: undefined }],
    ['url', { ...GOOD, url: 'ldap.example.com' }],
    ['url', { ...GOOD, url: 'https://ldap.example.com' }],
    ['url', { ...GOOD, url: 'ldapi:///canary' }],
    ['url', { ...GOOD, url: 'ldaps://' }],
    ['url', { ...GOOD, url: 'ldaps://ldap.example.com/dc=canary' }],
    ['url', { ...GOOD, url: 'ldaps://ldap.example.com?canary' }],
    ['url', { ...GOOD, url: 'ldaps://canary@ldap.example.com' }],
    ['url', { ...GOOD, url: 'ldaps://ldap.example.com:0' }],
    ['url', { ...GOOD, url: 'ldaps://ldap.example.com:65536' }],
    ['url', { ...GOOD, url: 'ldaps://ldap.example.com ' }],
    ['url', { ...GOOD, url: 'ldap://ldap.example.com' }],
    ['startTls', { ...GOOD, startTls: true }],
    ['startTls', { ...GOOD, startTls: 'true' }],
    ['unsafeAllowCleartext', { ...GOOD, unsafeAllowCleartext: true }],
    ['unsafeAllowCleartext', { ...GOOD, url: 'ldap://x', startTls: true, unsafeAllowCleartext: true }],
    ['unsafeAllowCleartext', { ...GOOD, url: 'ldap://x', unsafeAllowCleartext: 1 }],
    ['tls', { ...GOOD, tls: null }],
    ['tls', { ...GOOD, url: 'ldap://x', unsafeAllowCleartext: true, tls: {} }],
    ['tls.rejectUnauthorized', { ...GOOD, tls: { rejectUnauthorized: false } }],
    ['tls.ca', { ...GOOD, tls: { ca: 'canary' } }],
    ['tls.ca', { ...GOOD, tls: { ca: {} } }],
    ['tls.ca', { ...GOOD, tls: { ca: { pem: 'canary' } } }],
    ['tls.ca', { ...GOOD, tls: { ca: { file: '/nowhere/ca.pem' } } }],
    ['tls.ca.path', { ...GOOD, tls: { ca: { path: 'canary' } } }],
    ['bind', { ...GOOD, bind: undefined }],
    ['bind', { ...GOOD, bind: 'canary' }],
    ['bind', { ...GOOD, bind: null }],
    ['bind.dn', { ...GOOD, bind: { password: { name: 'a', key: 'b' } } }],
    ['bind.dn', { ...GOOD, bind: { dn: '', password: { name: 'a', key: 'b' } } }],
    ['bind.password', { ...GOOD, bind: { dn: 'cn=reader' } }],
    ['bind.password', { ...GOOD, bind: { dn: 'cn=reader', password: 'canary' } }],
    ['bind.password', { ...GOOD, bind: { dn: 'cn=reader', password: '' } }],
    ['bind.password.name', { ...GOOD, bind: { dn: 'cn=reader', password: { key: 'canary' } } }],
    ['bind.password.key', { ...GOOD, bind: { dn: 'cn=reader', password: { name: 'canary', key: '' } } }],
    ['secrets', { ...GOOD, secrets: undefined }],
    ['secrets', { ...GOOD, secrets: {} }],
    ['issuers', { ...GOOD, issuers: 'canary' }],
    ['issuers', { ...GOOD, issuers: [] }],
    ['issuers[1]', { ...GOOD, issuers: ['https://a.example', ''] }],
    // A restriction is not removed by an undefined value.
    ['issuers', { ...GOOD, issuers: undefined }],
    ['tls', { ...GOOD, tls: undefined }],
    ['users.filter', { ...GOOD, ...users({ filter: undefined }) }],
    ['groups.filter', { ...GOOD, ...groups({ filter: undefined }) }],
    ['users.filter', { ...GOOD, ...users({ filter: null }) }],
    ['groups.filter', { ...GOOD, preset: 'active-directory', ...groups({ filter: null }) }],
    ['users.attribute', { ...GOOD, ...users({ attribute: null }) }],
    ['groups.name', { ...GOOD, ...groups({ name: null }) }],
    ['groups.nested', { ...GOOD, ...groups({ nested: null }) }],
    ['issuers', { ...GOOD, issuers: null }],
    ['maxGroups', { ...GOOD, maxGroups: null }],
    ['connections', { ...GOOD, connections: 4 }],
    ['preset', { ...GOOD, preset: 'canary' }],
    ['preset', { ...GOOD, preset: 'toString' }],
    ['users', { ...GOOD, users: undefined }],
    ['users.base', { ...GOOD, users: {} }],
    ['users.base', { ...GOOD, ...users({ base: '' }) }],
    ['users.base', { ...GOOD, ...users({ base: 'canary' }) }],
    ['users.base', { ...GOOD, ...users({ base: 'ou=a,,dc=b' }) }],
    ['users.attribute', { ...GOOD, ...users({ attribute: '' }) }],
    ['users.attribute', { ...GOOD, ...users({ attribute: 'uid=*)(a' }) }],
    ['users.attribute', { ...GOOD, ...users({ attribute: 'cn;lang-de' }) }],
    ['users.attribute', { ...GOOD, ...users({ attribute: ['uid'] }) }],
    ['users.filter', { ...GOOD, ...users({ filter: '' }) }],
    ['users.filter', { ...GOOD, ...users({ filter: 'objectClass=person' }) }],
    ['users.filter', { ...GOOD, ...users({ filter: '(&(a=b)' }) }],
    ['users.filter', { ...GOOD, ...users({ filter: '(a=b))' }) }],
    ['users.filter', { ...GOOD, ...users({ filter: '(a=b)(c=d)' }) }],
    ['users.filter', { ...GOOD, ...users({ filter: '(!(a=b)' }) }],
    ['users.filter', { ...GOOD, ...users({ filter: ')a=b(' }) }],
    ['users.filter', { ...GOOD, ...users({ filter: '(a=\\zz)' }) }],
    ['users.filter', { ...GOOD, ...users({ filter: '(a=\\ff\\fe)' }) }],
    ['users.filter', { ...GOOD, ...users({ filter: '(=b)' }) }],
    ['users.filter', { ...GOOD, ...users({ filter: 5 }) }],
    ['users.ignoreCase', { ...GOOD, ...users({ ignoreCase: 'no' }) }],
    ['users.scope', { ...GOOD, ...users({ scope: 'one' }) }],
    ['groups', { ...GOOD, groups: [] }],
    ['groups.base', { ...GOOD, groups: { base: 'canary' } }],
    ['groups.member', { ...GOOD, ...groups({ member: 'a b' }) }],
    ['groups.member', { ...GOOD, ...groups({ member: 'member', via: 'memberOf' }) }],
    ['groups.name', { ...GOOD, ...groups({ name: 'c*' }) }],
    ['groups.filter', { ...GOOD, ...groups({ filter: '(' }) }],
    ['groups.nested', { ...GOOD, ...groups({ nested: 'yes' }) }],
    ['groups.nested', { ...GOOD, ...groups({ nested: 'in-chain', via: 'memberOf' }) }],
    ['groups.via', { ...GOOD, ...groups({ via: '' }) }],
    ['timeout', { ...GOOD, timeout: 2_000 }],
    ['timeout', { ...GOOD, timeout: '2' }],
    ['timeout', { ...GOOD, timeout: '0s' }],
    ['timeout', { ...GOOD, timeout: '25d' }],
    ['pageSize', { ...GOOD, pageSize: 0 }],
    ['pageSize', { ...GOOD, pageSize: 1.5 }],
    ['pageSize', { ...GOOD, pageSize: 10_001 }],
    ['pageSize', { ...GOOD, pageSize: '500' }],
    ['maxGroups', { ...GOOD, maxGroups: -1 }],
    ['maxGroups', { ...GOOD, maxGroups: 10_001 }],
    ['maxDepth', { ...GOOD, maxDepth: Number.NaN }],
    ['maxDepth', { ...GOOD, maxDepth: 101 }],
  ])('%s', (path, options) => {
    let thrown: unknown;
    try {
      createLdapGroups(options as LdapGroupsOptions);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ConfigError);
    expect(thrown).toMatchObject({ path });
    expect((thrown as Error).message).not.toContain('canary');
  });
});

describe('options', () => {
  it('have defaults', () => {
    expect(readOptions(GOOD)).toMatchObject({
      host: 'ldap.example.com',
      port: 636,
      security: 'tls',
      tls: {
        rejectUnauthorized: true,
        minVersion: 'TLSv1.2',
        host: 'ldap.example.com',
        servername: 'ldap.example.com',
      },
      issuers: undefined,
      isActiveDirectory: false,
      users: { attribute: 'uid', filter: undefined, ignoreCase: false },
      groups: { member: 'member', name: 'cn', filter: undefined, nested: true, via: undefined },
      timeoutMs: 2_000,
      pageSize: 500,
      maxGroups: 5_000,
      maxDepth: 16,
    });
    expect(warn).not.toHaveBeenCalled();
  });

  it('have other defaults for Active Directory, each of which can be set', () => {
    const preset = 'active-directory' as const;
    const settings = readOptions({ ...GOOD, preset });
    expect(settings).toMatchObject({
      isActiveDirectory: true,
      users: { attribute: 'sAMAccountName' },
      groups: { member: 'member', name: 'sAMAccountName', nested: 'in-chain' },
    });
    expect(String(settings.users.filter)).toBe('(&(objectCategory=person)(objectClass=user))');
    expect(String(settings.groups.filter)).toBe('(objectClass=group)');
    expect(
      readOptions({
        ...GOOD,
        preset,
        users: { ...GOOD.users, attribute: 'userPrincipalName', filter: '(a=b)', ignoreCase: true },
        groups: { ...GOOD.groups, via: 'memberOf', name: 'DN' },
      }),
    ).toMatchObject({
      users: { attribute: 'userPrincipalName', ignoreCase: true },
      groups: { name: undefined, nested: true, via: 'memberOf' },
    });
  });

  it.each([
    ['ldap://host', { startTls: true }, 'host', 389, 'starttls'],
    ['ldap://host:1389', { unsafeAllowCleartext: true }, 'host', 1389, 'none'],
    ['ldaps://[2001:db8::1]:1636/', {}, '2001:db8::1', 1636, 'tls'],
    ['ldaps://192.0.2.1', {}, '192.0.2.1', 636, 'tls'],
  ])('%s', (url, more, host, port, security) => {
    expect(readOptions({ ...GOOD, url, ...more })).toMatchObject({ host, port, security });
  });

  it('an IP address is not sent as the server name', () => {
    expect(readOptions({ ...GOOD, url: 'ldaps://192.0.2.1' }).tls).not.toHaveProperty('servername');
  });

  it('warn of dangerous values', () => {
    createLdapGroups({ ...GOOD, url: 'ldap://host', unsafeAllowCleartext: true });
    expect(warn).toHaveBeenCalledTimes(1);
  });

  it('are read once: later changes have no effect', () => {
    const users = { base: 'ou=before' };
    const settings = readOptions({ ...GOOD, users });
    users.base = 'ou=after';
    expect(settings.users.base.text).toBe('ou=before');
  });

  it('are own members: members of Object.prototype are ignored', () => {
    const added = {
      unsafeAllowCleartext: true,
      ignoreCase: true,
      filter: '(a=b)',
      via: 'memberOf',
      startTls: true,
    };
    Object.assign(Object.prototype, added);
    try {
      expect(() => readOptions({ ...GOOD, url: 'ldap://host' })).toThrow(/^url: /);
      expect(readOptions(GOOD)).toMatchObject({
        security: 'tls',
        users: { ignoreCase: false, filter: undefined },
        groups: { via: undefined, filter: undefined },
      });
    } finally {
      for (const name of Object.keys(added)) Reflect.deleteProperty(Object.prototype, name);
    }
  });

  it('anonymous needs no secret store', () => {
    const { secrets: _, ...without } = GOOD;
    expect(readOptions({ ...without, bind: 'anonymous' }).bind).toBeUndefined();
  });

  it('the resolver has a description', () => {
    const groups = createLdapGroups(GOOD);
    expect(groups.description).toBe('ldap');
    expect(Object.isFrozen(groups)).toBe(true);
    expect(JSON.stringify(groups.report())).not.toContain('dc=');
  });
});

describe('row 156 filters', () => {
  it('a value is written unchanged, in UTF-8', () => {
    const value = ')(uid=*\\2a\0é';
    expect(equal('uid', value)).toMatchObject({ attribute: 'uid', value: Buffer.from(value, 'utf8') });
  });

  it.each([
    ['(ou=Z\\c3\\bcrich)', 'Zürich'],
    ['(ou=Z\\C3\\BCrich)', 'Zürich'],
    ['(ou=Zürich)', 'Zürich'],
    ['(ou=\\f0\\9f\\91\\8d)', '👍'],
    ['(ou=\\28a\\29\\2a\\5c)', '(a)*\\'],
    ['(ou=)', ''],
  ])('%s is read correctly', (text, value) => {
    expect(readFilter(text, 'users.filter')).toMatchObject({ attribute: 'ou', value });
  });
});
