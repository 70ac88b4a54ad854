// Changes to descriptors: what comes out says what was asked, and all else of the text is as it
// was.
import { describe, expect, it } from 'vitest';
import { parseDescriptor } from '../../src/descriptor/document.ts';
import { ConfigError } from '../../src/errors.ts';
import {
  addKey,
  addKeyset,
  removeKeys,
  removeKeyset,
  setOption,
  updateKeyset,
} from '../../src/tools/edit.ts';
import { MULTIPLE } from '../descriptor/descriptors.ts';

const FILE = 'service.yaml';
const parse = (text: string) => parseDescriptor(text, FILE);
const jwtOf = (text: string) => parse(text).jwt;
const PARTNER = {
  issuer: 'partner',
  secret: { name: 'partner', key: 'jwks.json' },
  allowedAlgorithms: ['ES256'],
};

const COMMENTED = `# Who may call us.
name: my-service   # as deployed

service:
  image: "my-image:latest"
  jwt:
    # all of them
    keySets:
      # Google
      - issuer: https://accounts.google.com   # exactly so
        useOidcDiscovery: true

      # the old one
      - issuer: 'b'
        jwksUrl: "https://b.example/jwks"  # moves in May
        allowedAlgorithms: [RS256, ES256]
        # nothing more of b

      # after the list
    # what tokens are for
    audience: [ one,two ]
    keys:
      - keyId: a   # the first
        algorithm: HS256
        secret: {name: a}
    # the rest
    claims:
      note: >
        folded
        text
# the end`;

describe('adding', () => {
  it('AK-29 puts a keyset at the end of the list, as the seed lays it out', () => {
    expect(addKeyset(parse(MULTIPLE), PARTNER)).toBe(`${MULTIPLE}    - issuer: partner
      secret:
        name: partner
        key: jwks.json
      allowedAlgorithms:
      - ES256
`);
  });

  it('changes nothing else of a file that somebody has laid out by hand', () => {
    const text = addKeyset(parse(COMMENTED), PARTNER);
    expect(text).toBe(
      COMMENTED.replace(
        '        # nothing more of b\n',
        `        # nothing more of b

      - issuer: partner
        secret:
          name: partner
          key: jwks.json
        allowedAlgorithms:
          - ES256
`,
      ),
    );
  });

  it.each([
    [
      'an empty list',
      'service:\n  jwt:\n    keySets: [] # none yet\n    audience: a\n',
      'service:\n  jwt:\n    keySets: # none yet\n    - issuer: i\n    audience: a\n',
    ],
    [
      'nothing there',
      'service:\n  jwt:\n    keySets: # none yet\n    audience: a\n',
      'service:\n  jwt:\n    keySets: # none yet\n    - issuer: i\n    audience: a\n',
    ],
    ['null', 'service:\n  jwt:\n    keySets: ~\n', 'service:\n  jwt:\n    keySets:\n    - issuer: i\n'],
    [
      'no list',
      'service:\n  jwt:\n    audience: a # us\n  more: 1\n',
      'service:\n  jwt:\n    audience: a # us\n    keySets:\n    - issuer: i\n  more: 1\n',
    ],
    [
      'no end of line',
      'service:\n  jwt:\n    keySets:\n    - issuer: a',
      'service:\n  jwt:\n    keySets:\n    - issuer: a\n    - issuer: i\n',
    ],
    [
      'Windows line ends',
      'service:\r\n  jwt:\r\n    keySets:\r\n    - issuer: a\r\n',
      'service:\r\n  jwt:\r\n    keySets:\r\n    - issuer: a\r\n    - issuer: i\r\n',
    ],
    [
      'another indent',
      'service:\n    jwt:\n        keySets: []\n    list:\n      - 1\n',
      'service:\n    jwt:\n        keySets:\n          - issuer: i\n    list:\n      - 1\n',
    ],
    [
      'a flow list',
      'service:\n  jwt:\n    keySets: [{issuer: a}] # b\n',
      'service:\n  jwt:\n    keySets: [{issuer: a},{issuer: i}] # b\n',
    ],
    ['no options', 'service:\n  jwt: {}\n', 'service:\n  jwt:\n    keySets:\n    - issuer: i\n'],
  ])('works with %s', (_, before, after) => {
    const text = addKeyset(parse(before), { issuer: 'i' });
    expect(text.replaceAll(', {', ',{')).toBe(after);
    expect(jwtOf(text).keySets).toContainEqual({ issuer: 'i' });
  });

  it('writes text that YAML would take for something else so that it is read as it was given', () => {
    for (const issuer of [
      'yes: no',
      '- a',
      '#x',
      '1',
      'true',
      '~',
      "it's",
      '"',
      'a\nb',
      '{}',
      '${ISSUER}',
      ' ',
      '\u2028',
    ])
      expect(jwtOf(addKeyset(parse(MULTIPLE), { issuer })).keySets).toContainEqual({ issuer });
  });

  it('AK-37 puts a key at the end of the deprecated list, which is made where there is none', () => {
    const key = { keyId: 'k', algorithm: 'HS256', secret: { name: 'k' } };
    expect(jwtOf(addKey(parse(COMMENTED), key)).keys).toEqual([
      { keyId: 'a', algorithm: 'HS256', secret: { name: 'a' } },
      key,
    ]);
    expect(addKey(parse(MULTIPLE), key)).toBe(
      `${MULTIPLE}    keys:\n    - keyId: k\n      algorithm: HS256\n      secret:\n        name: k\n`,
    );
  });

  it('keeps a byte order mark where it is', () => {
    expect(addKeyset(parse(`\uFEFF${MULTIPLE}`), PARTNER)).toBe(
      `\uFEFF${addKeyset(parse(MULTIPLE), PARTNER)}`,
    );
  });

  it('refuses what is no list, and names the place', () => {
    const document = parse('service:\n  jwt:\n    keySets: {}\n');
    expect(() => addKeyset(document, {})).toThrow(/service\.yaml:3:\d+: keySets: expected a list/);
  });
});

