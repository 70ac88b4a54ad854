// A token in the query or in a form: finding it, and taking it out of what handlers and loggers
// see.
import { connect, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { readTokenFrom } from '../../src/credentials/find.ts';
import { concealQuery, concealToken } from '../../src/credentials/query.ts';
import type { RequestView } from '../../src/credentials/request.ts';
import { ConfigError, isAuthError } from '../../src/errors.ts';
import { ratioOf } from '../support/ratio.ts';

function answer(
  carrier: { query: string } | { body: string },
  request: Partial<RequestView>,
): string | undefined {
  try {
    return readTokenFrom([carrier]).find({ method: 'GET', headers: {}, rawHeaders: [], ...request });
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return error.code;
  }
}

describe('AM-5, T-082: a token in the query', () => {
  it.each<[string | undefined, string | undefined]>([
    [undefined, undefined],
    ['', undefined],
    ['/', undefined],
    ['/?', undefined],
    ['/?access_token=abc', 'abc'],
    ['/?a=1&access_token=abc&b=2', 'abc'],
    ['?access_token=abc', 'abc'],
    ['/x/y?access_token=abc', 'abc'],
    ['/?access_token=a%2Eb', 'a.b'],
    ['/?access%5Ftoken=abc', 'abc'],
    ['/?access_token=a=b', 'a=b'],
    ['/?access_token=', undefined],
    ['/?access_token', undefined],
    ['/?access_token=abc&access_token=abc', 'credentials_ambiguous'],
    ['/?access_token=abc&access_token=def', 'credentials_ambiguous'],
    ['/?access_token=abc&access%5Ftoken=def', 'credentials_ambiguous'],
    ['/?access_token=&access_token=abc', 'credentials_ambiguous'],
    ['/?access_token=abc&access_token', 'credentials_ambiguous'],
    ['/?access_token[]=abc', undefined],
    ['/?access_token[0]=abc', undefined],
    ['/?access_token%5B%5D=abc', undefined],
    ['/?access_token[a]=abc', undefined],
    ['/?Access_Token=abc', undefined],
    ['/?xaccess_token=abc', undefined],
    ['/access_token=abc', undefined],
    ['/?a=b?access_token=abc', undefined],
    ['/?a=%26access_token=abc', undefined],
    ['/?a=1;access_token=abc', undefined],
  ])('T-082: %s: %j', (url, expected) => {
    expect(answer({ query: 'access_token' }, url === undefined ? {} : { url })).toBe(expected);
  });

  it('D11, T-082: is off unless it is asked for', () => {
    const finder = readTokenFrom(undefined);
    expect(
      finder.find({ method: 'GET', url: '/?access_token=abc', headers: {}, rawHeaders: [] }),
    ).toBeUndefined();
    expect(finder.queryNames).toEqual([]);
  });
});

describe('D11, T-083: taking it out', () => {
  const concealed = (url: string, originalUrl?: string, names: readonly string[] = ['access_token']) => {
    const headers: Record<string, string> = {};
    const request: { url?: string; originalUrl?: string } = { url };
    if (originalUrl !== undefined) request.originalUrl = originalUrl;
    const concealment = concealQuery({ ...request, headers: {} }, names);
    if (concealment !== undefined) {
      request.url = concealment.strip(url);
      if (originalUrl !== undefined) request.originalUrl = concealment.strip(originalUrl);
      Object.assign(headers, concealment.headers);
    }
    return { request, headers };
  };
  const HEADERS = { 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' };

  it.each<[string, string]>([
    ['/x?access_token=abc', '/x'],
    ['/x?a=1&access_token=abc', '/x?a=1'],
    ['/x?access_token=abc&a=1', '/x?a=1'],
    ['/x?a=1&access_token=abc&b=2', '/x?a=1&b=2'],
    ['/x?access_token=abc&access_token=def&a=1', '/x?a=1'],
    ['/x?access%5Ftoken=abc&a=1', '/x?a=1'],
    ['/x?access_token=&a=1', '/x?a=1'],
    ['/x?access_token&a=1', '/x?a=1'],
    // Byte for byte.
    ['/x?a=%7e%7E+%20é&access_token=abc', '/x?a=%7e%7E+%20é'],
    ['/x?a&b=&=c&&access_token=abc&d=e=f', '/x?a&b=&=c&&d=e=f'],
    ['/x?a[]=1&a[]=2&access_token=abc', '/x?a[]=1&a[]=2'],
    ['/x?a=b?c&access_token=abc', '/x?a=b?c'],
    ['/x?z=1&access_token=abc&a=1', '/x?z=1&a=1'],
    ['/%2e/x//y?access_token=abc', '/%2e/x//y'],
    ['/x?a=access_token%3Dabc&access_token=abc', '/x?a=access_token%3Dabc'],
    ['/x?access_tokens=1&access_token=abc', '/x?access_tokens=1'],
  ])('T-083: %s becomes %s', (url, expected) => {
    const { request, headers } = concealed(url, `/mounted${url}`);
    expect(request).toEqual({ url: expected, originalUrl: `/mounted${expected}` });
    expect(headers).toEqual(HEADERS);
  });

  it.each([
    '/x',
    '/x?',
    '/x?a=1',
    '/x?a=%7e&&',
    '/x?access_tokens=abc',
    '/x?a=access_token',
    '/access_token=abc',
  ])('T-083: %s has none, and stays as it is', (url) => {
    const { request, headers } = concealed(url, url);
    expect(request).toEqual({ url, originalUrl: url });
    expect(headers).toEqual({});
  });

  it('T-083: there may be no originalUrl, and then there is none after', () => {
    expect(concealed('/x?access_token=abc').request).toEqual({ url: '/x' });
  });

  it('T-083: there may be no url', () => {
    expect(concealQuery({ headers: {} }, ['access_token'])).toBeUndefined();
  });

  it('T-083: several names', () => {
    const { request } = concealed('/x?a=1&t=abc&access_token=def&b=2', undefined, ['access_token', 't']);
    expect(request.url).toBe('/x?a=1&b=2');
  });
});

describe('T-082: a name is found as URLSearchParams finds it', () => {
  const names = ['access_token', 't', 'a b', 'a%5F', '%'];
  const pieces = [
    ...'acest_ ',
    'access',
    'token',
    'access_token',
    '%5f',
    '%5F',
    '%',
    '%2',
    '%zz',
    '%25',
    '%20',
    '%61',
    '+',
    '&',
    '&&',
    '=',
    '=x',
    '?',
    '#',
    'é',
    '%C3%A9',
    '%FF',
    '\u0000',
  ];

  it('T-082: in any query', () => {
    // Always the same ones.
    let state = 1;
    const random = (below: number) => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    let hits = 0;
    for (let round = 0; round < 8_000; round++) {
      const query = Array.from({ length: 1 + random(7) }, () => pieces[random(pieces.length)]).join('');
      const parsed = new URLSearchParams(`&${query}`);
      for (const name of names) {
        const values = parsed.getAll(name);
        const expected = values.length > 1 ? 'credentials_ambiguous' : values[0] || undefined;
        expect(answer({ query: name }, { url: `/?${query}` }), JSON.stringify([query, name])).toBe(expected);
        if (values.length === 0) continue;
        hits++;
        const left = concealQuery({ url: `/?${query}`, headers: {} }, [name])?.strip(`/?${query}`);
        const rest = new URLSearchParams(`&${left?.split('?').slice(1).join('?') ?? ''}`);
        const others = [...parsed].filter(([written]) => written !== name);
        expect([...rest], JSON.stringify([query, name])).toEqual(others);
      }
    }
    expect(hits).toBeGreaterThan(300);
  });
});

describe('T-006: a long query costs little', () => {
  const LENGTH = 16_000;
  const names = ['access_token', 'token', 'jwt', 'id_token'];
  const finder = readTokenFrom(names.map((query) => ({ query })));

  it.each([
    '&',
    'a&',
    'access_toke&',
    '%61ccess_toke&',
    '%61&',
    'access_token=&',
    '%61%63%63ess_token=a&',
    '%&',
  ])('T-006: of %j again and again', async (piece) => {
    const url = `/?${piece.repeat(LENGTH / piece.length)}&jwt=abc`;
    const ask = () => {
      const request: RequestView & { originalUrl?: string } = { url, headers: {}, originalUrl: url };
      try {
        finder.find(request);
      } catch (error) {
        if (!isAuthError(error)) throw error;
      }
      const conceal = (view: RequestView) => concealQuery(view, names);
      concealToken({ conceal }, request, request, url);
      return request;
    };
    const { url: shown, originalUrl } = ask();
    expect(shown).not.toContain('jwt');
    expect(originalUrl).toBe(shown);
    // Four names are looked for, and the URL is written twice. A parser for each pair took
    // hundreds.
    const parse = () => [new URLSearchParams(url.slice(2)), url.split('&')];
    expect(await ratioOf(ask, parse)).toBeLessThan(150);
  });
});

describe('T-083: where Node keeps a URL', () => {
  it('T-083: every place of a request over HTTP/2', async () => {
    const seen: unknown[] = [];
    const server = createServer((request, response) => {
      const by = { conceal: (view: RequestView) => concealQuery(view, ['access_token']) };
      concealToken(by, request, request);
      const { url, headers, rawHeaders } = request;
      seen.push(url, headers[':path'], rawHeaders[rawHeaders.indexOf(':path') + 1], rawHeaders.join());
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const stream = session.request({ ':path': '/x?access_token=abcdef&a=1', 'x-path': '/x' }).resume();
    await new Promise((resolve) => stream.once('end', resolve));
    session.close();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    expect(seen).toEqual(['/x?a=1', '/x?a=1', '/x?a=1', expect.not.stringContaining('abcdef')]);
  });
});

describe('tokenFrom: the name of a query parameter', () => {
  it.each(['аccess_token', 'é', 'a\n', ''])('%j is refused', (query) => {
    expect(() => readTokenFrom([{ query }])).toThrow(ConfigError);
  });
});

describe('T-084: a token in a form', () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const find = (request: Partial<RequestView>) =>
    answer({ body: 'access_token' }, { method: 'POST', headers: form, ...request });

  it.each<[unknown, string | undefined]>([
    [{ access_token: 'abc' }, 'abc'],
    [{ a: 1, access_token: 'abc' }, 'abc'],
    [Object.assign(Object.create(null), { access_token: 'abc' }), 'abc'],
    [{ access_token: '' }, undefined],
    [{ access_token: [] }, undefined],
    [{ access_token: ['abc', 'abc'] }, 'credentials_ambiguous'],
    [{ access_token: ['abc', 'def'] }, 'credentials_ambiguous'],
    [{ access_token: { a: 'abc' } }, 'credentials_malformed'],
    [{ access_token: 5 }, 'credentials_malformed'],
    [{ access_token: null }, 'credentials_malformed'],
    [{ access_token: [['abc']] }, 'credentials_malformed'],
    [{}, undefined],
    [Object.create({ access_token: 'abc' }), undefined],
    [undefined, undefined],
    [null, undefined],
    ['access_token=abc', undefined],
    [Buffer.from('access_token=abc'), undefined],
  ])('T-084: %j: %j', (body, expected) => {
    expect(find({ body })).toBe(expected);
  });

  it.each<[string | undefined, string | undefined]>([
    ['application/x-www-form-urlencoded', 'abc'],
    ['Application/X-WWW-Form-URLencoded', 'abc'],
    ['application/x-www-form-urlencoded; charset=utf-8', 'abc'],
    ['application/x-www-form-urlencoded;charset=utf-8', 'abc'],
    ['application/x-www-form-urlencoded2', undefined],
    ['application/x-www-form-urlencoded, application/json', undefined],
    ['text/plain; application/x-www-form-urlencoded', undefined],
    ['application/json', undefined],
    ['multipart/form-data; boundary=x', undefined],
    ['text/plain', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('T-084: content type %j: %j', (type, expected) => {
    const headers = type === undefined ? {} : { 'content-type': type };
    expect(find({ body: { access_token: 'abc' }, headers })).toBe(expected);
  });

  it.each(['GET', 'HEAD', 'OPTIONS', 'TRACE'])('T-084: %s has no form', (method) => {
    expect(find({ method, body: { access_token: 'abc' } })).toBeUndefined();
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])('T-084: %s may have one', (method) => {
    expect(find({ method, body: { access_token: 'abc' } })).toBe('abc');
  });
});
