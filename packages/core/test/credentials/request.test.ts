// What core reads of a request: its key, its parameters, and how often a header was sent.
import { describe, expect, it } from 'vitest';
import {
  countHeader,
  isSafeMethod,
  keyedView,
  keyOf,
  parametersOf,
  type RequestView,
} from '../../src/credentials/request.ts';

it('the key of a request is what the framework gave, or the request', () => {
  const key = {};
  expect(keyOf(keyedView({ headers: {} }, key))).toBe(key);
  const without: RequestView & { readonly key: object } = { key, headers: {} };
  expect(keyOf(without)).toBe(without);
});

describe('what rules may look at', () => {
  it('is the method, the headers and the path parameters', () => {
    const headers = { host: 'a.example' };
    const params = { id: '1' };
    expect(parametersOf({ method: 'GET', headers, params })).toEqual({ method: 'GET', headers, params });
  });

  it.each([undefined, null, 'id=1', 1, true])('has no parameters where the framework gives %j', (params) => {
    expect(parametersOf({ headers: {}, params }).params).toEqual({});
  });
});

it.each<[string | undefined, boolean]>([
  ['GET', true],
  ['HEAD', true],
  ['OPTIONS', true],
  ['TRACE', true],
  ['POST', false],
  ['UPGRADE', false],
  ['get', false],
  [undefined, false],
])('T-081: %s changes nothing at the server: %s', (method, isSafe) => {
  expect(isSafeMethod(method)).toBe(isSafe);
});

describe('T-074: how often a header was sent', () => {
  it.each<[readonly string[] | undefined, number]>([
    [undefined, 0],
    [[], 0],
    [['X-Token', 'a'], 1],
    [['x-token', 'a', 'Host', 'b', 'X-TOKEN', 'c'], 2],
    // As long, and another one.
    [['X-Taken', 'a', 'X-Token', 'b'], 1],
    [['X-Token-Two', 'a'], 0],
    // A value is no name.
    [['Host', 'X-Token', 'x-token', 'x-token'], 1],
  ])('%j: %i', (rawHeaders, count) => {
    expect(countHeader({ headers: {}, rawHeaders }, 'x-token')).toBe(count);
  });
});
