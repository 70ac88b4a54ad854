// Strict JSON: encoding, repeated members, nesting, numbers and surrogates, and what a parsed
// object is made of.

import { seeded } from '@latchkey/test-kit/random';
import { describe, expect, it } from 'vitest';
import { deepFreeze, isJsonObject, type JsonObject, parseJsonObject } from '../../src/values/json.ts';

const parse = (text: string): JsonObject => parseJsonObject(Buffer.from(text, 'utf8'));
const bytes = (...parts: readonly (string | readonly number[])[]): Buffer =>
  Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'utf8') : Buffer.from(part))),
  );

/** Nests arrays or objects inside one member. The outer object counts as one level. */
const nested = (levels: number, open: string, close: string): string =>
  `{"a":${open.repeat(levels - 1)}${close.repeat(levels - 1)}}`;

describe('T-011: repeated members', () => {
  it.each([
    ['the same name twice', '{"a":1,"a":2}'],
    ['the same name and the same value', '{"a":1,"a":1}'],
    ['three times', '{"a":1,"b":2,"a":3,"a":4}'],
    ['an escaped twin, first', '{"\\u0061lg":"none","alg":"ES256"}'],
    ['an escaped twin, last', '{"alg":"ES256","\\u0061lg":"none"}'],
    ['two escaped forms of one name', '{"\\u0061":1,"\\u0061":2}'],
    ['upper and lower case hexadecimal digits', '{"\\u00e9":1,"\\u00E9":2}'],
    ['an escaped solidus', '{"a/b":1,"a\\/b":2}'],
    ['a surrogate pair and its character', '{"\\ud83d\\ude00":1,"😀":2}'],
    ['a short and a long escape', '{"\\n":1,"\\u000a":2}'],
    ['an escaped quote', '{"\\"":1,"\\u0022":2}'],
    ['an escaped backslash', '{"\\\\":1,"\\u005c":2}'],
    ['the empty name', '{"":1,"":2}'],
    ['in a nested object', '{"a":{"b":1,"b":2}}'],
    ['in an object in an array', '{"a":[1,{"b":1,"b":2}]}'],
    ['deep down', '{"a":{"b":[[{"c":{"d":1,"d":2}}]]}}'],
    ['of an object that a later member replaces', '{"a":{"x":1,"x":2},"b":1}'],
    ['where the first value is an object', '{"a":{"x":1},"a":2}'],
    ['where the last value is an object', '{"a":2,"a":{"x":1}}'],
    ['where both values are objects', '{"a":{"x":1},"a":{"y":1}}'],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}'],
    ['__proto__ and its escaped twin', '{"__proto__":{},"\\u005f_proto__":{}}'],
    ['an index-like name', '{"1":1,"1":2}'],
    ['apart by white space', '{ "a" : 1 ,\n\t"a"\r: 2 }'],
    ['with a colon in the value between', '{"a":"x:y","a":"z"}'],
  ])('T-011: refuses a member repeated: %s', (_, text) => {
    // Guards the row itself: a text that is not JSON at all would be refused for another reason.
    expect(() => JSON.parse(text)).not.toThrow();
    expect(() => parse(text)).toThrow(new SyntaxError('a member is repeated'));
  });

  it.each([
    ['the same name in two objects', '{"a":{"x":1},"b":{"x":1}}'],
    ['the same name at two levels', '{"a":{"a":{"a":1}}}'],
    ['the same name in two items', '{"a":[{"x":1},{"x":1}]}'],
    ['names that differ in case', '{"a":1,"A":2}'],
    ['names that differ in normalisation', '{"\u00e9":1,"e\u0301":2}'],
    ['names that differ in a space', '{"a":1,"a ":2}'],
    ['a name that is another one spelled with a backslash', '{"a":1,"\\\\u0061":2}'],
    ['a value equal to a name', '{"a":"b","b":"a"}'],
    ['a string that looks like a repeated member', '{"a":"\\",\\"a\\":\\""}'],
  ])('T-011: keeps members that are not repeated: %s', (_, text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });
});

