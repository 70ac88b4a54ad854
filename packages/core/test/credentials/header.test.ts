// The bearer token in the Authorization header: scheme, separators, form, and more than one of
// them.
import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, it } from 'vitest';
import { checkB64Token, headerReader } from '../../src/credentials/header.ts';
import type { RequestView } from '../../src/credentials/request.ts';
import { AuthError } from '../../src/errors.ts';

const readBearer = headerReader('authorization', 'Bearer');
const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.e30.c2ln';

/**
 * The reader, then the check of what it reads: the decision skips that for a token that it knows.
 */
function bearerToken(view: RequestView): string | undefined {
  const token = readBearer(view);
  if (token !== undefined) checkB64Token(token);
  return token;
}

/** What Node makes of raw headers: of several Authorization headers it keeps the first. */
function request(...rawHeaders: string[]) {
  const headers: IncomingHttpHeaders = {};
  for (let index = 0; index < rawHeaders.length; index += 2) {
    headers[(rawHeaders[index] as string).toLowerCase()] ??= rawHeaders[index + 1];
  }
  return { headers, rawHeaders };
}

/** The token, or the code of the refusal. */
function answer(...rawHeaders: string[]): string | undefined {
  try {
    return bearerToken(request(...rawHeaders));
  } catch (error) {
    if (error instanceof AuthError) return error.code;
    throw error;
  }
}

describe('a bearer token', () => {
  it.each(['Bearer', 'bearer', 'BEARER', 'bEaReR'])('T-076: is found after the scheme %s', (scheme) => {
    expect(answer('Authorization', `${scheme} ${TOKEN}`)).toBe(TOKEN);
  });

  it.each(['Authorization', 'authorization', 'AUTHORIZATION'])('T-076: is found in %s', (name) => {
    expect(answer('Host', 'x', name, `Bearer ${TOKEN}`)).toBe(TOKEN);
  });

  it.each([' ', '  ', '          '])('S35: is found after %j', (spaces) => {
    expect(answer('Authorization', `Bearer${spaces}${TOKEN}`)).toBe(TOKEN);
  });

  it.each(['a', '-._~+/', 'a=', 'a==', 'a======', 'AZaz09-._~+/==', '.', '..', TOKEN])(
    'RFC 6750 §2.1: %s is a b64token, and is not looked into',
    (token) => {
      expect(answer('Authorization', `Bearer ${token}`)).toBe(token);
    },
  );

  it('RFC 6750 §2.1: is found where a caller has no raw headers', () => {
    expect(bearerToken({ headers: { authorization: `Bearer ${TOKEN}` }, rawHeaders: [] })).toBe(TOKEN);
  });

  it('RFC 6750 §2.1: may be long', () => {
    const token = 'a'.repeat(100_000);
    expect(answer('Authorization', `Bearer ${token}`)).toBe(token);
  });
});

