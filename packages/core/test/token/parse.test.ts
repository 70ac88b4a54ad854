// Strict compact JWS: segments, alphabet, canonical base64url, size, and the JOSE header. No
// signature is looked at here.
import { randomBytes } from 'node:crypto';
import { forge } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import { AuthError } from '../../src/errors.ts';
import { normalizeType, parseToken } from '../../src/token/parse.ts';

const MAX = 8192;
const HEADER = { alg: 'ES256', kid: 'k1', typ: 'JWT' };
const CLAIMS = { iss: 'https://issuer.example', sub: 'alice' };
const SIGNATURE = Buffer.alloc(64, 0x5a);
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const token = (header: unknown = HEADER, payload: unknown = CLAIMS): string =>
  forge({ header, payload, signature: SIGNATURE });

/** The refusal of a token; undefined if there was none. */
function refusal(text: string, maxBytes = MAX): AuthError | undefined {
  try {
    parseToken(text, maxBytes);
    return undefined;
  } catch (error) {
    if (error instanceof AuthError) return error;
    throw error;
  }
}

const codeOf = (text: string, maxBytes = MAX) => refusal(text, maxBytes)?.code;

describe('a well-formed token', () => {
  it('RFC 7515 §7.1: is taken apart', () => {
    const text = token();
    const parsed = parseToken(text, MAX);
    expect(parsed.header).toEqual({ alg: 'ES256', kid: 'k1', typ: 'JWT' });
    expect(parsed.claims).toEqual(CLAIMS);
    expect(parsed.signature.equals(SIGNATURE)).toBe(true);
    expect(parsed.signingInput.toString('latin1')).toBe(text.slice(0, text.lastIndexOf('.')));
  });

  it('RFC 7515 §4.1: needs no more than alg', () => {
    expect(parseToken(token({ alg: 'ES256' }), MAX).header).toEqual({
      alg: 'ES256',
      kid: undefined,
      typ: undefined,
    });
  });

  it('RFC 7515 §4: parameters that are not understood are ignored', () => {
    const header = {
      ...HEADER,
      jwk: { kty: 'oct', k: 'AA' },
      x5u: 'https://evil.example',
      x5c: ['AA'],
      foo: [1],
    };
    expect(parseToken(token(header), MAX).header).toEqual({ alg: 'ES256', kid: 'k1', typ: 'JWT' });
  });

  it('T-017: an unknown alg is not the business of the form', () => {
    expect(parseToken(token({ alg: 'none' }), MAX).header.alg).toBe('none');
  });
});

describe('T-001: segments', () => {
  const [header, payload, signature] = token().split('.') as [string, string, string];

  it.each([
    ['nothing', ''],
    ['one segment', header],
    ['two segments', `${header}.${payload}`],
    ['four segments', `${header}.${payload}.${signature}.${signature}`],
    ['five segments', `${header}.${payload}.${signature}.${signature}.${signature}`],
    ['six segments', [header, payload, signature, header, payload, signature].join('.')],
    ['ten segments', Array.from({ length: 10 }, () => header).join('.')],
    ['a trailing dot', `${token()}.`],
    ['a leading dot', `.${token()}`],
    ['a doubled dot', token().replace('.', '..')],
    ['an empty header', `.${payload}.${signature}`],
    ['an empty payload', `${header}..${signature}`],
    ['an empty signature', `${header}.${payload}.`],
    ['letters only', 'abc'],
  ])('T-001: refuses %s', (_, text) => {
    expect(codeOf(text)).toBe('token_malformed');
  });

  it.each([1, 2, 3, 4, 5, 6, 10, 100_000])(
    'T-001: refuses %i dots, with or without a size limit',
    (count) => {
      const dots = '.'.repeat(count);
      expect(codeOf(dots)).toBe('token_malformed');
      expect(codeOf(dots, Number.POSITIVE_INFINITY)).toBe('token_malformed');
      expect(codeOf(`${token()}${dots}`, Number.POSITIVE_INFINITY)).toBe('token_malformed');
    },
  );

  it('T-002: refuses a megabyte of dots between letters', () => {
    expect(codeOf('a.'.repeat(500_000), Number.POSITIVE_INFINITY)).toBe('token_malformed');
    expect(codeOf('a'.repeat(1_000_000), Number.POSITIVE_INFINITY)).toBe('token_malformed');
  });

  it.each([
    ['five parts', 'e30.e30.e30.e30.e30', 'an encrypted token (JWE), which is not supported'],
    ['four parts', 'e30.e30.e30.e30', '4 parts instead of three'],
    ['a JSON serialization with four dots', '{"a":"b.c.d.e.f"}', 'not three base64url segments'],
    ['other characters in five parts', 'e30.e30.e30.e=.e30', 'not three base64url segments'],
  ])('T-005: says what it is: %s', (_, text, detail) => {
    expect(refusal(text)?.detail).toContain(detail);
  });

  it.each([
    ['direct encryption', ['', 'AAAA', 'AAAA', 'AAAA']],
    ['with a key', ['AAAA', 'AAAA', 'AAAA', 'AAAA']],
  ])('T-044: refuses a JWE, %s', (_, rest) => {
    const protectedHeader = Buffer.from('{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483648}');
    expect(codeOf([protectedHeader.toString('base64url'), ...rest].join('.'))).toBe('token_malformed');
  });
});

