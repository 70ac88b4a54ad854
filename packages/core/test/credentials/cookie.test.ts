// A token in a cookie: finding it, two of a name, and from which pages unsafe methods may come.
import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, it } from 'vitest';
import { readTokenFrom } from '../../src/credentials/find.ts';
import { isAuthError } from '../../src/errors.ts';

const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.e30.c2ln';

/** The token, or the code of the refusal. */
function answer(
  headers: IncomingHttpHeaders,
  method = 'GET',
  allowedOrigins?: readonly string[],
): string | undefined {
  try {
    const carrier = { cookie: 't', ...(allowedOrigins === undefined ? {} : { allowedOrigins }) };
    return readTokenFrom([carrier]).find({ method, url: '/', headers, rawHeaders: [] });
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return error.code;
  }
}

describe('AM-5, T-080: the cookie', () => {
  it.each<[string | undefined, string | undefined]>([
    [undefined, undefined],
    ['', undefined],
    [`t=${TOKEN}`, TOKEN],
    [`a=b; t=${TOKEN}; c=d`, TOKEN],
    [`a=b;t=${TOKEN}`, TOKEN],
    [` t = ${TOKEN} `, TOKEN],
    [`t="${TOKEN}"`, TOKEN],
    [`t=${TOKEN}; t=${TOKEN}`, TOKEN],
    [`t=${TOKEN}; t="${TOKEN}"`, TOKEN],
    [`t=${TOKEN}; t=other`, 'credentials_ambiguous'],
    [`t=other; a=b; t=${TOKEN}`, 'credentials_ambiguous'],
    [`t=; t=${TOKEN}`, 'credentials_ambiguous'],
    [`t=${TOKEN}; t=`, 'credentials_ambiguous'],
    ['t=', undefined],
    ['t=""', undefined],
    ['t', undefined],
    [`T=${TOKEN}`, undefined],
    [`tt=${TOKEN}`, undefined],
    [`a=t=${TOKEN}`, undefined],
    [`%74=${TOKEN}`, undefined],
    ['t=a=b', 'a=b'],
    ['t=a%2Eb', 'a%2Eb'],
    ['t="a', '"a'],
    ['t=a"', 'a"'],
    ['tx', undefined],
    ['tx; a=b', undefined],
    ['t="', '"'],
    [`__proto__=${TOKEN}`, undefined],
    [`\tt\t=\t${TOKEN}\t`, TOKEN],
    // Of white space, a browser takes away spaces and tabs only, so these are other cookies.
    ...['\u00a0', '\u0085', '\u000b', '\u000c', '\ufeff', '\u2028'].flatMap((blank) => [
      [`${blank}t=${TOKEN}`, undefined] as [string, undefined],
      [`t${blank}=${TOKEN}`, undefined] as [string, undefined],
      [`t=${TOKEN}; ${blank}t=planted`, TOKEN] as [string, string],
      [`t=${blank}${TOKEN}`, `${blank}${TOKEN}`] as [string, string],
    ]),
  ])('AM-5, T-080: %j: %j', (cookie, expected) => {
    expect(answer(cookie === undefined ? {} : { cookie })).toBe(expected);
  });

  it('T-080: two Cookie headers, as Node joins them', () => {
    expect(answer({ cookie: ['a=b', `t=${TOKEN}`].join('; ') })).toBe(TOKEN);
    expect(answer({ cookie: [`t=${TOKEN}`, 't=planted'].join('; ') })).toBe('credentials_ambiguous');
  });

  it('T-080: __Host- is a name like any other', () => {
    const finder = readTokenFrom([{ cookie: '__Host-t' }]);
    const headers = { cookie: `t=planted; __Host-t=${TOKEN}` };
    expect(finder.find({ method: 'GET', headers, rawHeaders: [] })).toBe(TOKEN);
  });
});