describe('no bearer token', () => {
  it.each<[string, string[]]>([
    ['no header', []],
    ['other headers', ['Host', 'x', 'X-Authorization', `Bearer ${TOKEN}`]],
    ['Proxy-Authorization', ['Proxy-Authorization', `Bearer ${TOKEN}`]],
    ['X-Forwarded-Authorization', ['X-Forwarded-Authorization', `Bearer ${TOKEN}`]],
    ['an empty header', ['Authorization', '']],
    ['the token alone', ['Authorization', TOKEN]],
    ['Basic', ['Authorization', 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==']],
    ['Basic before a Bearer in one value', ['Authorization', `Basic x, Bearer ${TOKEN}`]],
    ['DPoP', ['Authorization', `DPoP ${TOKEN}`]],
    ['Digest', ['Authorization', 'Digest username="Bearer"']],
    ['BearerX', ['Authorization', `BearerX ${TOKEN}`]],
    ['Bearer2', ['Authorization', `Bearer2 ${TOKEN}`]],
    ['Bearer-Token', ['Authorization', `Bearer-Token ${TOKEN}`]],
    ['Bearer_', ['Authorization', `Bearer_ ${TOKEN}`]],
    ['XBearer', ['Authorization', `XBearer ${TOKEN}`]],
    ['Beare', ['Authorization', `Beare ${TOKEN}`]],
    ['a scheme in full-width letters', ['Authorization', `\uff22earer ${TOKEN}`]],
  ])('T-076: %s', (_, rawHeaders) => {
    expect(answer(...rawHeaders)).toBeUndefined();
  });
});

describe('malformed credentials', () => {
  it.each([
    ['the scheme alone', 'Bearer'],
    ['the scheme and a space', 'Bearer '],
    ['the scheme and spaces', 'bearer    '],
    ['a colon', `Bearer:${TOKEN}`],
    ['a colon and a space', `Bearer: ${TOKEN}`],
    ['an equals sign', `Bearer=${TOKEN}`],
    ['a comma after the scheme', `Bearer,${TOKEN}`],
    ['two tokens', `Bearer ${TOKEN} ${TOKEN}`],
    ['two tokens and a comma', `Bearer ${TOKEN}, ${TOKEN}`],
    ['two credentials', `Bearer ${TOKEN}, Bearer ${TOKEN}`],
    ['two credentials without a space', `Bearer ${TOKEN},Bearer ${TOKEN}`],
    ['Basic after a Bearer', `Bearer ${TOKEN}, Basic x`],
    ['the scheme twice', `Bearer Bearer ${TOKEN}`],
    ['a trailing space', `Bearer ${TOKEN} `],
    ['a trailing tab', `Bearer ${TOKEN}\t`],
    ['a trailing comma', `Bearer ${TOKEN},`],
    ['a trailing line break', `Bearer ${TOKEN}\n`],
    ['quotes', `Bearer "${TOKEN}"`],
    ['angle brackets', `Bearer <${TOKEN}>`],
    ['a parameter', `Bearer token="${TOKEN}"`],
    ['padding in front', `Bearer =${TOKEN}`],
    ['padding inside', 'Bearer a=b'],
    ['padding alone', 'Bearer ='],
    ['a NUL', `Bearer ${TOKEN}\0`],
    ['a character beyond ASCII', `Bearer ${TOKEN}\u00e9`],
    ['a zero-width space', `Bearer ${TOKEN}\u200b`],
  ])('T-075, T-076: refuses %s', (_, value) => {
    expect(answer('Authorization', value)).toBe('credentials_malformed');
  });

  it('T-077: of the 256 bytes only a space may be between the scheme and the token', () => {
    const tchar = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/;
    for (let byte = 0; byte < 256; byte++) {
      const separator = String.fromCharCode(byte);
      // A byte that a scheme may contain makes it another scheme.
      const expected =
        separator === ' ' ? TOKEN : tchar.test(separator) ? undefined : 'credentials_malformed';
      expect([byte, answer('Authorization', `Bearer${separator}${TOKEN}`)]).toEqual([byte, expected]);
    }
  });

  it('T-077: of the 256 bytes only a space may be next to the space', () => {
    const b64token = /[A-Za-z0-9\-._~+/]/;
    for (let byte = 0; byte < 256; byte++) {
      const character = String.fromCharCode(byte);
      const expected =
        character === ' '
          ? TOKEN
          : b64token.test(character)
            ? `${character}${TOKEN}`
            : 'credentials_malformed';
      expect([byte, answer('Authorization', `Bearer ${character}${TOKEN}`)]).toEqual([byte, expected]);
    }
  });

  it('T-087: says nothing of what was sent', () => {
    const sent = request('Authorization', 'Bearer canary-5f1d7c canary');
    const thrown = (() => {
      try {
        return bearerToken(sent);
      } catch (error) {
        return error as AuthError;
      }
    })() as AuthError;
    expect(thrown.code).toBe('credentials_malformed');
    expect(
      `${thrown.message} ${thrown.detail} ${String(thrown.cause)} ${JSON.stringify(thrown.headers)}`,
    ).not.toContain('canary');
  });
});

describe('ambiguous credentials', () => {
  it.each<[string, string[]]>([
    ['two tokens', ['Authorization', `Bearer ${TOKEN}`, 'Authorization', 'Bearer other']],
    ['the same token twice', ['Authorization', `Bearer ${TOKEN}`, 'Authorization', `Bearer ${TOKEN}`]],
    ['names in different cases', ['Authorization', `Bearer ${TOKEN}`, 'aUTHORIZATION', 'Bearer other']],
    [
      'headers between them',
      ['Authorization', `Bearer ${TOKEN}`, 'Host', 'x', 'authorization', 'Bearer other'],
    ],
    ['another scheme first', ['Authorization', 'Basic x', 'Authorization', `Bearer ${TOKEN}`]],
    ['another scheme last', ['Authorization', `Bearer ${TOKEN}`, 'Authorization', 'Basic x']],
    ['other schemes only', ['Authorization', 'Basic x', 'Authorization', 'Basic y']],
    ['an empty one first', ['Authorization', '', 'Authorization', `Bearer ${TOKEN}`]],
    ['an empty one last', ['Authorization', `Bearer ${TOKEN}`, 'Authorization', '']],
    ['a malformed one', ['Authorization', 'Bearer', 'Authorization', `Bearer ${TOKEN}`]],
    ['three', ['Authorization', 'Bearer a', 'Authorization', 'Bearer a', 'Authorization', 'Bearer a']],
  ])('T-074: refuses two Authorization headers: %s', (_, rawHeaders) => {
    expect(answer(...rawHeaders)).toBe('credentials_ambiguous');
  });

  it('T-074: a value that reads like the name is not a second header', () => {
    expect(
      answer('Authorization', `Bearer ${TOKEN}`, 'X-Note', 'Authorization', 'X-Other', 'authorization'),
    ).toBe(TOKEN);
  });
});

describe('where the headers as they were sent are not known', () => {
  const read = (value: string | string[], scheme: string | undefined = 'Bearer') => {
    try {
      return headerReader('authorization', scheme)({ headers: { authorization: value as string } });
    } catch (error) {
      if (error instanceof AuthError) return error.code;
      throw error;
    }
  };

  it.each<[string, string | undefined, string | undefined]>([
    ['Bearer a', 'Bearer', 'a'],
    ['bearer a', 'Bearer', 'a'],
    ['', 'Bearer', undefined],
    ['Basic a', 'Bearer', undefined],
    ['Bearer a, Bearer a', 'Bearer', 'credentials_ambiguous'],
    ['Basic x, Bearer a', 'Bearer', 'credentials_ambiguous'],
    ['Bearer a, Basic x', 'Bearer', 'credentials_ambiguous'],
    ['Basic x,BEARER a', 'Bearer', 'credentials_ambiguous'],
    ['Digest a="b", c=d', 'Bearer', undefined],
    ['a', undefined, 'a'],
    ['a,a', undefined, 'credentials_ambiguous'],
    ['a, b', undefined, 'credentials_ambiguous'],
  ])('T-074: %j after the scheme %s: %s', (value, scheme, expected) => {
    const bare = headerReader('authorization', scheme);
    // Wrappers for serverless functions have an empty list, and middleware adds headers.
    for (const known of [{}, { rawHeaders: [] }, { rawHeaders: ['Host', 'x'] }]) {
      const readIt = () => bare({ headers: { authorization: value }, ...known });
      if (expected === 'credentials_ambiguous') expect(readIt).toThrow('More than one credential');
      else expect(readIt()).toBe(expected);
    }
  });

  it('T-074: a list of values is several, however long it is', () => {
    for (const value of [[], ['Bearer a'], ['Bearer a', 'Bearer a']])
      expect(read(value)).toBe('credentials_ambiguous');
  });
});

it.each(['Bearer', 'Bearer ', 'Bearer   ', 'bearer ', 'BEARER'])(
  'T-076: %j has no token to read',
  (authorization) => {
    expect(() => readBearer({ headers: { authorization }, rawHeaders: [] })).toThrow('malformed');
  },
);