describe('T-003: alphabet', () => {
  const segments = token().split('.') as [string, string, string];
  const names = ['header', 'payload', 'signature'] as const;
  const places = ['start', 'middle', 'end'] as const;

  it.each(names.flatMap((name, at) => places.map((place) => [name, place, at] as const)))(
    'T-003: of the 256 bytes only base64url is let into the %s at the %s',
    (_, place, at) => {
      const segment = segments[at] as string;
      const index = place === 'start' ? 0 : place === 'end' ? segment.length : segment.length >> 1;
      for (let byte = 0; byte < 256; byte++) {
        const character = String.fromCharCode(byte);
        if (ALPHABET.includes(character)) continue;
        const changed = segments.slice();
        changed[at] = segment.slice(0, index) + character + segment.slice(index);
        expect([byte, codeOf(changed.join('.'))]).toEqual([byte, 'token_malformed']);
        changed[at] = segment.slice(0, index) + character + segment.slice(index + 1);
        expect([byte, codeOf(changed.join('.'))]).toEqual([byte, 'token_malformed']);
      }
    },
  );

  it('T-003: every base64url character is let into the signature', () => {
    const text = `${segments[0]}.${segments[1]}.${ALPHABET}`;
    expect(parseToken(text, MAX).signature.toString('base64url')).toBe(ALPHABET);
  });

  it.each(['\u200b', '\u00a0', '\ufeff', '\u2024', '\uff0e', '\u0430', '\ud800', '😀', '\r\n', '%2E'])(
    'T-003: refuses %j anywhere',
    (character) => {
      const text = token();
      for (let at = 0; at <= text.length; at++) {
        expect([at, codeOf(text.slice(0, at) + character + text.slice(at))]).toEqual([at, 'token_malformed']);
      }
    },
  );

  it.each(['=', '==', '===', '\n', ' ', '\0'])('T-003: refuses %j after any segment', (suffix) => {
    for (const at of [0, 1, 2]) {
      const changed = segments.slice();
      changed[at] = `${segments[at]}${suffix}`;
      expect(codeOf(changed.join('.'))).toBe('token_malformed');
    }
  });

  it('T-003: refuses characters of which the lower byte is a letter, in segments of any length', () => {
    for (let length = 2; length < 140; length += length < 12 ? 1 : 31) {
      for (const letter of [...ALPHABET, '.']) {
        const lookalike = String.fromCharCode(letter.charCodeAt(0) + 0x100);
        for (const at of [0, length >> 1, length]) {
          const signature = 'A'.repeat(at) + lookalike + 'A'.repeat(length - at);
          expect(codeOf(`${segments[0]}.${segments[1]}.${signature}`)).toBe('token_malformed');
        }
      }
    }
  });

  it('T-003: lets in what is written by the rule, of any text around it, and nothing else', () => {
    const rule = /^[A-Za-z0-9_-]+$/;
    const isGood = (signature: string) =>
      rule.test(signature) && Buffer.from(signature, 'base64url').toString('base64url') === signature;
    const others = [
      ...'+/=.\n\r\t ~*%',
      '\0',
      '\u007f',
      '\u0080',
      '\u00e9',
      '\u0141',
      '\u2028',
      '\ud800',
      '😀',
    ];
    let state = 1;
    const below = (count: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return (state >>> 8) % count;
    };
    let good = 0;
    for (let round = 0; round < 20_000; round++) {
      const characters = Array.from({ length: below(90) }, () => ALPHABET[below(64)] ?? '');
      for (let wrong = below(4); wrong > 0; wrong--)
        characters.splice(below(characters.length + 1), below(2), others[below(others.length)] ?? '');
      const signature = characters.join('');
      const isLetIn = codeOf(`${segments[0]}.${segments[1]}.${signature}`) === undefined;
      expect([signature, isLetIn]).toEqual([signature, isGood(signature)]);
      if (isLetIn) good++;
    }
    expect(good).toBeGreaterThan(1_000);
  });

  it('T-003: a token that is a part of a text of two bytes a character is read as any other', () => {
    const text = `\u20ac${token()}`.slice(1);
    expect(codeOf(text)).toBeUndefined();
    expect(parseToken(text, MAX)).toEqual(parseToken(token(), MAX));
  });

  it('T-003: what was decoded of one token is not changed by the next', () => {
    const one = parseToken(token(HEADER, { ...CLAIMS, sub: 'alice' }), MAX);
    const two = parseToken(token(HEADER, { ...CLAIMS, sub: 'mallory' }), MAX);
    expect([one.claims.sub, two.claims.sub]).toEqual(['alice', 'mallory']);
    expect(one.signingInput.equals(two.signingInput)).toBe(false);
  });

  it('T-003: a payload of any length is read alike', () => {
    for (let length = 6_000; length < 12_500; length += 61) {
      const text = token(HEADER, { ...CLAIMS, pad: 'x'.repeat(length) });
      expect(String(parseToken(text, 65_536).claims.pad)).toHaveLength(length);
    }
  });

  it('T-003: refuses the base64 alphabet', () => {
    const bytes = Buffer.alloc(48, 0xfb);
    expect(bytes.toString('base64')).toMatch(/[+/]/);
    expect(codeOf(`${segments[0]}.${segments[1]}.${bytes.toString('base64')}`)).toBe('token_malformed');
    expect(codeOf(`${segments[0]}.${segments[1]}.${bytes.toString('base64url')}`)).toBeUndefined();
  });
});

