// tokenFrom: one token in one place, in all combinations of places, and what is no place.
import { describe, expect, it } from 'vitest';
import { readTokenFrom, type TokenFinder } from '../../src/credentials/find.ts';
import type { Carrier } from '../../src/credentials/options.ts';
import type { RequestView } from '../../src/credentials/request.ts';
import { ConfigError, isAuthError } from '../../src/errors.ts';

const HEADER = { header: 'Authorization' };
const COOKIE = { cookie: 't' };
const QUERY = { query: 'access_token' };
const BODY = { body: 'access_token' };
const ALL: readonly Carrier[] = [HEADER, COOKIE, QUERY, BODY];

const combinations = Array.from({ length: 16 }, (_, bits) =>
  ['header', 'cookie', 'query', 'body'].filter((_, index) => (bits >> index) & 1),
);

/** Finds, and checks what finding leaves open. */
function found(finder: TokenFinder, request: RequestView): string | undefined {
  const token = finder.find(request);
  if (token !== undefined) finder.check(token);
  return token;
}

function find(carriers: readonly Carrier[], places: readonly string[], same: boolean): string | undefined {
  const token = (place: string) => (same ? 'token' : place);
  const headers = {
    host: 'a.example',
    'content-type': 'application/x-www-form-urlencoded',
    'sec-fetch-site': 'same-origin',
    ...(places.includes('header') ? { authorization: `Bearer ${token('header')}` } : {}),
    ...(places.includes('cookie') ? { cookie: `t=${token('cookie')}` } : {}),
  };
  try {
    return found(readTokenFrom(carriers), {
      method: 'POST',
      url: places.includes('query') ? `/?access_token=${token('query')}` : '/',
      headers,
      rawHeaders: [],
      body: places.includes('body') ? { access_token: token('body') } : {},
    });
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return error.code;
  }
}

describe('T-078: tokens in several places', () => {
  it.each(combinations.map((places) => [places.join(' + '), places] as const))('T-078: %s', (_, places) => {
    const expected = places.length > 1 ? 'credentials_ambiguous' : places[0];
    for (const carriers of [ALL, ALL.toReversed()]) {
      expect(find(carriers, places, false)).toBe(expected);
      expect(find(carriers, places, true)).toBe(places.length === 1 ? 'token' : expected);
    }
  });

  it.each(combinations.map((places) => [places.join(' + '), places] as const))(
    'T-078, AM-5: %s, where only the header is asked',
    (_, places) => {
      const expected = places.includes('header') ? 'header' : undefined;
      expect(find([HEADER], places, false)).toBe(expected);
    },
  );

  it('S35: another scheme is no token, and the next place is asked', () => {
    const finder = readTokenFrom([HEADER, QUERY]);
    const headers = { authorization: 'Basic YTpi' };
    expect(finder.find({ method: 'GET', url: '/?access_token=abc', headers, rawHeaders: [] })).toBe('abc');
  });

  it('S35: what cannot be read in one place is not passed over for another', () => {
    const finder = readTokenFrom([HEADER, QUERY]);
    const headers = { authorization: 'Bearer a b' };
    const read = () => finder.find({ method: 'GET', url: '/?access_token=abc', headers, rawHeaders: [] });
    expect(read).toThrow('malformed');
  });

  it('T-078: one name in two carriers is two tokens', () => {
    const finder = readTokenFrom([{ header: 'X-One' }, { header: 'X-Two' }]);
    const headers = { 'x-one': 'a', 'x-two': 'a' };
    expect(() => finder.find({ method: 'GET', headers, rawHeaders: [] })).toThrow('More than one credential');
  });

  it('T-078: the detail names both places, and neither token', () => {
    const headers = { authorization: 'Bearer abc', cookie: 'session=abc' };
    const finder = readTokenFrom([HEADER, { cookie: 'session' }]);
    expect(() => finder.find({ method: 'GET', headers, rawHeaders: [] })).toThrow(
      expect.objectContaining({
        code: 'credentials_ambiguous',
        detail: 'tokens in header Authorization and cookie session; a request may have one (RFC 6750 §2)',
      }),
    );
  });

  it('D11: names what has to be concealed', () => {
    expect(readTokenFrom(ALL).queryNames).toEqual(['access_token']);
    expect(readTokenFrom([{ query: 'a' }, { query: 'b' }]).queryNames).toEqual(['a', 'b']);
    expect(readTokenFrom([HEADER, COOKIE, BODY]).queryNames).toEqual([]);
  });
});

