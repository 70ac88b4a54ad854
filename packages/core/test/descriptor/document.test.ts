// Descriptors as text: what can be read, the place of each value, and that a fault says where it
// is and nothing of what is there.
import { describe, expect, it } from 'vitest';
import { MAX_DESCRIPTOR_BYTES, parseDescriptor, placed } from '../../src/descriptor/document.ts';
import { loadText } from '../../src/descriptor/load.ts';
import { ConfigError } from '../../src/errors.ts';

const FILE = 'service.yaml';
const SECRET = 's3cr3t-of-a-test';

const jwtOf = (text: string) => parseDescriptor(text, FILE).jwt;

function faultOf(text: string): ConfigError {
  try {
    parseDescriptor(text, FILE);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('it was read');
}

/** Nine lists of nine aliases of the one before: 387 million items. */
function bomb(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 9; level++)
    lines.push(
      `a${level}: &a${level} [${Array(9)
        .fill(`*a${level - 1}`)
        .join(', ')}]`,
    );
  return [...lines, 'service: { jwt: { claims: *a8 } }'].join('\n');
}

describe('what is a descriptor', () => {
  it('AK-29: has a name, and the options in service.jwt, as plain data', () => {
    const text = `name: my-service\nservice:\n  image: my-image:latest\n  jwt:\n    audience: orders\n`;
    const document = parseDescriptor(text, FILE);
    expect(document).toMatchObject({ file: FILE, name: 'my-service', jwt: { audience: 'orders' }, text });
  });

  it('AM-24: is JSON just as well', () => {
    const jwt = { audience: 'orders', keySets: [{ issuer: 'i', useOidcDiscovery: true }] };
    expect(jwtOf(JSON.stringify({ name: 'n', service: { jwt } }))).toEqual(jwt);
    expect(jwtOf(JSON.stringify({ service: { jwt } }, null, '\t'))).toEqual(jwt);
  });

  it.each<[title: string, text: string]>([
    ['a byte order mark', '\ufeffservice: { jwt: { audience: a } }'],
    ['lines that end as on Windows', 'service:\r\n  jwt:\r\n    audience: a\r\n'],
    ['marks around the document', '---\nservice: { jwt: { audience: a } }\n...\n'],
    ['an alias', 'it: &it { audience: a }\nservice:\n  jwt: *it\n'],
    ['comments', '# who\nservice: # we\n  jwt:\n    # for\n    audience: a # orders\n'],
  ])('%s does no harm', (_, text) => {
    expect(jwtOf(text)).toEqual({ audience: 'a' });
  });

  it('a name that is not a text is not a name', () => {
    expect(parseDescriptor('name: 5\nservice: { jwt: {} }', FILE).name).toBeUndefined();
    expect(parseDescriptor('service: { jwt: {} }', FILE).name).toBeUndefined();
  });

  it('leaves variables as they are: for tools that show them', () => {
    expect(jwtOf('service: { jwt: { audience: "${AUDIENCE}" } }')).toEqual({ audience: '${AUDIENCE}' });
  });

  it('YAML 1.2: yes, no and on are words, and a merge key is a member like any other', () => {
    const text = 'b: &b { audience: a }\nservice:\n  jwt:\n    requireExp: no\n    <<: *b\n';
    expect(jwtOf(text)).toEqual({ requireExp: 'no', '<<': { audience: 'a' } });
  });
});