describe('T-004: canonical base64url', () => {
  /** All spellings of the last character that decode to the same bytes, but the canonical one. */
  const twins = (segment: string): string[] =>
    [...ALPHABET]
      .map((character) => segment.slice(0, -1) + character)
      .filter(
        (twin) =>
          twin !== segment && Buffer.from(twin, 'base64url').equals(Buffer.from(segment, 'base64url')),
      );

  // Padded with spaces, so that the segment leaves two, three, or no characters in its last group.
  const spaced = (value: object, length: number) => {
    const text = JSON.stringify(value);
    return text + ' '.repeat((3 + length - (text.length % 3)) % 3);
  };

  it.each([
    ['header', 1, 15],
    ['header', 2, 3],
    ['payload', 1, 15],
    ['payload', 2, 3],
    ['signature', 1, 15],
    ['signature', 2, 3],
  ] as const)(
    'T-004: the %s with %i byte(s) in its last group has no other spelling',
    (name, rest, count) => {
      const text = forge({
        header: name === 'header' ? spaced(HEADER, rest) : HEADER,
        payload: name === 'payload' ? spaced(CLAIMS, rest) : CLAIMS,
        signature: name === 'signature' ? Buffer.alloc(63 + rest, 7) : SIGNATURE,
      });
      expect(codeOf(text)).toBeUndefined();
      const segments = text.split('.');
      const at = ['header', 'payload', 'signature'].indexOf(name);
      const spellings = twins(segments[at] as string);
      expect(spellings).toHaveLength(count);
      for (const spelling of spellings) {
        const changed = segments.slice();
        changed[at] = spelling;
        expect(codeOf(changed.join('.'))).toBe('token_malformed');
      }
    },
  );

  it('RFC 4648 §3.5: every last character of a signature is canonical or refused', () => {
    const [header, payload] = token().split('.');
    for (const length of [2, 3, 4]) {
      for (const last of ALPHABET) {
        const signature = 'A'.repeat(length - 1) + last;
        const canonical = Buffer.from(signature, 'base64url').toString('base64url') === signature;
        expect([signature, codeOf(`${header}.${payload}.${signature}`)]).toEqual([
          signature,
          canonical ? undefined : 'token_malformed',
        ]);
      }
    }
  });

  it.each([1, 5, 9, 65])('RFC 4648 §3.2: a signature of %i characters is no base64url', (length) => {
    const [header, payload] = token().split('.');
    expect(codeOf(`${header}.${payload}.${'A'.repeat(length)}`)).toBe('token_malformed');
  });

  it('RFC 7515 §2: any bytes come back as they were encoded', () => {
    for (let length = 1; length <= 100; length++) {
      const signature = randomBytes(length);
      const parsed = parseToken(forge({ header: HEADER, payload: CLAIMS, signature }), MAX);
      expect(parsed.signature.equals(signature)).toBe(true);
    }
  });
});

