// Which issuers a template takes, compared with a naive matcher, and which templates there are.

import { seeded } from '@latchkey/test-kit/random';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { readTemplate } from '../../src/keysets/issuer-template.ts';

const REALM = 'https://id.example.com/realms/{realm}';
const ENTRA = 'https://login.microsoftonline.com/{tid}/v2.0';
const LABEL = 'https://{t}.eu.example.com';
const LABEL_PATH = 'https://{t}.example.com:8443/oauth/';

const read = (text: string) => readTemplate(text, false, 'keySets[0].issuer');
const tenant = (text: string, issuer: string) => read(text).tenantOf(issuer);

describe('the tenant of an issuer', () => {
  it.each([
    [REALM, 'https://id.example.com/realms/acme', 'acme'],
    [REALM, 'https://id.example.com/realms/A-1', 'A-1'],
    [REALM, `https://id.example.com/realms/${'a'.repeat(64)}`, 'a'.repeat(64)],
    [
      ENTRA,
      'https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0',
      '9188040d-6c67-4c5b-b112-36a304b66dad',
    ],
    [LABEL, 'https://acme.eu.example.com', 'acme'],
    [LABEL, `https://${'a'.repeat(63)}.eu.example.com`, 'a'.repeat(63)],
    [LABEL_PATH, 'https://acme.example.com:8443/oauth/', 'acme'],
  ])('%s takes %s', (template, issuer, expected) => {
    expect(tenant(template, issuer)).toBe(expected);
    expect(read(template).issuerOf(expected)).toBe(issuer);
  });

  it.each([
    ['nothing', 'https://id.example.com/realms/'],
    ['no segment', 'https://id.example.com/realms'],
    ['65 characters', `https://id.example.com/realms/${'a'.repeat(65)}`],
    ['a trailing slash', 'https://id.example.com/realms/acme/'],
    ['two segments', 'https://id.example.com/realms/acme/x'],
    ['an encoded dot', 'https://id.example.com/realms/%2e'],
    ['an encoded slash', 'https://id.example.com/realms/a%2fb'],
    ['dots', 'https://id.example.com/realms/..'],
    ['one dot', 'https://id.example.com/realms/a.b'],
    ['an @', 'https://id.example.com/realms/a@b'],
    ['a backslash', 'https://id.example.com/realms/a\\b'],
    ['another letter', 'https://id.example.com/realms/аcme'],
    ['a full-width letter', 'https://id.example.com/realms/ａcme'],
    ['a line feed', 'https://id.example.com/realms/acme\n'],
    ['a blank', 'https://id.example.com/realms/ acme'],
    ['a query', 'https://id.example.com/realms/acme?x'],
    ['a fragment', 'https://id.example.com/realms/acme#x'],
    ['an underscore', 'https://id.example.com/realms/a_b'],
    ['the template itself', REALM],
    ['a host in upper case', 'https://ID.example.com/realms/acme'],
    ['a scheme in upper case', 'HTTPS://id.example.com/realms/acme'],
    ['plain http', 'http://id.example.com/realms/acme'],
    ['a port', 'https://id.example.com:443/realms/acme'],
    ['a user name', 'https://a@id.example.com/realms/acme'],
    ['a longer host', 'https://id.example.com.evil.example/realms/acme'],
    ['a blank before', ' https://id.example.com/realms/acme'],
  ])('T-052: a path does not take %s', (_, issuer) => {
    expect(tenant(REALM, issuer)).toBeUndefined();
  });

  it.each([
    ['two labels', 'https://a.b.eu.example.com'],
    ['another host with the rest as a path', 'https://evil.example/.eu.example.com'],
    ['a user name', 'https://evil@.eu.example.com'],
    ['a port', 'https://evil.example:1.eu.example.com'],
    ['a fragment', 'https://evil.example#.eu.example.com'],
    ['a query', 'https://evil.example?.eu.example.com'],
    ['a backslash', 'https://evil\\.eu.example.com'],
    ['upper case, which is the same host', 'https://ACME.eu.example.com'],
    ['a hyphen at its start', 'https://-a.eu.example.com'],
    ['a hyphen at its end', 'https://a-.eu.example.com'],
    ['the encoded form of another name', 'https://xn--bcher-kva.eu.example.com'],
    ['64 characters, which no label has', `https://${'a'.repeat(64)}.eu.example.com`],
    ['nothing', 'https://.eu.example.com'],
    ['a final dot', 'https://acme.eu.example.com.'],
    ['a path', 'https://acme.eu.example.com/'],
  ])('T-052: a label does not take %s', (_, issuer) => {
    expect(tenant(LABEL, issuer)).toBeUndefined();
  });

  it('agrees with a naive matcher, and what it takes is the host and path of that tenant', () => {
    const random = seeded(7);
    const pick = (from: readonly string[]) => from[Math.floor(random() * from.length)] ?? '';
    const parts = ['a', 'Z', '9', '-', '--', '.', '/', '%2e', '@', ':', 'é', '..', '{', 'x'.repeat(62), ''];
    let taken = 0;
    for (let round = 0; round < 20_000; round++) {
      const text = pick([REALM, ENTRA, LABEL, LABEL_PATH]);
      const [before = '', after = ''] = text.split(/\{\w+\}/);
      const value = Array.from({ length: Math.floor(random() * 4) }, () => pick(parts)).join('');
      const odd = random() < 0.2 ? pick(parts) : '';
      const issuer = random() < 0.5 ? `${before}${value}${after}${odd}` : `${odd}${before}${value}${after}`;
      const expected = naive(text, issuer);
      const found = tenant(text, issuer);
      expect(found, `${text} ${issuer}`).toBe(expected);
      if (found === undefined) continue;
      taken++;
      const url = new URL(issuer);
      expect([url.href, url.href.replace(/\/$/, '')]).toContain(issuer);
      expect(
        url.host.endsWith('example.com') || url.host.endsWith('microsoftonline.com') || url.port !== '',
      ).toBe(true);
    }
    expect(taken).toBeGreaterThan(1_000);
  });
});