describe('updating', () => {
  it('AK-24 changes one option in its place, with its quotes and the comment next to it', () => {
    const text = updateKeyset(parse(COMMENTED), 1, {
      jwksUrl: 'https://b.example/new',
      allowedAlgorithms: ['ES256', 'EdDSA'],
      issuer: 'c',
    });
    expect(text).toBe(
      COMMENTED.replace('"https://b.example/jwks"', '"https://b.example/new"')
        .replace('[RS256, ES256]', '[ES256, EdDSA]')
        .replace("'b'", "'c'"),
    );
  });

  it('puts a new option after the others, and takes one away with its line', () => {
    const longer = updateKeyset(parse(MULTIPLE), 0, { refreshInterval: '30m', allowedAlgorithms: ['RS256'] });
    expect(longer).toBe(
      MULTIPLE.replace(
        'useOidcDiscovery: true\n',
        'useOidcDiscovery: true\n      refreshInterval: 30m\n      allowedAlgorithms:\n      - RS256\n',
      ),
    );
    expect(updateKeyset(parse(longer), 0, { refreshInterval: undefined, allowedAlgorithms: undefined })).toBe(
      MULTIPLE,
    );
  });

  it('removes the first option, which is next to the dash', () => {
    const text = updateKeyset(parse(MULTIPLE), 0, { issuer: undefined });
    expect(text).toBe(MULTIPLE.replace('- issuer: https://accounts.google.com\n      useOidc', '- useOidc'));
  });

  it('keeps the comment next to an algorithm that stays', () => {
    const before = MULTIPLE.replace('- RS256\n', '- RS256 # until May\n      - ES256\n');
    expect(updateKeyset(parse(before), 2, { allowedAlgorithms: ['EdDSA', 'RS256'] })).toBe(
      MULTIPLE.replace('- RS256\n', '- EdDSA\n      - RS256 # until May\n'),
    );
  });

  it('changes nothing where nothing is new, and refuses a keyset that is not there', () => {
    expect(updateKeyset(parse(COMMENTED), 1, { issuer: 'b', maxStale: undefined })).toBe(COMMENTED);
    expect(() => updateKeyset(parse(MULTIPLE), 3, { issuer: 'x' })).toThrow(ConfigError);
  });
});