it('AM-5: a token may be in a form only where a place says so', () => {
  expect(readTokenFrom([HEADER]).readsBody).toBe(false);
  expect(readTokenFrom([HEADER, COOKIE, QUERY]).readsBody).toBe(false);
  expect(readTokenFrom([HEADER, BODY]).readsBody).toBe(true);
  expect(readTokenFrom([BODY]).readsBody).toBe(true);
});

describe('what a note hears', () => {
  const note = (carriers: readonly Carrier[], request: RequestView) => {
    const heard: (readonly unknown[])[] = [];
    let outcome: unknown;
    try {
      outcome = readTokenFrom(carriers).find(request, (place, token, refusal) =>
        heard.push([place, token, refusal?.code]),
      );
    } catch (error) {
      outcome = isAuthError(error) ? error.code : error;
    }
    return { heard, outcome };
  };
  const request = { method: 'GET', url: '/?access_token=abc', headers: {}, rawHeaders: [] };
  const malformed = { ...request, headers: { authorization: 'Bearer a b' } };

  it('each place, and the token where it is', () => {
    expect(note([HEADER, QUERY], request)).toEqual({
      heard: [
        ['header Authorization', undefined, undefined],
        ['query access_token', 'abc', undefined],
      ],
      outcome: 'abc',
    });
    expect(note([HEADER], { ...request, headers: { authorization: 'Bearer abc' } })).toEqual({
      heard: [['header Authorization', 'abc', undefined]],
      outcome: 'abc',
    });
  });

  it('what is wrong in one place, and the others all the same; the first refusal counts', () => {
    expect(note([HEADER], malformed)).toEqual({
      heard: [['header Authorization', undefined, 'credentials_malformed']],
      outcome: 'credentials_malformed',
    });
    const twice = { ...malformed, url: '/?access_token=a&access_token=b' };
    expect(note([HEADER, QUERY], twice)).toEqual({
      heard: [
        ['header Authorization', undefined, 'credentials_malformed'],
        ['query access_token', undefined, 'credentials_ambiguous'],
      ],
      outcome: 'credentials_malformed',
    });
  });

  it('nothing of a fault, which is no refusal', () => {
    const fault = new TypeError('no headers');
    const broken: RequestView = {
      get headers(): never {
        throw fault;
      },
    };
    for (const carriers of [[HEADER], [HEADER, QUERY]])
      expect(note(carriers, broken)).toEqual({ heard: [], outcome: fault });
  });
});

describe('T-085, S35: headers of any name', () => {
  it.each<[Carrier, Record<string, string>, string | undefined]>([
    [{ header: 'X-Token' }, { 'x-token': 'abc' }, 'abc'],
    [{ header: 'x-TOKEN' }, { 'x-token': 'abc' }, 'abc'],
    [{ header: 'X-Token' }, { x_token: 'abc' }, undefined],
    [{ header: 'X-Token' }, { 'x-forwarded-token': 'abc' }, undefined],
    [{ header: 'X-Token' }, { 'x-token': '' }, undefined],
    [{ header: 'X-Token' }, { 'x-token': 'Bearer abc' }, 'credentials_malformed'],
    [{ header: 'X-Token' }, { 'x-token': 'abc, abc' }, 'credentials_malformed'],
    [{ header: 'X-Token', scheme: 'Bearer' }, { 'x-token': 'bearer  abc' }, 'abc'],
    [{ header: 'X-Token', scheme: 'Bearer' }, { 'x-token': 'abc' }, undefined],
    [{ header: 'X-Token', scheme: 'JWT' }, { 'x-token': 'jwt abc' }, 'abc'],
    [{ header: 'Authorization', scheme: 'JWT' }, { authorization: 'Bearer abc' }, undefined],
    [{ header: 'Authorization', scheme: 'Bear' }, { authorization: 'Bearer abc' }, undefined],
    [{ header: 'Authorization', scheme: null }, { authorization: 'abc' }, 'abc'],
    [{ header: 'Authorization', scheme: null }, { authorization: 'Bearer abc' }, 'credentials_malformed'],
    [{ header: 'authorization' }, { authorization: 'BEARER abc' }, 'abc'],
    [{ header: 'Proxy-Authorization' }, { authorization: 'Bearer abc' }, undefined],
    [{ header: '__proto__' }, {}, undefined],
  ])('T-085: %j on %j: %j', (carrier, headers, expected) => {
    const seen = (() => {
      try {
        return found(readTokenFrom([carrier]), {
          method: 'GET',
          headers: Object.assign(Object.create(null), headers),
          rawHeaders: Object.entries(headers).flat(),
        });
      } catch (error) {
        if (!isAuthError(error)) throw error;
        return error.code;
      }
    })();
    expect(seen).toBe(expected);
  });

  it('T-085: twice the header is ambiguous, also where Node kept one', () => {
    const finder = readTokenFrom([{ header: 'X-Token' }]);
    const twice = { headers: { 'x-token': 'abc' }, rawHeaders: ['X-Token', 'abc', 'x-token', 'abc'] };
    expect(() => finder.find({ method: 'GET', ...twice })).toThrow('More than one credential');
  });
});