describe('colons, quotes, brackets and backslashes inside strings', () => {
  it.each([
    ['{"a":"b:c"}'],
    ['{"a:b":"c"}'],
    ['{":":":"}'],
    ['{"a":"\\""}'],
    ['{"a":"\\":\\""}'],
    ['{"a":"\\\\"}'],
    ['{"a":"\\\\","b":"\\\\\\\\"}'],
    ['{"a":"\\\\\\"","b":1}'],
    ['{"\\\\":"\\\\:","b":":"}'],
    ['{"a":"\\\\\\\\\\":\\\\"}'],
    ['{"a":"{[{[","b":"]}"}'],
    [`{"a":"${'['.repeat(100)}"}`],
    [`{"a":"${'{'.repeat(100)}"}`],
    [`{"a":"${'\\\\'.repeat(501)}"}`],
    [`{"a":"${'\\"'.repeat(501)}:"}`],
    ['{"a":"\\u0022:\\u005c"}'],
    ['{"https://example.com/roles":["a:b"]}'],
  ])('T-011: %s counts as it is written', (text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });
});

describe('T-012: nesting', () => {
  it.each([
    ['arrays', '[', ']'],
    ['objects', '{"a":', '}'],
  ])('T-012: 32 levels of %s pass and 33 do not', (_, open, close) => {
    const at = (levels: number) => nested(levels, open, close).replace('{"a":}', '{}'); // the innermost object is empty
    expect(() => parse(at(32))).not.toThrow();
    expect(() => JSON.parse(at(33))).not.toThrow();
    expect(() => parse(at(33))).toThrow(new SyntaxError('nested too deep'));
  });

  it('T-012: levels that follow each other do not add up', () => {
    const siblings = Array.from({ length: 100 }, () => '[[[]]]').join(',');
    expect(parse(`{"a":[${siblings}]}`).a).toHaveLength(100);
  });

  it.each([
    ['closed', (n: number) => `{"a":${'['.repeat(n)}${']'.repeat(n)}}`],
    ['never closed', (n: number) => `{"a":${'['.repeat(n)}`],
    ['objects', (n: number) => `${'{"a":'.repeat(n)}1${'}'.repeat(n)}`],
    ['after closing brackets that would make up for it', (n: number) => `${']'.repeat(n)}${'['.repeat(n)}`],
  ])('T-012: a million levels are a SyntaxError and not a RangeError: %s', (_, make) => {
    expect(() => parse(make(1_000_000))).toThrow(SyntaxError);
  });
});