/** By a regular expression, and for a label by what a URL parser makes of the host. */
function naive(text: string, issuer: string): string | undefined {
  const [before = '', after = ''] = text
    .split(/\{\w+\}/)
    .map((part) => part.replace(/[.*+?^$()|[\]\\]/g, '\\$&'));
  const [, found] = new RegExp(`^${before}([A-Za-z0-9-]{1,64})${after}$`, 'su').exec(issuer) ?? [];
  if (found === undefined || !text.startsWith('https://{')) return found;
  const isHost = URL.canParse(issuer) && new URL(issuer).hostname.split('.')[0] === found;
  const isLabel = found.length <= 63 && !/^-|-$|^..--/.test(found);
  return isHost && isLabel ? found : undefined;
}

describe('a template', () => {
  it.each([
    ['two placeholders', 'https://{a}.example.com/{b}', 'other braces than one placeholder'],
    ['the same twice', 'https://id.example.com/{a}/{a}', 'other braces than one placeholder'],
    ['an open brace', 'https://id.example.com/{a', 'other braces than one placeholder'],
    ['a closing brace first', 'https://id.example.com/}a{', 'other braces than one placeholder'],
    ['nested braces', 'https://id.example.com/{{a}}', 'other braces than one placeholder'],
    ['no name', 'https://id.example.com/{}', 'a placeholder whose name is not made of letters and digits'],
    [
      'an odd name',
      'https://id.example.com/{a-b}',
      'a placeholder whose name is not made of letters and digits',
    ],
    [
      'a part of a segment',
      'https://id.example.com/x{a}',
      'a placeholder that is a part of a segment or of a label',
    ],
    [
      'a part before',
      'https://id.example.com/{a}x',
      'a placeholder that is a part of a segment or of a label',
    ],
    [
      'a part of a label',
      'https://x{a}.example.com',
      'a placeholder that is a part of a segment or of a label',
    ],
    [
      'a label in the middle',
      'https://x.{a}.example.com',
      'a placeholder that is a part of a segment or of a label',
    ],
    ['a port', 'https://id.example.com:{a}/x', 'a placeholder that is a part of a segment or of a label'],
    ['the whole host', 'https://{a}', 'a placeholder that is a part of a segment or of a label'],
    [
      'the whole host before a path',
      'https://{a}/x',
      'a placeholder that is a part of a segment or of a label',
    ],
    [
      'a registrable host',
      'https://{a}.com',
      'a placeholder in the domain itself; two labels have to follow it',
    ],
    [
      'a host with a final dot',
      'https://{a}.com.',
      'a placeholder in the domain itself; two labels have to follow it',
    ],
    ['an address', 'https://{a}.0.0.1', 'no URL'],
    ['no URL', 'urn:tenants/{a}', 'no URL'],
    ['a query', 'https://id.example.com/{a}?x', 'a placeholder that is a part of a segment or of a label'],
    [
      'a query later',
      'https://id.example.com/{a}/x?y',
      'a URL that is not in its plain form: a host in lower case, and a path only',
    ],
    [
      'a fragment',
      'https://id.example.com/{a}/#',
      'a URL that is not in its plain form: a host in lower case, and a path only',
    ],
    [
      'a user name',
      'https://me@id.example.com/{a}',
      'a URL that is not in its plain form: a host in lower case, and a path only',
    ],
    [
      'upper case',
      'https://ID.example.com/{a}',
      'a URL that is not in its plain form: a host in lower case, and a path only',
    ],
    [
      'the default port',
      'https://id.example.com:443/{a}',
      'a URL that is not in its plain form: a host in lower case, and a path only',
    ],
    [
      'dots',
      'https://id.example.com/../{a}',
      'a URL that is not in its plain form: a host in lower case, and a path only',
    ],
  ])('is refused with %s', (_, text, problem) => {
    expect(() => read(text)).toThrow(ConfigError);
    expect(() => read(text)).toThrow(
      `keySets[0].issuer: expected the issuers of tenants, got ${problem}; write the placeholder once`,
    );
  });

  it('is https, unless allowHttp permits http', () => {
    const text = 'http://127.0.0.1:9000/{a}';
    expect(() => read(text)).toThrow('keySets[0].issuer: must be https (allowHttp permits http)');
    expect(readTemplate(text, true, 'x').tenantOf('http://127.0.0.1:9000/acme')).toBe('acme');
  });
});
