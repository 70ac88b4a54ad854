// The people and groups of the test directory, and the list of injections. No test is here.
import { type LdifEntry, SUFFIX } from './slapd.ts';

export const PEOPLE = `ou=people,${SUFFIX}`;
export const GROUPS = `ou=groups,${SUFFIX}`;

/** RFC 4514 §2.4, in hexadecimal: escapes every byte that is not a letter or a digit. */
export const escapeRdn = (value: string) =>
  [...Buffer.from(value, 'utf8')]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9]/.test(character) ? character : `\\${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');

export const person = (uid: string, ou = PEOPLE): LdifEntry => [
  `cn=${escapeRdn(uid)},${ou}`,
  { objectClass: 'inetOrgPerson', cn: uid, sn: 'x', uid },
];

export const group = (name: string, members: readonly string[], ou = GROUPS): LdifEntry => [
  `cn=${escapeRdn(name)},${ou}`,
  { objectClass: 'groupOfNames', cn: name, member: members },
];

export const unit = (name: string, parent = SUFFIX): LdifEntry => [
  `ou=${name},${parent}`,
  { objectClass: 'organizationalUnit', ou: name },
];

/** People with unusual names. Each is in one group: `odd-0`, `odd-1` and so on. */
export const ODD = [
  'Smith, John',
  'C++ "Guru"',
  'back\\slash',
  'trailing\\',
  '(parens)',
  ')(uid=*',
  'star*',
  '*',
  '#hash',
  ' leading',
  'trailing ',
  'a=b',
  'semi;colon',
  '<angle>',
  'Zoë Müller',
  'Ωmega',
  '用户',
  '👩‍💻',
  'null\\00',
  '\\2a',
  'slash/and/../dots',
  'new\nline',
  'plus+plus',
  "o'hara",
  '%2a',
  '${jndi:ldap://x}',
  'ou=people,dc=example,dc=com',
  'cn=alice,ou=people,dc=example,dc=com',
] as const;

/** Names that no person in the directory has. */
export const INJECTIONS: readonly string[] = [
  'a*',
  '**',
  'ali*',
  '*ice',
  'a*e',
  'alice*',
  '*)(uid=alice',
  '*)(uid=*))(|(uid=*',
  'alice)(objectClass=*',
  'alice))(|(objectClass=*)',
  'alice)(|(cn=*',
  '*)(|(objectclass=*)',
  '*))%00',
  'alice)\0',
  'alice\0',
  '\0',
  '\0alice',
  'al\0ice',
  '\\',
  '\\\\',
  '\\2A',
  '\\28',
  '\\5c',
  '\\61lice',
  'alice\\',
  'alice\\,ou=admins',
  'alice,ou=people,dc=example,dc=com',
  'uid=alice',
  'alice+cn=admin',
  'alice,ou=admins',
  '#alice',
  '#04056d79',
  '"alice"',
  "'alice'",
  "alice' or '1'='1",
  'alice;id',
  '|(uid=alice)',
  '&(uid=alice)',
  '!(uid=absent)',
  '(uid=alice)',
  '()',
  '(',
  ')',
  '=',
  '~=alice',
  '>=a',
  '<=z',
  ':=alice',
  ':dn:=alice',
  ':1.2.840.113556.1.4.1941:=alice',
  'ALICE',
  'Alice',
  ' alice',
  'alice ',
  ' alice ',
  'alice\t',
  'alice\n',
  'alice\r\n',
  'al\u00adice',
  'al\u200bice',
  'ａｌｉｃｅ',
  'alic\u00e9',
  'alice\u0301',
  'аlice',
  '\ufeffalice',
  '\ud800',
  'alice\udfff',
  '__proto__',
  'constructor',
  'toString',
  'undefined',
  'null',
  '1.1',
  '+',
  '../alice',
  'alice?sub?(objectClass=*)',
  'ldap://evil.example/uid=alice',
  'Smith',
  'Smith, john',
  'zoe muller',
  'Zoe\u0308 Mu\u0308ller',
  'a'.repeat(1_024),
  'a'.repeat(1_025),
  'ä'.repeat(600),
  '*'.repeat(65_536),
  ')('.repeat(32_768),
];

/** The directory's tree. */
export const ENTRIES: readonly LdifEntry[] = [
  unit('people'),
  unit('contractors', PEOPLE),
  unit('groups'),
  unit('emea', GROUPS),
  unit('elsewhere'),
  unit('empty'),
  person('alice'),
  person('bob'),
  person('lonely'),
  person('many'),
  person('deep'),
  person('twice'),
  person('twice', `ou=contractors,${PEOPLE}`),
  ...ODD.map((uid) => person(uid)),
  // Nested groups with a circle: alice is in staff, staff in company, company in everybody, and
  // everybody in staff.
  group('staff', [`cn=alice,${PEOPLE}`, `cn=bob,${PEOPLE}`, `cn=everybody,${GROUPS}`]),
  group('company', [`CN=Staff, OU=Groups, ${SUFFIX}`]),
  group('everybody', [`cn=company,${GROUPS}`]),
  group('itself', [`cn=itself,${GROUPS}`, `cn=bob,${PEOPLE}`]),
  // Three groups with the same name: in the base, below the base, and in another tree.
  group('admins', [`cn=bob,${PEOPLE}`]),
  group('admins', [`cn=bob,${PEOPLE}`], `ou=emea,${GROUPS}`),
  group('admins', [`cn=alice,${PEOPLE}`], `ou=elsewhere,${SUFFIX}`),
  group('R&D, "Core" + <Tools>', [`cn=bob,${PEOPLE}`]),
  ...ODD.map((uid, index) => group(`odd-${index}`, [`cn=${escapeRdn(uid)},${PEOPLE}`])),
  ...Array.from({ length: 1_500 }, (_, index) => group(`many-${index}`, [`cn=many,${PEOPLE}`])),
  group('level-1', [`cn=deep,${PEOPLE}`]),
  ...Array.from({ length: 19 }, (_, index) =>
    group(`level-${index + 2}`, [`cn=level-${index + 1},${GROUPS}`]),
  ),
];