describe('D12, T-081: unsafe methods', () => {
  const SAFE = ['GET', 'HEAD', 'OPTIONS', 'TRACE'];
  const UNSAFE = ['POST', 'PUT', 'PATCH', 'DELETE', 'QUERY', 'PROPFIND', 'get', 'X'];
  const ORIGINS = [
    undefined,
    'null',
    '',
    'https://api.example.com',
    'https://app.example.com',
    'https://evil.example',
    'https://api.example.com.evil.example',
    'https://app.example.com:8443',
    'http://app.example.com',
    'https://APP.example.com',
    'https://app.example.com/',
    'https://user@app.example.com',
  ];
  const SITES = [undefined, 'same-origin', 'same-site', 'cross-site', 'none', 'SAME-ORIGIN', ''];
  const OWN = 'https://api.example.com';
  const ALLOWED = 'https://app.example.com';

  /** By hand: what may pass with an unsafe method. */
  const mayPass = (origin: string | undefined, site: string | undefined, allowed: boolean): boolean => {
    if (allowed && origin === ALLOWED) return true;
    if (site === 'same-origin') return true;
    if (site === 'none') return origin === undefined;
    return site === undefined && origin === OWN;
  };

  const matrix = ORIGINS.flatMap((origin) =>
    SITES.flatMap((site) => [false, true].map((allowed) => [origin, site, allowed] as const)),
  );

  it.each(matrix)('T-081: Origin %j, Sec-Fetch-Site %j, %s', (origin, site, allowed) => {
    const headers: IncomingHttpHeaders = {
      host: 'api.example.com',
      cookie: `t=${TOKEN}`,
      ...(origin === undefined ? {} : { origin }),
      ...(site === undefined ? {} : { 'sec-fetch-site': site }),
    };
    const origins = allowed ? [ALLOWED] : undefined;
    for (const method of SAFE) expect([method, answer(headers, method, origins)]).toEqual([method, TOKEN]);
    const expected = mayPass(origin, site, allowed) ? TOKEN : 'origin_refused';
    for (const method of UNSAFE)
      expect([method, answer(headers, method, origins)]).toEqual([method, expected]);
  });

  it('T-081: no method at all is no safe one', () => {
    const finder = readTokenFrom([{ cookie: 't' }]);
    const request = { headers: { host: 'a', cookie: `t=${TOKEN}` }, rawHeaders: [] };
    expect(() => finder.find(request)).toThrow('from another origin');
  });

  it.each<[string | undefined, string, string]>([
    ['localhost:3000', 'http://localhost:3000', TOKEN],
    ['localhost:3000', 'http://localhost:3001', 'origin_refused'],
    ['localhost:3000', 'http://localhost', 'origin_refused'],
    ['api.example.com', 'https://api.example.com:443', TOKEN],
    [undefined, 'https://api.example.com', 'origin_refused'],
    [undefined, 'null', 'origin_refused'],
    ['', 'null', 'origin_refused'],
    ['null', 'null', 'origin_refused'],
    ['evil.example', 'https://api.example.com', 'origin_refused'],
  ])('T-081: Host %j and Origin %s, where no browser says the site: %s', (host, origin, expected) => {
    const headers = { cookie: `t=${TOKEN}`, origin, ...(host === undefined ? {} : { host }) };
    expect(answer(headers, 'POST')).toBe(expected);
  });

  it.each([
    ['https://api.example.com', TOKEN],
    ['https://evil.example', 'origin_refused'],
  ])('T-081: Origin %s over HTTP/2, where no browser says the site: %s', (origin, expected) => {
    const headers = { ':authority': 'api.example.com', cookie: `t=${TOKEN}`, origin };
    expect(answer(headers, 'POST')).toBe(expected);
    expect(answer({ ...headers, host: 'other.example' }, 'POST')).toBe('origin_refused');
  });

  it('T-092: forwarded hosts decide nothing', () => {
    const headers = {
      host: 'api.example.com',
      'x-forwarded-host': 'evil.example',
      forwarded: 'host=evil.example',
      origin: 'https://evil.example',
      cookie: `t=${TOKEN}`,
    };
    expect(answer(headers, 'POST')).toBe('origin_refused');
  });

  it('T-081: a request without the cookie is not asked for its origin', () => {
    const foreign = { host: 'api.example.com', origin: 'https://evil.example', cookie: 'a=b' };
    expect(answer(foreign, 'POST')).toBeUndefined();
  });

  it('T-081: a token in a header needs no origin, also where a cookie might hold one', () => {
    const finder = readTokenFrom([{ cookie: 't' }, { header: 'Authorization' }]);
    const headers = { host: 'a', origin: 'https://evil.example', authorization: `Bearer ${TOKEN}` };
    expect(finder.find({ method: 'POST', headers, rawHeaders: [] })).toBe(TOKEN);
  });
});