describe('T-005: other serializations', () => {
  const [header, payload, signature] = token().split('.') as [string, string, string];

  it.each([
    ['flattened', JSON.stringify({ protected: header, payload, signature })],
    ['general', JSON.stringify({ payload, signatures: [{ protected: header, signature }] })],
    ['with a compact token as its payload', JSON.stringify({ payload: token(), signature })],
    ['a compact token in quotes', JSON.stringify(token())],
    ['a compact token in braces', `{${token()}}`],
    ['a compact token that a member follows', `${token()}{"a":1}`],
    ['a scheme before the token', `Bearer ${token()}`],
  ])('T-005: refuses JSON serialization, %s', (_, text) => {
    expect(codeOf(text)).toBe('token_malformed');
  });
});

describe('T-006: size', () => {
  const padded = (length: number) => {
    const text = token();
    return text + 'A'.repeat(length - text.length);
  };

  it('T-006: 8192 bytes pass and 8193 do not', () => {
    // Of these one has a signature that is canonical at the limit itself.
    const spaces = [0, 1, 2, 3].map((count) => token(HEADER, JSON.stringify(CLAIMS) + ' '.repeat(count)));
    const text = spaces
      .map((start) => start + 'A'.repeat(MAX - start.length))
      .find((candidate) => codeOf(candidate, Number.POSITIVE_INFINITY) === undefined) as string;
    expect(text).toHaveLength(MAX);
    expect(codeOf(text, MAX)).toBeUndefined();
    expect(codeOf(text, MAX - 1)).toBe('token_malformed');
  });

  it.each([MAX + 1, 64 * 1024, 1024 * 1024, 16 * 1024 * 1024])('T-006: refuses %i bytes', (length) => {
    const error = refusal(padded(length));
    expect(error?.code).toBe('token_malformed');
    expect(error?.detail).toBe(`longer than ${MAX} bytes`);
  });

  it('T-054: an aud of 100 000 entries is refused for its size', () => {
    const aud = Array.from({ length: 100_000 }, () => 'https://api.example.com');
    expect(codeOf(token(HEADER, { ...CLAIMS, aud }))).toBe('token_malformed');
  });

  it('T-048: a header of 10 000 members is refused for its size', () => {
    const members = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`m${index}`, index]));
    expect(codeOf(token({ ...HEADER, ...members }))).toBe('token_malformed');
  });
});