describe('what is none', () => {
  it.each<[title: string, text: string, line: number, column: number]>([
    ['an empty file', '', 1, 1],
    ['comments alone', '\n# nothing\n', 1, 1],
    ['a list', '- service\n', 1, 1],
    ['a word', 'service', 1, 1],
    ['no service', 'name: x\n', 1, 1],
    ['no jwt', 'name: x\nservice:\n  image: y\n', 2, 1],
    ['an empty jwt', 'name: x\nservice:\n  jwt:\n', 3, 3],
    ['a jwt that is a list', 'service:\n  jwt:\n    - keySets\n', 2, 3],
    ['two documents', 'service: { jwt: {} }\n---\nservice: { jwt: {} }\n', 2, 1],
    ['a second document that is empty', 'service: { jwt: {} }\n---\n', 2, 1],
    ['a member twice', 'service:\n  jwt:\n    audience: a\n    audience: b\n', 4, 5],
    ['a member twice in JSON', '{"service":{"jwt":{"audience":"a","audience":"b"}}}', 1, 35],
    ['a second service', 'service: { jwt: {} }\nservice: { jwt: {} }\n', 2, 1],
    ['a tab for an indent', 'service:\n\tjwt: {}\n', 2, 1],
    ['a list that does not end', 'service:\n  jwt:\n    keySets: [a\n', 4, 1],
    ['an escape that is none', 'service: { jwt: { realm: "\\q" } }', 1, 27],
    ['an alias of nothing', 'service:\n  jwt:\n    claims: *nothing\n', 1, 1],
    ['an alias bomb', bomb(), 1, 1],
    ['nesting without end', `service: { jwt: ${'['.repeat(9_000)}${']'.repeat(9_000)} }`, 1, 1],
  ])('%s is refused, with its place', (title, text, line, column) => {
    const { place, message } = faultOf(text);
    // How deep a reader goes is its own affair.
    if (title === 'nesting without end') expect(place).toMatchObject({ file: FILE, line });
    else expect(place).toEqual({ file: FILE, line, column });
    expect(message.startsWith(`${FILE}:${place?.line}:${place?.column}: `)).toBe(true);
  });

  it.each<[title: string, text: string]>([
    ['a list that does not end', `service:\n  jwt:\n    realm: [${SECRET}\n`],
    ['a tab for an indent', `service:\n\tjwt: ${SECRET}\n`],
    ['an escape that is none', `service: { jwt: { realm: "\\q ${SECRET}" } }`],
    ['a member twice', `service:\n  jwt:\n    ${SECRET}: a\n    ${SECRET}: b\n`],
    ['an alias of nothing', `service:\n  jwt:\n    realm: *${SECRET}\n`],
    ['text after a text', `service:\n  jwt:\n    realm: "a" ${SECRET}\n`],
    ['a word instead', SECRET],
    ['a PEM key instead', `-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END PRIVATE KEY-----\n`],
    ['a directive', `%${SECRET}\n---\nservice: {}\n`],
    ['a tag', `service: !<${SECRET} {}\n`],
  ])('a message has nothing of the text: %s', (_, text) => {
    const error = faultOf(text);
    for (const said of [error.message, error.problem, error.path, String(error.cause ?? '')])
      expect(said).not.toContain(SECRET);
  });

  it('inherits nothing from __proto__, and hides nothing in it', () => {
    expect(faultOf('service:\n  __proto__:\n    jwt: { audience: a }\n').path).toBe('service.jwt');
    expect(faultOf('{"service":{"__proto__":{"jwt":{"audience":"a"}}}}').path).toBe('service.jwt');
    const jwt = jwtOf('service: { jwt: { __proto__: { audience: a }, realm: r } }');
    expect(jwt.audience).toBeUndefined();
    expect(Object.keys(jwt)).toEqual(['__proto__', 'realm']);
    expect(({} as { audience?: unknown }).audience).toBeUndefined();
    expect(() => loadText('service: { jwt: { __proto__: { audience: a } } }', { descriptor: FILE })).toThrow(
      /^service\.yaml:1:19: __proto__: unknown option/,
    );
  });

  it('a member twice, once as a number and once as a text', () => {
    expect(() => jwtOf('service:\n  jwt:\n    claims:\n      1: admin\n      "1": anybody\n')).toThrow(
      ConfigError,
    );
  });

  it.each(['~', 'null', '?', '1e3', '0x10', '1.0', '.inf', 'True'])(
    'a member whose name is read otherwise than it is written: %s',
    (name) => {
      const written = name === '?' ? '? ' : name;
      const text = `service:\n  jwt:\n    claims:\n      ${written}: admin\n`;
      expect(faultOf(text)).toMatchObject({ place: { line: 4 } });
      expect(faultOf(text).problem).toContain('has a member whose name is not a text');
    },
  );

  it('two members that are one when they are read', () => {
    expect(() => jwtOf('service: { jwt: { claims: { "": admin, ? : anybody } } }')).toThrow(ConfigError);
  });

  it.each(['1.1', '1.3'])('YAML %s, which has merge keys and takes no for false', (version) => {
    const text = `%YAML ${version}\n---\nb: &b { audience: a }\nservice: { jwt: { requireExp: no, <<: *b } }\n`;
    expect(() => jwtOf(text)).toThrow(ConfigError);
  });

  it('YAML 1.2 may say so', () => {
    expect(jwtOf('%YAML 1.2\n---\nservice: { jwt: { requireExp: no } }\n')).toEqual({ requireExp: 'no' });
  });

  it('a tag that means nothing here', () => {
    expect(() => jwtOf('service: { jwt: { audience: !env AUDIENCE } }')).toThrow(ConfigError);
  });

  it('an alias of its own parent', () => {
    const text = 'service:\n  jwt: &jwt\n    audience: a\n    claims: *jwt\n';
    expect(() => loadText(text, { descriptor: FILE })).toThrow(ConfigError);
  });
});