describe('T-007, T-008: encoding', () => {
  it.each<[string, readonly number[]]>([
    ['0xff', [0xff]],
    ['0xfe', [0xfe]],
    ['a continuation byte alone', [0x80]],
    ['a two-byte sequence cut short', [0xc3]],
    ['a three-byte sequence cut short', [0xe2, 0x82]],
    ['a four-byte sequence cut short', [0xf0, 0x9f, 0x98]],
    ['an overlong solidus', [0xc0, 0xaf]],
    ['an overlong NUL', [0xc0, 0x80]],
    ['an overlong quote in three bytes', [0xe0, 0x80, 0xa2]],
    ['an overlong character in four bytes', [0xf0, 0x80, 0x80, 0xaf]],
    ['a surrogate pair in CESU-8', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
    ['a lone high surrogate', [0xed, 0xa0, 0x80]],
    ['a lone low surrogate', [0xed, 0xbf, 0xbf]],
    ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['a five-byte sequence', [0xf8, 0x88, 0x80, 0x80, 0x80]],
    ['latin1', [0xe9]],
  ])('T-007: refuses %s in a value and in a name', (_, invalid) => {
    expect(() => parseJsonObject(bytes('{"sub":"', invalid, '"}'))).toThrow(new SyntaxError('not UTF-8'));
    expect(() => parseJsonObject(bytes('{"', invalid, '":1}'))).toThrow(new SyntaxError('not UTF-8'));
  });

  it.each([
    ['UTF-16LE', Buffer.from('{"a":1}', 'utf16le')],
    ['UTF-16LE with a byte order mark', Buffer.from('\ufeff{"a":1}', 'utf16le')],
    ['UTF-16BE', Buffer.from('{"a":1}', 'utf16le').swap16()],
    ['UTF-32LE', Buffer.from([...'{"a":1}'].flatMap((c) => [c.charCodeAt(0), 0, 0, 0]))],
  ])('T-007: refuses %s', (_, encoded) => {
    expect(() => parseJsonObject(encoded)).toThrow(SyntaxError);
  });

  it.each([
    ['before the object', bytes([0xef, 0xbb, 0xbf], '{"a":1}')],
    ['after the object', bytes('{"a":1}', [0xef, 0xbb, 0xbf])],
    ['twice', bytes([0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf], '{"a":1}')],
  ])('T-008: refuses a byte order mark %s', (_, encoded) => {
    expect(() => parseJsonObject(encoded)).toThrow(new SyntaxError('not JSON'));
  });

  it('T-007: keeps every kind of UTF-8, and U+FEFF inside a string', () => {
    expect(parse('{"sub":"aé€😀\ufeff"}').sub).toBe('aé€😀\ufeff');
  });

  it('T-007: reads only the bytes of the view that it was given', () => {
    const all = bytes('[[{"a":1}]]');
    expect(parseJsonObject(new Uint8Array(all.buffer, all.byteOffset + 2, 7))).toEqual({ a: 1 });
  });
});

describe('T-009: lone surrogates', () => {
  it.each([
    ['a high one in a value', '{"sub":"\\ud800"}'],
    ['a low one in a value', '{"sub":"\\udc00"}'],
    ['the pair the wrong way round', '{"sub":"\\udc00\\ud800"}'],
    ['two high ones', '{"sub":"\\ud800\\ud800"}'],
    ['in upper case', '{"sub":"\\uD800"}'],
    ['in the middle of text', '{"sub":"a\\udbffb"}'],
    ['in a name', '{"\\ud800":1}'],
    ['in an item', '{"groups":["a","\\ud800"]}'],
    ['in a nested name', '{"a":[{"\\udfff":1}]}'],
    ['in a nested value', '{"a":{"b":"\\udfff"}}'],
  ])('T-009: refuses %s', (_, text) => {
    expect(() => JSON.parse(text)).not.toThrow();
    expect(() => parse(text)).toThrow(new SyntaxError('a lone surrogate'));
  });

  it.each([
    ['an escaped pair', '{"sub":"\\ud83d\\ude00"}', '😀'],
    ['an escaped backslash before the letter u', '{"sub":"\\\\ud800"}', '\\ud800'],
  ])('T-009: keeps %s', (_, text, sub) => {
    expect(parse(text).sub).toBe(sub);
  });
});

describe('T-015: numbers', () => {
  it.each([
    ['{"exp":1e400}'],
    ['{"exp":-1e400}'],
    ['{"exp":1E+309}'],
    [`{"exp":${'9'.repeat(400)}}`],
    ['{"a":[1,[1e999]]}'],
    ['{"a":{"b":{"c":1e309}}}'],
  ])('T-015: refuses a number beyond a double: %s', (text) => {
    expect(() => parse(text)).toThrow(new SyntaxError('a number out of range'));
  });

  it.each([
    ['-0', -0],
    ['0', 0],
    ['1e-999', 0],
    ['1.0', 1],
    ['1E2', 100],
    ['1.7976931348623157e308', Number.MAX_VALUE],
    ['9007199254740993', 9007199254740992],
  ])('T-015: keeps %s', (written, value) => {
    expect(Object.is(parse(`{"a":${written}}`).a, value)).toBe(true);
  });

  it.each([
    '+1',
    '01',
    '.5',
    '1.',
    '1e',
    '0x10',
    '1_000',
    'NaN',
    'Infinity',
    '-Infinity',
    '- 1',
    '1e400x',
    '１',
  ])('T-015: refuses the number %s, which is not JSON', (written) => {
    expect(() => parse(`{"a":${written}}`)).toThrow(new SyntaxError('not JSON'));
  });
});

describe('T-010: what is not a JSON object', () => {
  it.each(['[]', '[{}]', '"a"', '"{}"', '1', '-0', 'null', 'true', 'false'])('T-010: refuses %s', (text) => {
    expect(() => parse(text)).toThrow(new SyntaxError('not a JSON object'));
  });

  it.each([
    ['nothing', ''],
    ['white space', ' \n'],
    ['an object cut after the brace', '{'],
    ['an object cut in a name', '{"a'],
    ['an object cut after a name', '{"a"'],
    ['an object cut after a colon', '{"a":'],
    ['an object cut in a string that ends in a backslash', '{"a":"\\'],
    ['an object cut after a value', '{"a":1'],
    ['an object cut after a comma', '{"a":1,'],
    ['a trailing comma', '{"a":1,}'],
    ['a leading comma', '{,"a":1}'],
    ['a doubled comma', '{"a":1,,"b":2}'],
    ['a doubled colon', '{"a"::1}'],
    ['a missing colon', '{"a" 1}'],
    ['a missing value', '{"a":}'],
    ['a missing comma', '{"a":1 "b":2}'],
    ['trailing text', '{"a":1}x'],
    ['a trailing brace', '{"a":1}}'],
    ['a trailing NUL', '{"a":1}\0'],
    ['a second object', '{"a":1}{"b":2}'],
    ['a second object after a line break', '{"a":1}\n{"b":2}'],
    ['a brace that another bracket closes', '{"a":1]'],
    ['a name without quotes', '{a:1}'],
    ['a name in single quotes', "{'a':1}"],
    ['a name that is a number', '{1:1}'],
    ['a comment', '{"a":1/*b*/}'],
    ['a line comment', '{"a":1}//b'],
    ['an unknown literal', '{"a":undefined}'],
    ['a literal in upper case', '{"a":True}'],
    ['a control character in a string', '{"a":"\u0000"}'],
    ['a line break in a string', '{"a":"\n"}'],
    ['a tab in a string', '{"a":"\t"}'],
    ['an unknown escape', '{"a":"\\x41"}'],
    ['a short escape', '{"a":"\\u12"}'],
    ['an escape that is no hexadecimal number', '{"a":"\\u00gg"}'],
    ['white space that is not of JSON', '{"a":\u00a01}'],
    ['a form feed', '{"a":\f1}'],
    ['a no-break space before', '\u00a0{"a":1}'],
  ])('T-010: refuses %s', (_, text) => {
    expect(() => parse(text)).toThrow(new SyntaxError('not JSON'));
  });

  it('T-087: says nothing of the input', () => {
    expect(() => parse('{"canary-5f1d7c":oops}')).toThrow(new SyntaxError('not JSON'));
    const thrown = (() => {
      try {
        return parse('{"canary-5f1d7c":oops}');
      } catch (error) {
        return error as SyntaxError;
      }
    })();
    expect(`${(thrown as SyntaxError).stack} ${String((thrown as SyntaxError).cause)}`).not.toContain(
      'canary',
    );
  });
});

describe('what is a JSON object', () => {
  it.each<[string, unknown]>([
    ['{}', {}],
    [' \t\r\n{ } \t\r\n', {}],
    ['{"a":{}}', { a: {} }],
    ['{"a":[]}', { a: [] }],
    ['{"":""}', { '': '' }],
    ['{"a":[null,true,false,1,"x",[],{}]}', { a: [null, true, false, 1, 'x', [], {}] }],
  ])('RFC 8259 §2: reads %s', (text, value) => {
    expect(parse(text)).toEqual(value);
  });

  it('T-014: a member __proto__ is own data and sets no prototype', () => {
    const value = parse('{"__proto__":{"admin":true}}');
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.hasOwn(value, '__proto__')).toBe(true);
    expect(value.admin).toBeUndefined();
    expect(Object.getOwnPropertyDescriptor(value, '__proto__')?.value).toEqual({ admin: true });
  });

  it.each(['constructor', 'prototype', 'hasOwnProperty', 'toString', 'valueOf'])(
    'T-014: a member %s is own data',
    (name) => {
      const value = parse(`{"${name}":"x"}`);
      expect(Object.entries(value)).toEqual([[name, 'x']]);
    },
  );

  it('T-013: reads 100 000 members and 100 000 items', () => {
    const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`m${index}`, index]));
    expect(Object.keys(parse(JSON.stringify(wide)))).toHaveLength(100_000);
    expect(parse(JSON.stringify({ a: Object.values(wide) })).a).toHaveLength(100_000);
  });
});

