// Distinguished names, RFC 4514: parsing, spelling and comparison.
import { describe, expect, it } from 'vitest';
import { isWithin, keyOf, parseDn } from '../src/dn.ts';

const textOf = (dn: string) => parseDn(dn)?.text;
const key = (dn: string) => {
  const parsed = parseDn(dn);
  return parsed === undefined ? undefined : keyOf(parsed);
};
const within = (dn: string, base: string) => {
  const [entry, tree] = [parseDn(dn), parseDn(base)];
  if (entry === undefined || tree === undefined) throw new Error('no DN');
  return isWithin(entry, tree);
};

describe('row 159 a DN has one spelling', () => {
  it.each([
    ['UID=jsmith,DC=example,DC=net', 'uid=jsmith,dc=example,dc=net'],
    ['OU=Sales+CN=J.  Smith,DC=example,DC=net', 'cn=J.  Smith+ou=Sales,dc=example,dc=net'],
    [
      'CN=James \\"Jim\\" Smith\\, III,DC=example,DC=net',
      'cn=James \\"Jim\\" Smith\\, III,dc=example,dc=net',
    ],
    ['CN=Before\\0dAfter,DC=example,DC=net', 'cn=Before\rAfter,dc=example,dc=net'],
    ['1.3.6.1.4.1.1466.0=#04024869', '1.3.6.1.4.1.1466.0=#04024869'],
    ['1.3.6.1.4.1.1466.0=#04024869,O=Test', '1.3.6.1.4.1.1466.0=#04024869,o=Test'],
    ['CN=Lu\\C4\\8Di\\C4\\87', 'cn=Lučić'],
    ['2.5.4.3=a,organizationalUnitName=b,0.9.2342.19200300.100.1.25=c', 'cn=a,ou=b,dc=c'],
    ['cn = a , dc = b', 'cn=a,dc=b'],
    ['cn=\\ a\\ ', 'cn=\\ a\\ '],
    ['cn=\\  a \\ ', 'cn=\\  a \\ '],
    ['cn=a   ,dc=b', 'cn=a,dc=b'],
    ['cn=\\ ', 'cn=\\ '],
    ['cn=\\#a', 'cn=\\#a'],
    ['cn=a#b', 'cn=a#b'],
    ['cn=a\\23b', 'cn=a#b'],
    ['cn=a=b\\=c', 'cn=a=b=c'],
    ['cn=a\\2Cb\\2cc', 'cn=a\\,b\\,c'],
    ['cn=a\\00b', 'cn=a\\00b'],
    ['cn=\\\\', 'cn=\\\\'],
    ['cn=', 'cn='],
    ['cn=,dc=a', 'cn=,dc=a'],
    ['cn=\\3ca\\3e\\3b\\2b', 'cn=\\<a\\>\\;\\+'],
    ['', ''],
  ])('%j is %j', (given, text) => {
    expect(textOf(given)).toBe(text);
    expect(textOf(text)).toBe(text);
  });

  it.each([
    'a',
    '=a',
    'cn',
    'cn=a,',
    ',cn=a',
    'cn=a,,dc=b',
    'cn=a+',
    'cn=a+,dc=b',
    'cn=a;dc=b',
    'cn="a"',
    'cn=<a>',
    'cn=a\\',
    'cn=a\\g',
    'cn=a\\4',
    'cn=\\ff',
    'cn=a\0b',
    'cn=#',
    'cn=#0',
    'cn=#0g',
    'cn=#04 a',
    '1.=a',
    '1=a',
    'c n=a',
    'cn;lang-de=a',
    'ö=a',
  ])('%j is not a DN', (text) => {
    expect(parseDn(text)).toBeUndefined();
  });

  it('is read in linear time', () => {
    const started = performance.now();
    parseDn(`cn=${' '.repeat(100_000)}a`);
    parseDn(`cn=${'a '.repeat(50_000)}"`);
    parseDn(`cn=${'\\20'.repeat(50_000)}`);
    parseDn('cn=a,'.repeat(20_000));
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe('row 159 DNs are compared folded', () => {
  it.each([
    ['CN=Admins,DC=Example', 'cn=admins,dc=example'],
    ['cn=a  b', 'cn=a b'],
    ['cn=\\ a', 'cn=a'],
    ['cn=a+uid=b', 'UID=b+CN=A'],
    ['cn=a\\2cb', 'CN=A\\,B'],
    ['cn=ZO\u00eb', 'CN=zo\u00eb'],
  ])('%j is %j', (one, other) => {
    expect(key(one)).toBe(key(other));
  });

  it.each([
    ['cn=a,ou=b', 'cn=a\\,ou=b'],
    ['cn=a+ou=b', 'cn=a\\+ou=b'],
    ['cn=a,ou=b', 'ou=b,cn=a'],
    ['cn=a', 'ou=a'],
    ['cn=#04', 'cn=\\#04'],
    ['cn=ab', 'cn=a b'],
    ['cn=\u212a', 'cn=k'],
    ['cn=\u017f', 'cn=s'],
    ['cn=\u0130', 'cn=i'],
    ['cn=ZO\u00cb', 'cn=zo\u00eb'],
    ['cn=ｆｕｌｌ', 'cn=full'],
    ['cn=Zoe\u0308', 'cn=Zo\u00eb'],
    ['cn=a\u00a0b', 'cn=a b'],
  ])('%j is not %j', (one, other) => {
    expect(key(one)).not.toBe(key(other));
  });

  it('detects whether a DN is under a base', () => {
    expect(within('CN=a,OU=Groups,DC=x', 'ou=groups, dc=x')).toBe(true);
    expect(within('cn=a,ou=emea,ou=groups,dc=x', 'ou=groups,dc=x')).toBe(true);
    expect(within('ou=groups,dc=x', 'ou=groups,dc=x')).toBe(true);
    expect(within('dc=x', 'ou=groups,dc=x')).toBe(false);
    expect(within('cn=a,ou=other,dc=x', 'ou=groups,dc=x')).toBe(false);
    expect(within('cn=a\\,ou=groups,dc=x', 'ou=groups,dc=x')).toBe(false);
    expect(within('cn=a,xou=groups,dc=x', 'ou=groups,dc=x')).toBe(false);
  });
});
