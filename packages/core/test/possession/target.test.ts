// `htu` of a proof, compared with the URL of the request: RFC 9449 §4.3, RFC 3986 §6.2.
import { describe, expect, it } from 'vitest';
import type { RequestView } from '../../src/credentials/request.ts';
import { createTargetJudge } from '../../src/possession/target.ts';

const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' };
const isTarget = (base: string, url: string, htu: string, more: Partial<RequestView> = {}) =>
  createTargetJudge([base])(htu, { method: 'GET', url, headers, ...more });
const BASE = 'https://api.example.com';

it.each([
  ['/orders', 'https://api.example.com/orders'],
  ['/orders?a=b', 'https://api.example.com/orders'],
  ['/orders', 'https://api.example.com/orders?a=b'],
  ['/orders', 'https://api.example.com/orders#top'],
  ['/orders', 'HTTPS://API.EXAMPLE.COM/orders'],
  ['/orders', 'https://api.example.com:443/orders'],
  ['/', 'https://api.example.com'],
  ['/?a=b', 'https://api.example.com/'],
  ['/a%2fb', 'https://api.example.com/a%2Fb'],
  ['/%7Ealice', 'https://api.example.com/~alice'],
  ['/~alice', 'https://api.example.com/%7ealice'],
  ['/%c3%a4', 'https://api.example.com/%C3%A4'],
  ['/b', 'https://api.example.com/a/../b'],
  ['/a|b', 'https://api.example.com/a|b'],
  ['//double', 'https://api.example.com//double'],
  ['//evil.example/orders', 'https://api.example.com//evil.example/orders'],
  ['http://evil.example/orders', 'https://api.example.com/orders'],
  ['https://evil.example', 'https://api.example.com/'],
])('a request of %j is that of %j', (url, htu) => {
  expect(isTarget(BASE, url, htu)).toBe(true);
});

it.each([
  ['/orders', 'https://evil.example/orders'],
  ['/orders', 'http://api.example.com/orders'],
  ['/orders', 'https://api.example.com:444/orders'],
  ['/orders', 'https://api.example.com/orders/'],
  ['/orders/', 'https://api.example.com/orders'],
  ['/orders', 'https://api.example.com/Orders'],
  ['/a%2Fb', 'https://api.example.com/a/b'],
  ['/a/b', 'https://api.example.com/a%2Fb'],
  ['/a%25b', 'https://api.example.com/a%b'],
  ['//orders', 'https://api.example.com/orders'],
  ['/orders', '/orders'],
  ['/orders', 'api.example.com/orders'],
  ['/orders', 'https:api.example.com/orders'],
  ['/orders', 'https:///api.example.com/orders'],
  ['/orders', String.raw`https:\\api.example.com\orders`],
  ['/orders', 'https://api.example.com\\orders'],
  ['/a\\b', 'https://api.example.com/a/b'],
  ['/orders', ' https://api.example.com/orders'],
  ['/orders', 'https://api.example.com/ord\ters'],
  ['/orders', 'https://user@api.example.com/orders'],
  ['/orders', 'https://api.example.com@evil.example/orders'],
  ['/orders', 'wss://api.example.com/orders'],
  ['/orders', 'https://аpi.example.com/orders'],
  ['/orders', ''],
  ['/a/../b', 'https://api.example.com/b'],
  ['/a/%2e%2E/b', 'https://api.example.com/b'],
  ['/./b', 'https://api.example.com/b'],
  ['*', 'https://api.example.com/'],
  ['', 'https://api.example.com/'],
  [`/${'a'.repeat(17_000)}`, `https://api.example.com/${'a'.repeat(17_000)}`],
])('a request of %j is not that of %j', (url, htu) => {
  expect(isTarget(BASE, url, htu)).toBe(false);
});

describe('behind a proxy', () => {
  it('a prefix that the proxy removes is in publicUrl', () => {
    expect(isTarget(`${BASE}/api`, '/orders', `${BASE}/api/orders`)).toBe(true);
    expect(isTarget(`${BASE}/api`, '/orders', `${BASE}/orders`)).toBe(false);
    expect(isTarget(`${BASE}/api`, '/', `${BASE}/api/`)).toBe(true);
    expect(isTarget(`${BASE}/api`, '/', `${BASE}/api`)).toBe(false);
  });

  it('any of several URLs will do', () => {
    const judge = createTargetJudge([BASE, 'http://localhost:3000']);
    const request = { method: 'GET', url: '/orders', headers };
    expect(judge(`${BASE}/orders`, request)).toBe(true);
    expect(judge('http://localhost:3000/orders', request)).toBe(true);
    expect(judge('http://localhost/orders', request)).toBe(false);
  });
});

it('the URL as it was received counts, and not what a router has made of it', () => {
  const more = { originalUrl: '/v1/orders?a=b' };
  expect(isTarget(BASE, '/orders', `${BASE}/v1/orders`, more)).toBe(true);
  expect(isTarget(BASE, '/orders', `${BASE}/orders`, more)).toBe(false);
});