describe('agreement with JSON.parse', () => {
  const ALPHABET = ['a', ':', '"', '\\', '{', '}', '[', ']', ',', '/', '\n', 'é', '😀', '\u2028', ''];

  it('RFC 8259 §7: any object without repeated members comes back as it was written', () => {
    const next = seeded(1);
    const pick = (count: number) => Math.floor(next() * count);
    const text = () => Array.from({ length: pick(8) }, () => ALPHABET[pick(ALPHABET.length)]).join('');
    const value = (depth: number): unknown => {
      const kind = pick(depth > 4 ? 4 : 6);
      if (kind === 0) return text();
      if (kind === 1) return Math.round((next() - 0.5) * 1e6) / 8;
      if (kind === 2) return null;
      if (kind === 3) return next() < 0.5;
      if (kind === 4) return Array.from({ length: pick(4) }, () => value(depth + 1));
      return object(depth + 1);
    };
    const object = (depth: number): object =>
      Object.fromEntries(Array.from({ length: pick(5) }, () => [text(), value(depth)]));
    for (let round = 0; round < 2_000; round++) {
      const written = JSON.stringify(object(0), null, pick(3));
      expect(parse(written)).toEqual(JSON.parse(written));
    }
  });

  it('T-010: one changed character never makes it accept what JSON.parse refuses', () => {
    const next = seeded(2);
    const seed = '{"alg":"ES256","a\\"b":[1,{"c":"\\\\"}],"d":{"e":null,"f":-1.5e3},"g":"\\u00e9:"}';
    const characters = '{}[]:,"\\ aue0-';
    for (let round = 0; round < 5_000; round++) {
      const at = Math.floor(next() * seed.length);
      const put = characters[Math.floor(next() * characters.length)] as string;
      const text = seed.slice(0, at) + put + seed.slice(at + (next() < 0.5 ? 1 : 0));
      let accepted: unknown;
      try {
        accepted = parse(text);
      } catch (error) {
        expect(error).toBeInstanceOf(SyntaxError);
        continue;
      }
      expect(accepted).toEqual(JSON.parse(text));
    }
  });
});

