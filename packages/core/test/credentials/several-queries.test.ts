// Several authenticators, or several parameters, over one URL: what one takes out of it the others
// still read.
import { expect, it } from 'vitest';
import { readTokenFrom } from '../../src/credentials/find.ts';
import { concealQuery } from '../../src/credentials/query.ts';

it.each(['/?a=1&x=2', '/?x=2&b=1', '/?a=1&b=2'])('T-083: one of several parameters is enough: %s', (url) => {
  const concealment = concealQuery({ url, headers: {} }, ['a', 'b']);
  expect(concealment?.strip(url)).toBe(url.includes('x=2') ? '/?x=2' : '/');
});

it('T-083: what was taken out of a URL is read by each authenticator, however many took theirs out', () => {
  const request = { method: 'GET', url: '/?a=one&b=two&c=3', headers: {}, rawHeaders: [] };
  for (const name of ['a', 'b'])
    request.url = concealQuery(request, [name])?.strip(request.url) ?? 'nothing to take out';
  expect(request.url).toBe('/?c=3');
  expect(readTokenFrom([{ query: 'a' }]).find(request)).toBe('one');
  expect(readTokenFrom([{ query: 'b' }]).find(request)).toBe('two');
  expect(concealQuery(request, ['a', 'b'])).toBeUndefined();
});

it('T-083: what was taken out of one request is not found in another', () => {
  const request = { method: 'GET', url: '/?a=one', headers: {}, rawHeaders: [] };
  concealQuery(request, ['a']);
  const other = { ...request, url: '/' };
  expect(readTokenFrom([{ query: 'a' }]).find(other)).toBeUndefined();
});