describe('T-010: header and payload are strict JSON objects', () => {
  const wrong: readonly (readonly [string, string | Uint8Array])[] = [
    ['an array', '[]'],
    ['an array with the object', `[${JSON.stringify(HEADER)}]`],
    ['a string', '"x"'],
    ['a number', '1'],
    ['null', 'null'],
    ['true', 'true'],
    ['text', 'x'],
    ['a space', ' '],
    ['trailing junk', '{"alg":"ES256"}x'],
    ['two objects', '{"alg":"ES256"}{"alg":"ES256"}'],
    ['a trailing comma', '{"alg":"ES256",}'],
    ['a repeated member', '{"alg":"none","alg":"ES256"}'],
    ['an escaped twin', '{"alg":"ES256","\\u0061lg":"none"}'],
    ['a byte order mark', Buffer.from('\ufeff{"alg":"ES256"}')],
    ['invalid UTF-8', Buffer.from('{"alg":"ES256","x":"\xff"}', 'latin1')],
    ['UTF-16', Buffer.from('{"alg":"ES256"}', 'utf16le')],
    ['a lone surrogate', '{"alg":"ES256","x":"\\ud800"}'],
    ['a number out of range', '{"alg":"ES256","x":1e400}'],
    ['33 levels', `{"alg":"ES256","x":${'['.repeat(32)}${']'.repeat(32)}}`],
    ['20 000 levels', `{"alg":"ES256","x":${'['.repeat(2_500)}${']'.repeat(2_500)}}`],
  ];

  it.each(wrong)('T-010: refuses a header that is %s', (_, header) => {
    expect(codeOf(token(header))).toBe('token_malformed');
  });

  it.each(wrong)('T-010: refuses a payload that is %s', (_, payload) => {
    expect(codeOf(token(HEADER, payload))).toBe('token_malformed');
  });

  it('T-010: accepts an empty payload object', () => {
    expect(parseToken(token(HEADER, '{}'), MAX).claims).toEqual({});
  });

  it('T-047: refuses a payload that is another token', () => {
    expect(codeOf(token(HEADER, token()))).toBe('token_malformed');
  });

  it('leaves the stacks of others as long as they were, whatever it refuses', () => {
    const limit = Error.stackTraceLimit;
    for (const payload of ['{"a":oops}', 'oops', '{"a":1,"a":2}', '{']) {
      expect(codeOf(token(HEADER, payload))).toBe('token_malformed');
      expect(Error.stackTraceLimit).toBe(limit);
    }
  });

  it('T-011: names the part and the reason in the detail, and nothing of the token', () => {
    const error = refusal(token(HEADER, '{"canary-5f1d7c":1,"canary-5f1d7c":2}'));
    expect(error?.detail).toBe('the payload is not strict JSON: a member is repeated');
    expect(error?.cause).toBeUndefined();
    expect(JSON.stringify({ ...error })).not.toContain('canary');
  });
});

describe('T-042 to T-045: header parameters that change what a token is', () => {
  const values: readonly unknown[] = [
    [],
    ['exp'],
    ['b64'],
    ['alg'],
    ['__proto__'],
    ['exp', 'exp'],
    [''],
    [1],
    null,
    '',
    'x',
    0,
    true,
    false,
    {},
  ];

  it.each(['crit', 'b64', 'zip', 'enc'].flatMap((name) => values.map((value) => [name, value] as const)))(
    'RFC 7515 §4.1.11: refuses %s: %j',
    (name, value) => {
      const error = refusal(token({ ...HEADER, [name]: value }));
      expect(error?.code).toBe('token_malformed');
      expect(error?.detail).toBe(`the header parameter ${name} is not supported`);
    },
  );

  it.each([
    ['unknown and listed', { crit: ['x'], x: 1 }],
    ['listed and absent', { crit: ['x'] }],
    ['b64 false as RFC 7797 has it', { crit: ['b64'], b64: false }],
    ['b64 true', { crit: ['b64'], b64: true }],
    ['zip of a bomb', { zip: 'DEF' }],
    ['escaped', '{"alg":"ES256","\\u0063rit":["x"]}'],
  ])('T-043: refuses crit, b64 and zip: %s', (_, extra) => {
    expect(codeOf(token(typeof extra === 'string' ? extra : { ...HEADER, ...extra }))).toBe(
      'token_malformed',
    );
  });

  it.each(['Crit', 'CRIT', 'crit ', 'B64'])(
    'RFC 7515 §4: names are case-sensitive, %j is another one',
    (name) => {
      expect(codeOf(token({ ...HEADER, [name]: ['x'] }))).toBeUndefined();
    },
  );
});