describe('removing', () => {
  it('AK-26 takes the lines of one keyset away, and leaves the others and all comments around it', () => {
    expect(removeKeyset(parse(COMMENTED), 0)).toBe(
      COMMENTED.replace(
        '      - issuer: https://accounts.google.com   # exactly so\n        useOidcDiscovery: true\n',
        '',
      ),
    );
    expect(jwtOf(removeKeyset(parse(MULTIPLE), 2)).keySets).toHaveLength(2);
  });

  it('leaves an empty list where the last keyset goes', () => {
    const one =
      'service:\n  jwt:\n    # whom we trust\n    keySets: # of them\n    # the first\n    - issuer: a\n      jwksUrl: u\n    audience: x\n';
    const text = removeKeyset(parse(one), 0);
    expect(text).toBe(
      'service:\n  jwt:\n    # whom we trust\n    keySets: [] # of them\n    # the first\n    audience: x\n',
    );
    expect(jwtOf(text).keySets).toEqual([]);
  });

  it('takes the deprecated keys away, with nothing left of them, and no comment on what comes next', () => {
    const text = removeKeys(parse(COMMENTED));
    expect(jwtOf(text)).not.toHaveProperty('keys');
    expect(text).toBe(
      COMMENTED.replace(
        '    keys:\n      - keyId: a   # the first\n        algorithm: HS256\n        secret: {name: a}\n',
        '',
      ),
    );
    expect(removeKeys(parse(MULTIPLE))).toBe(MULTIPLE);
    expect(jwtOf(removeKeys(parse('service:\n  jwt:\n    keys:\n    - keyId: a\n')))).toEqual({});
  });

  it('refuses to take an anchor away that something else leans on', () => {
    const text =
      'service:\n  jwt:\n    keySets:\n    - &a { issuer: a, jwksUrl: u }\n    - issuer: b\n      secret: *a\n';
    expect(() => removeKeyset(parse(text), 0)).toThrow(/the layout of the file is not supported/);
  });
});

describe('JSON', () => {
  const compact =
    '{"name":"s","service":{"jwt":{"keySets":[{"issuer":"a","jwksUrl":"https://a"}],"keys":[]}}}';
  it.each([
    ['on one line', compact],
    ['with two spaces', `${JSON.stringify(JSON.parse(compact), null, 2)}\n`],
    ['with tabs', JSON.stringify(JSON.parse(compact), null, '\t')],
  ])('stays JSON, %s', (_, text) => {
    const added = addKeyset(parse(text), PARTNER);
    expect(JSON.parse(added).service.jwt.keySets[1]).toEqual(PARTNER);
    expect(removeKeyset(parse(added), 1)).toBe(text);
    const updated = updateKeyset(parse(text), 0, { refreshInterval: '30m' });
    expect(JSON.parse(updated).service.jwt.keySets[0].refreshInterval).toBe('30m');
    expect(updateKeyset(parse(updated), 0, { refreshInterval: undefined })).toBe(text);
    expect(JSON.parse(removeKeys(parse(text))).service.jwt).not.toHaveProperty('keys');
  });
});

