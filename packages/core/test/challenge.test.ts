// WWW-Authenticate: how a challenge is written, and what may enter one.
import { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { bearerChallenge, type ChallengeParameters, isHeaderText, isScopeToken } from '../src/challenge.ts';
import { AuthError, authErrorCodes } from '../src/errors.ts';

describe('a challenge', () => {
  it.each<[ChallengeParameters, string]>([
    [{}, 'Bearer'],
    [{ realm: 'api' }, 'Bearer realm="api"'],
    [{ error: 'invalid_token' }, 'Bearer error="invalid_token"'],
    [{ scope: 'a b' }, 'Bearer scope="a b"'],
    [{ description: 'Why' }, 'Bearer error_description="Why"'],
    [
      { realm: 'api', error: 'insufficient_scope', description: 'Why', scope: 'a:read a:write' },
      'Bearer realm="api", error="insufficient_scope", error_description="Why", scope="a:read a:write"',
    ],
    [
      { scope: 'a', description: 'Why', error: 'invalid_token', realm: 'api' },
      'Bearer realm="api", error="invalid_token", error_description="Why", scope="a"',
    ],
    [
      { acrValues: 'urn:a urn:b', maxAgeSeconds: 300, error: 'insufficient_user_authentication' },
      'Bearer error="insufficient_user_authentication", acr_values="urn:a urn:b", max_age="300"',
    ],
    [{ realm: undefined, error: undefined, description: undefined, scope: undefined }, 'Bearer'],
  ])('RFC 6750 §3: %j is written %s', (parameters, written) => {
    expect(bearerChallenge(parameters)).toBe(written);
  });

  it.each([
    ['a "b" c', 'Bearer realm="a \\"b\\" c"'],
    ['a\\b', 'Bearer realm="a\\\\b"'],
    ['\\"', 'Bearer realm="\\\\\\""'],
    ['x", error="none', 'Bearer realm="x\\", error=\\"none"'],
    ['a, b=c', 'Bearer realm="a, b=c"'],
    ["a'b", `Bearer realm="a'b"`],
  ])('RFC 9110 §5.6.4: the realm %s is written %s', (realm, written) => {
    expect(bearerChallenge({ realm })).toBe(written);
  });

  it.each(authErrorCodes)('T-086: Node writes every header of %s', (code) => {
    const response = new ServerResponse({ method: 'GET' } as never);
    const { headers } = new AuthError(code, { realm: 'a "b" \\', scope: 'a:read b' });
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    expect({ ...response.getHeaders() }).toEqual(
      Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    );
  });
});

describe('what may enter', () => {
  it('T-086: header text is printable ASCII', () => {
    for (let code = 0; code < 0x300; code++) {
      const expected = code >= 0x20 && code <= 0x7e;
      expect([code, isHeaderText(`a${String.fromCharCode(code)}b`)]).toEqual([code, expected]);
    }
  });

  it.each(['', '\n', 'a\n', 'a\r\nSet-Cookie: x', '\u20ac', '😀', 'a\u2028b'])(
    'T-086: %j is no header text',
    (text) => {
      expect(isHeaderText(text)).toBe(false);
    },
  );

  it('RFC 6749 §3.3: a scope token has no space, quote or backslash', () => {
    for (let code = 0; code < 0x300; code++) {
      const expected = code >= 0x21 && code <= 0x7e && code !== 0x22 && code !== 0x5c;
      expect([code, isScopeToken(`a${String.fromCharCode(code)}b`)]).toEqual([code, expected]);
    }
  });

  it.each([
    ['friends:read', true],
    ['https://example.com/a', true],
    ['', false],
    ['a b', false],
    ['a\n', false],
    ['é', false],
  ])('RFC 6749 §3.3: %j is a scope token: %s', (text, expected) => {
    expect(isScopeToken(text)).toBe(expected);
  });
});