describe('normalizeType()', () => {
  it.each([
    ['JWT', 'jwt'],
    ['application/at+JWT', 'at+jwt'],
    ['APPLICATION/kb+jwt', 'kb+jwt'],
    // KELVIN SIGN is not a k.
    ['\u212ab+jwt', '\u212ab+jwt'],
    ['application/\u212ab+jwt', '\u212ab+jwt'],
  ])('%j is %j', (type, normal) => expect(normalizeType(type)).toBe(normal));
});

describe('types of header parameters', () => {
  const notStrings: readonly unknown[] = [null, '', 0, 1, true, false, [], ['ES256'], {}, { a: 'ES256' }];

  it.each(notStrings)('T-017: refuses alg: %j', (alg) => {
    expect(codeOf(token({ ...HEADER, alg }))).toBe('token_malformed');
  });

  it('T-017: refuses a header without alg', () => {
    expect(codeOf(token({ kid: 'k1', typ: 'JWT' }))).toBe('token_malformed');
    expect(codeOf(token('{}'))).toBe('token_malformed');
  });

  it('T-014: an alg that is inherited is none', () => {
    expect(codeOf(token('{"__proto__":{"alg":"ES256"}}'))).toBe('token_malformed');
  });

  it.each(notStrings)('T-039: refuses kid: %j', (kid) => {
    expect(codeOf(token({ ...HEADER, kid }))).toBe('token_malformed');
  });

  it('T-039: a kid of 256 characters passes, and a longer one does not', () => {
    expect(parseToken(token({ ...HEADER, kid: 'k'.repeat(256) }), MAX).header.kid).toHaveLength(256);
    expect(codeOf(token({ ...HEADER, kid: 'k'.repeat(257) }))).toBe('token_malformed');
    expect(codeOf(token({ ...HEADER, kid: 'k'.repeat(100_000) }), 1_000_000)).toBe('token_malformed');
  });

  it.each(['../../dev/null', "' OR 1=1 --", '__proto__', 'constructor', 'http://evil.example', 'a\r\nb'])(
    'T-040: a kid %j is carried as it is',
    (kid) => {
      expect(parseToken(token({ ...HEADER, kid }), MAX).header.kid).toBe(kid);
    },
  );

  it.each(notStrings)('T-046: refuses typ: %j', (typ) => {
    expect(codeOf(token({ ...HEADER, typ }))).toBe('token_malformed');
  });

  it.each(['JWT', 'at+jwt', 'application/at+jwt', 'dpop+jwt'])('T-046: typ %s is carried as it is', (typ) => {
    expect(parseToken(token({ ...HEADER, typ }), MAX).header.typ).toBe(typ);
  });

  it.each([...notStrings, 'JWT', 'jwt', 'Jwt', 'application/jwt', 'APPLICATION/JWT'])(
    'T-047: refuses cty: %j',
    (cty) => {
      expect(codeOf(token({ ...HEADER, cty }))).toBe('token_malformed');
    },
  );

  it.each(['json', 'application/json', 'jwt2', 'xjwt'])(
    'RFC 7515 §4.1.10: cty %s is for the application',
    (cty) => {
      expect(codeOf(token({ ...HEADER, cty }))).toBeUndefined();
    },
  );
});

it.each(['{"alg":"ES256"}', '{"alg":"ES256" }', '{"alg":"ES256"  }'])(
  'T-001: one segment is no token, though it is a header: %s',
  (header) => {
    const segment = Buffer.from(header).toString('base64url');
    for (const token of [segment, `${segment}A`, `${segment}AA`, `${segment}.`, `${segment}.${segment}`])
      expect(() => parseToken(token, 8192)).toThrow(AuthError);
  },
);