describe('T-056: what is no place', () => {
  it.each<[string, unknown, string]>([
    ['null', null, 'tokenFrom'],
    ['an empty list', [], 'tokenFrom'],
    ['one carrier', HEADER, 'tokenFrom'],
    ['a name', ['Authorization'], 'tokenFrom[0]'],
    ['null in the list', [null], 'tokenFrom[0]'],
    ['a hole', new Array(1), 'tokenFrom[0]'],
    ['no place', [{}], 'tokenFrom[0]'],
    ['a place that is undefined', [{ cookie: undefined }], 'tokenFrom[0].cookie'],
    ['two places', [{ header: 'a', cookie: 'b' }], 'tokenFrom[0]'],
    ['query and body', [{ query: 'a', body: 'a' }], 'tokenFrom[0]'],
    ['an unknown member', [HEADER, { header: 'a', prefix: 'x' }], 'tokenFrom[1].prefix'],
    ['Cookie for cookie', [{ Cookie: 't' }], 'tokenFrom[0].Cookie'],
    ['an empty header', [{ header: '' }], 'tokenFrom[0].header'],
    ['a header with a colon', [{ header: 'a:' }], 'tokenFrom[0].header'],
    ['a header with a newline', [{ header: 'a\n' }], 'tokenFrom[0].header'],
    ['a header that is null', [{ header: null }], 'tokenFrom[0].header'],
    ['an empty scheme', [{ header: 'a', scheme: '' }], 'tokenFrom[0].scheme'],
    ['a scheme with a space', [{ header: 'a', scheme: 'a b' }], 'tokenFrom[0].scheme'],
    ['a scheme for a cookie', [{ cookie: 'a', scheme: 'Bearer' }], 'tokenFrom[0].scheme'],
    ['a scheme for a query', [{ query: 'a', scheme: null }], 'tokenFrom[0].scheme'],
    ['a cookie with =', [{ cookie: 'a=b' }], 'tokenFrom[0].cookie'],
    ['a cookie with ;', [{ cookie: 'a;' }], 'tokenFrom[0].cookie'],
    ['an empty cookie', [{ cookie: '' }], 'tokenFrom[0].cookie'],
    ['an empty query', [{ query: '' }], 'tokenFrom[0].query'],
    ['a query that is a number', [{ query: 5 }], 'tokenFrom[0].query'],
    ['an empty body', [{ body: ' ' }], 'tokenFrom[0].body'],
    [
      'origins for a header',
      [{ header: 'a', allowedOrigins: ['https://a.example'] }],
      'tokenFrom[0].allowedOrigins',
    ],
    ['no origins', [{ cookie: 'a', allowedOrigins: [] }], 'tokenFrom[0].allowedOrigins'],
    [
      'origins as text',
      [{ cookie: 'a', allowedOrigins: 'https://a.example' }],
      'tokenFrom[0].allowedOrigins',
    ],
    ['any origin', [{ cookie: 'a', allowedOrigins: ['*'] }], 'tokenFrom[0].allowedOrigins[0]'],
    ['the origin null', [{ cookie: 'a', allowedOrigins: ['null'] }], 'tokenFrom[0].allowedOrigins[0]'],
    [
      'an origin with a slash',
      [{ cookie: 'a', allowedOrigins: ['https://a.example/'] }],
      'tokenFrom[0].allowedOrigins[0]',
    ],
    [
      'an origin with its default port',
      [{ cookie: 'a', allowedOrigins: ['https://a.example', 'https://a.example:443'] }],
      'tokenFrom[0].allowedOrigins[1]',
    ],
    ['a host', [{ cookie: 'a', allowedOrigins: ['a.example'] }], 'tokenFrom[0].allowedOrigins[0]'],
    [
      'an origin in capitals',
      [{ cookie: 'a', allowedOrigins: ['https://A.example'] }],
      'tokenFrom[0].allowedOrigins[0]',
    ],
  ])('T-056: %s', (_, tokenFrom, path) => {
    const build = () => readTokenFrom(tokenFrom);
    expect(build).toThrow(ConfigError);
    expect(build).toThrow(`${path}: `);
  });
});