describe('isJsonObject', () => {
  it.each<[unknown, boolean]>([
    [{}, true],
    [[], false],
    [null, false],
    [undefined, false],
    ['{}', false],
    [1, false],
    [true, false],
  ])('T-010: %j is an object: %s', (value, expected) => {
    expect(isJsonObject(value)).toBe(expected);
  });
});

describe('deepFreeze', () => {
  it('T-107: what was parsed is frozen to the leaves already', () => {
    const value = parse('{"a":[{"b":[1]},[]],"c":{"d":{"e":"\\u00e9"}},"__proto__":{"x":[]}}');
    const frozen = (node: unknown): boolean =>
      typeof node !== 'object' ||
      node === null ||
      (Object.isFrozen(node) && Reflect.ownKeys(node).every((name) => frozen(Reflect.get(node, name))));
    expect(frozen(value)).toBe(true);
    expect(frozen(Object.getOwnPropertyDescriptor(value, '__proto__')?.value)).toBe(true);
  });

  it('T-107: freezes to the leaves, and returns what it was given', () => {
    const value = parse('{"a":[{"b":[1]}],"c":{"d":{"e":"f"}},"__proto__":{"x":[]}}');
    expect(deepFreeze(value)).toBe(value);
    const seen: unknown[] = [];
    const walk = (node: unknown): void => {
      if (typeof node !== 'object' || node === null) return;
      seen.push(node);
      for (const member of Object.values(node)) walk(member);
    };
    walk(value);
    expect(seen).toHaveLength(8);
    expect(seen.every((node) => Object.isFrozen(node))).toBe(true);
  });

  it.each(['a', 1, true, null])('T-107: leaves %j as it is', (value) => {
    expect(deepFreeze(value)).toBe(value);
  });
});