/** Numbers that are the same at every run. */
function createRandom(seed: number) {
  let state = seed;
  const below = (limit: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  return { below, some: <T>(items: readonly T[]): T => items[below(items.length)] as T };
}

/** A descriptor in one of the many ways that people write one. */
function writeSome({ below, some }: ReturnType<typeof createRandom>): string {
  const step = ' '.repeat(some([2, 3, 4]));
  const inner = some(['', '  ']);
  let comments = 0;
  const comment = () => some(['', '', ` # ${comments++} near`, `    # ${comments++} far`]);
  const above = (indent: string) =>
    some(['', '', '\n', `${indent}# ${comments++} above\n`, `\n${indent}# ${comments++} apart\n`]);
  const quoted = (text: string) => some([text, `'${text}'`, `"${text}"`]);
  const at = step + step;
  const keyset = (index: number) => {
    const body = `${at + inner}  `;
    const algorithms = some([
      '',
      `${body}allowedAlgorithms: ${some(['[RS256, ES256]', '[ RS256 ]', `[RS256,\n${body}  ES256]`])}${comment()}\n`,
      `${body}allowedAlgorithms:${comment()}\n${body}${inner}- RS256${comment()}\n${above(body)}${body}${inner}- ES256\n`,
    ]);
    const source = some([
      `${body}jwksUrl: ${quoted(`https://${index}.example/jwks`)}${comment()}\n`,
      `${body}secret: {name: s${index}}${comment()}\n`,
      `${body}secret:${comment()}\n${body}  name: s${index}\n${above(`${body}  `)}${body}  key: >-\n${body}    jwks\n${body}    json\n`,
    ]);
    return `${above(at + inner)}${at}${inner}- issuer: ${quoted(`i${index}`)}${comment()}\n${above(body)}${source}${algorithms}${some(['', `${body}# ${comments++} last\n`])}`;
  };
  const sets = Array.from({ length: 1 + below(4) }, (_, index) => keyset(index)).join('');
  const keys = some([
    '',
    `${above(at)}${at}keys:${comment()}\n${at}${inner}- keyId: k${comment()}\n${at}${inner}  algorithm: HS256\n`,
  ]);
  const after = some(['', `${above(at)}${at}audience: a${comment()}\n`]);
  return `${above('')}name: s${comment()}\nservice:${comment()}\n${step}jwt:${comment()}\n${above(at)}${at}keySets:${comment()}\n${sets}${keys}${after}${some(['', '# the end'])}`;
}

describe('whatever the layout', () => {
  const linesOf = (text: string) => text.split(/\r?\n/).filter((line) => line.trim() !== '');
  /** All lines of the one are lines of the other, in their order. */
  const isWithin = (few: readonly string[], many: readonly string[]) => {
    let at = 0;
    return few.every((line) => {
      at = many.indexOf(line, at) + 1;
      return at > 0;
    });
  };

  it('a change says what was asked, and every other line stays as it was', () => {
    for (let seed = 1; seed <= 400; seed++) {
      const random = createRandom(seed);
      const written = writeSome(random);
      const before = random.below(4) === 0 ? written.replaceAll('\n', '\r\n') : written;
      const document = parse(before);
      const sets = document.jwt.keySets as Record<string, unknown>[];
      const index = random.below(sets.length);
      const said = (text: string) => jwtOf(text).keySets;
      const own = linesOf(before);

      const added = addKeyset(document, PARTNER);
      if (before !== written) expect(added.replaceAll('\r\n', ''), before).not.toContain('\n');
      expect(said(added), before).toEqual([...sets, PARTNER]);
      expect(isWithin(own, linesOf(added)), `${before}\n=>\n${added}`).toBe(true);
      expect(said(removeKeyset(parse(added), sets.length))).toEqual(sets);

      const changes = { refreshInterval: '5m', issuer: 'new', allowedAlgorithms: ['EdDSA', 'ES256'] };
      const updated = updateKeyset(document, index, changes);
      expect(said(updated), before).toEqual(
        sets.map((set, at) => (at === index ? { ...set, ...changes } : set)),
      );
      const whole = own.filter(
        (line) => line.trim().startsWith('#') && !line.includes('above') && !line.includes('apart'),
      );
      expect(isWithin(whole, linesOf(updated)), `${before}\n=>\n${updated}`).toBe(true);

      const removed = removeKeyset(document, index);
      expect(said(removed), before).toEqual(sets.filter((_, at) => at !== index));
      expect(
        isWithin(
          linesOf(removed).filter((line) => !line.includes('keySets:')),
          own,
        ),
        `${before}\n=>\n${removed}`,
      ).toBe(true);

      const { keys: _, ...rest } = document.jwt;
      const keyless = removeKeys(document);
      expect(jwtOf(keyless), before).toEqual(rest);
      expect(isWithin(linesOf(keyless), own), `${before}\n=>\n${keyless}`).toBe(true);
    }
  });
});

describe('comments', () => {
  const keyset = { issuer: 'i', audience: 'a', claims: { typ: 'Bearer' } };
  const comments = { issuer: 'who', audience: 'what for', claims: 'one\ntwo' };

  it('are before their options, and the first one is inside of the item', () => {
    const text = addKeyset(parse('service:\n  jwt:\n    keySets: []\n'), keyset, comments);
    expect(text).toBe(`service:
  jwt:
    keySets:
    - issuer: i # who
      # what for
      audience: a
      # one
      # two
      claims:
        typ: Bearer
`);
    expect(removeKeyset(parse(text), 0)).toBe('service:\n  jwt:\n    keySets: []\n');
  });

  it('are there where the tree is changed instead of the lines', () => {
    const text = addKeyset(parse('service: { jwt: { keySets: [{ issuer: b }] } }\n'), keyset, comments);
    expect(jwtOf(text).keySets).toEqual([{ issuer: 'b' }, keyset]);
    for (const comment of ['# who', '# what for', '# one', '# two']) expect(text).toContain(comment);
  });

  it('are left out of JSON', () => {
    const text = addKeyset(parse('{ "service": { "jwt": { "keySets": [] } } }'), keyset, comments);
    expect(JSON.parse(text)).toEqual({ service: { jwt: { keySets: [keyset] } } });
  });

  it('are before an option of the descriptor', () => {
    const before = 'service:\n  jwt:\n    keySets:\n      - issuer: i\n';
    const places = [{ header: 'x-token' }];
    const text = setOption(parse(before), 'tokenFrom', places, 'from the proxy');
    expect(text).toBe(`${before}    # from the proxy\n    tokenFrom:\n      - header: x-token\n`);
    expect(setOption(parse(text), 'tokenFrom', places)).toBe(text);
    expect(() => setOption(parse(text), 'tokenFrom', [{ cookie: 'c' }])).toThrow('tokenFrom: is set already');
  });
});
