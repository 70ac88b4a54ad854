// Which URLs may be fetched, and how long the headers of an answer allow its use. Nothing is
// fetched.
import { describe, expect, it } from 'vitest';
import { cacheLifetimeMs, refuseUrl } from '../../src/net/https.ts';

describe('refuseUrl', () => {
  const HTTPS = 'must be https';
  const PLAIN = 'must be https (allowHttp permits http)';
  const CREDENTIALS = 'must not contain credentials';

  it.each<[url: string, strict: string | undefined, permitted: string | undefined]>([
    ['https://example.com/jwks.json', undefined, undefined],
    ['https://example.com:8443/a?b=c', undefined, undefined],
    ['HTTPS://EXAMPLE.COM', undefined, undefined],
    ['http://example.com/jwks.json', PLAIN, undefined],
    ['http://127.0.0.1:8080/', PLAIN, undefined],
    ['http://[::1]/', PLAIN, undefined],
    ['file:///etc/passwd', HTTPS, HTTPS],
    ['data:application/json,{"keys":[]}', HTTPS, HTTPS],
    ['ftp://example.com/jwks.json', HTTPS, HTTPS],
    ['ws://example.com/', HTTPS, HTTPS],
    ['blob:https://example.com/0', HTTPS, HTTPS],
    ['javascript:alert(1)', HTTPS, HTTPS],
    ['httpsx://example.com/', HTTPS, HTTPS],
    ['https://user@example.com/', CREDENTIALS, CREDENTIALS],
    ['https://:secret@example.com/', CREDENTIALS, CREDENTIALS],
    ['https://user:secret@example.com/', CREDENTIALS, CREDENTIALS],
    ['https://example.com@evil.example/', CREDENTIALS, CREDENTIALS],
    ['http://user:secret@127.0.0.1/', PLAIN, CREDENTIALS],
  ])('T-119: %s: %s; with allowHttp: %s', (url, strict, permitted) => {
    expect(refuseUrl(new URL(url), false)).toBe(strict);
    expect(refuseUrl(new URL(url), true)).toBe(permitted);
  });
});

describe('cacheLifetimeMs', () => {
  const NOW = Date.parse('Tue, 20 Oct 2026 10:00:00 GMT');
  const DATE = 'Tue, 20 Oct 2026 09:00:00 GMT';
  const CC = 'cache-control';

  it.each<[headers: Record<string, string> | [string, string][], lifetimeMs: number | undefined]>([
    [{}, undefined],
    [{ [CC]: 'public' }, undefined],
    [{ [CC]: 'public, must-revalidate' }, undefined],
    [{ age: '10' }, undefined],
    [{ [CC]: 'max-age=300' }, 300_000],
    [{ [CC]: 'public, max-age=300, must-revalidate' }, 300_000],
    [{ [CC]: 'public,max-age=300' }, 300_000],
    [{ [CC]: 'MAX-AGE=300' }, 300_000],
    [{ [CC]: 'max-age="300"' }, 300_000],
    [{ [CC]: 'max-age=31536000' }, 31_536_000_000],
    [{ [CC]: 'max-age=0' }, 0],
    [{ [CC]: 'max-age=-1' }, 0],
    [{ [CC]: 'max-age=1e309' }, 0],
    [{ [CC]: 'max-age=1.5' }, 0],
    [{ [CC]: 'max-age=' }, 0],
    [{ [CC]: 'max-age=soon' }, 0],
    [{ [CC]: `max-age=${'9'.repeat(40)}` }, 2 ** 31 * 1000],
    [{ [CC]: `max-age=${'9'.repeat(400)}`, age: '9'.repeat(400) }, 0],
    // Twice: the shortest counts.
    [{ [CC]: 'max-age=300, max-age=60' }, 60_000],
    [
      [
        [CC, 'max-age=60'],
        [CC, 'max-age=300'],
      ],
      60_000,
    ],
    [{ [CC]: 'max-age=300, max-age=junk' }, 0],
    // Minus the time in caches on the way.
    [{ [CC]: 'max-age=300', age: '100' }, 200_000],
    [{ [CC]: 'max-age=300', age: '300' }, 0],
    [{ [CC]: 'max-age=300', age: '301' }, 0],
    [{ [CC]: 'max-age=300', age: `${'9'.repeat(400)}` }, 0],
    [{ [CC]: 'max-age=300', age: 'old' }, 300_000],
    [{ [CC]: 'max-age=300', age: '-5' }, 300_000],
    // Not to be stored, or not without a request: the minimum of the engine applies.
    [{ [CC]: 'no-store' }, 0],
    [{ [CC]: 'no-cache' }, 0],
    [{ [CC]: 'No-Store, max-age=300' }, 0],
    [{ [CC]: 'max-age=300, no-cache' }, 0],
    [{ [CC]: 'max-age=300,no-store,public' }, 0],
    [{ [CC]: 'no-cache="set-cookie"' }, 0],
    // Names that end like max-age.
    [{ [CC]: 's-maxage=10' }, undefined],
    [{ [CC]: 'x-max-age=10' }, undefined],
    [{ [CC]: 's-maxage=10, max-age=300' }, 300_000],
    // Expires, where there is no max-age.
    [{ date: DATE, expires: 'Tue, 20 Oct 2026 09:10:00 GMT' }, 600_000],
    [{ expires: 'Tue, 20 Oct 2026 10:10:00 GMT' }, 600_000],
    [{ date: 'junk', expires: 'Tue, 20 Oct 2026 10:10:00 GMT' }, 600_000],
    [{ date: DATE, expires: DATE }, 0],
    [{ date: DATE, expires: 'Tue, 20 Oct 2026 08:00:00 GMT' }, 0],
    [{ expires: '0' }, 0],
    [{ expires: '-1' }, 0],
    [{ expires: 'soon' }, 0],
    [{ [CC]: 'max-age=300', expires: 'Thu, 01 Jan 1970 00:00:00 GMT' }, 300_000],
    [{ [CC]: 'public', date: DATE, expires: 'Tue, 20 Oct 2026 09:10:00 GMT' }, 600_000],
  ])('settlement 16, T-131: %j: %s', (headers, lifetimeMs) => {
    expect(cacheLifetimeMs(new Headers(headers), NOW)).toBe(lifetimeMs);
  });
});