describe('placeOf', () => {
  const text = [
    'service:',
    '  jwt:',
    '    keySets:',
    '      - issuer: one',
    '        useOidcDiscovery: true',
    '      - issuer: two',
    '        secret: { name: s,',
    '                  key: k }',
    '    claims:',
    '      realm_access.roles: [a]',
    '    1: number',
    '',
  ].join('\n');

  it.each<[path: string, line: number, column: number]>([
    ['', 2, 3],
    ['keySets', 3, 5],
    ['keySets[0]', 4, 9],
    ['keySets[1]', 6, 9],
    ['keySets[1].issuer', 6, 9],
    ['keySets[1].secret', 7, 9],
    ['keySets[1].secret.key', 8, 19],
    ['1', 11, 5],
    ['claims.realm_access.roles', 10, 7],
    // The place of a missing member is that of its parent.
    ['keySets[1].allowHttp', 6, 9],
    ['keySets[7].issuer', 3, 5],
    ['audience', 2, 3],
  ])('%s', (path, line, column) => {
    expect(parseDescriptor(text, FILE).placeOf(path)).toEqual({ file: FILE, line, column });
  });

  it('JSON has places too, on one line and on many', () => {
    const value = { service: { jwt: { keySets: [{ issuer: 'i' }], audience: 'a' } } };
    const one = parseDescriptor(JSON.stringify(value), FILE);
    expect(one.placeOf('keySets[0].issuer')).toEqual({ file: FILE, line: 1, column: 32 });
    const many = parseDescriptor(JSON.stringify(value, null, 2), FILE);
    expect(many.placeOf('keySets[0].issuer')).toEqual({ file: FILE, line: 6, column: 11 });
  });
});

describe('placed', () => {
  const document = parseDescriptor('service:\n  jwt:\n    realm: x\n', FILE);

  it('a fault of the options gets its place, and is the same otherwise', () => {
    const cause = new Error('why');
    const error = placed(new ConfigError('realm', 'is wrong', { cause }), document);
    expect(error).toMatchObject({
      message: 'service.yaml:3:5: realm: is wrong',
      path: 'realm',
      problem: 'is wrong',
      place: { file: FILE, line: 3, column: 5 },
      cause,
    });
  });

  it('one that has a place keeps it, and anything else is left alone', () => {
    const there = new ConfigError('realm', 'x', { place: { file: 'other', line: 9, column: 9 } });
    expect(placed(there, document)).toBe(there);
    const other = new TypeError('x');
    expect(placed(other, document)).toBe(other);
    expect(placed(undefined, document)).toBeUndefined();
  });
});

it('a descriptor may be half a megabyte long', () => {
  expect(MAX_DESCRIPTOR_BYTES).toBe(524_288);
  const long = `service:\n  jwt:\n    realm: ${'x'.repeat(400_000)}\n`;
  expect(String(jwtOf(long).realm)).toHaveLength(400_000);
});

describe('options outside of service.jwt', () => {
  it.each([
    ['at the top', 'dpop: { mode: required }\nservice: { jwt: {} }', 'dpop'],
    ['under service', 'service:\n  mutualTls: { mode: required }\n  jwt: {}', 'service.mutualTls'],
    ['the profile', 'profile: fapi2\nservice: { jwt: {} }', 'profile'],
  ])('%s are refused, because they would have no effect', (_, text, path) => {
    for (const options of [{}, { mayLackBlock: true }])
      expect(() => parseDescriptor(text, 'a.yaml', options)).toThrow(
        `${path}: has no effect here; move it into service.jwt`,
      );
  });

  it('members of other programs are not', () => {
    const text = 'profile: dev\naudience: all\nservice: { port: 1, jwt: { keySets: [] } }';
    expect(parseDescriptor(text, 'a.yaml').jwt).toEqual({ keySets: [] });
  });
});
