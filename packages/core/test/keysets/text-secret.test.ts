// A symmetric secret as people have it: a text in a secret store, in one of four encodings.
import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import { createMemoryStore } from '../../src/secrets/store.ts';

const HEX = 'abababababababab0123456789cdefAB';
const SECRET = 'kQ3tV9xZ2mN7pL5wR8yB4dF6hJ1sG0aC';

/** A token as jsonwebtoken makes it. */
function tokenOf(secret: string | Buffer, header: object = {}, hash = 'sha256', alg = 'HS256'): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const claims = { sub: 'alice', aud: 'orders', iat: 1_700_000_000, exp: 4_000_000_000 };
  const signed = `${encode({ alg, typ: 'JWT', ...header })}.${encode(claims)}`;
  return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`;
}

interface Given {
  readonly content: string;
  readonly encoding?: string;
  readonly allowedAlgorithms?: readonly string[];
}

async function outcome(given: Given, token: string): Promise<string> {
  const { content, encoding, ...more } = given;
  const secrets = createMemoryStore({ jwt: { 'secret.key': Buffer.from(content) } });
  const secret = { name: 'jwt', key: 'secret.key', ...(encoding === undefined ? {} : { encoding }) };
  const keySets = [{ allowedAlgorithms: ['HS256'], ...more, secret }] as never;
  const authenticator = createAuthenticator({ keySets, secrets, audience: 'orders' });
  try {
    await authenticator.verify(token);
    return 'accepted';
  } catch (error) {
    const { code, detail, cause } = error as { code: string; detail?: string; cause?: Error };
    return [code, detail, cause?.message].join('; ');
  } finally {
    await authenticator.close();
  }
}

describe('a secret that is a text', () => {
  const bytes = randomBytes(32);

  it.each<[string, Given, string | Buffer]>([
    ['plain text', { content: SECRET }, SECRET],
    ['plain text with the newline of an editor', { content: `${SECRET}\n` }, SECRET],
    ['UTF-8', { content: SECRET, encoding: 'utf8' }, SECRET],
    ['text that looks like hexadecimal', { content: HEX, encoding: 'utf8' }, HEX],
    ['base64', { content: `${bytes.toString('base64')}\n`, encoding: 'base64' }, bytes],
    [
      'base64 without padding',
      { content: bytes.toString('base64').replace(/=+$/, ''), encoding: 'base64' },
      bytes,
    ],
    ['base64url', { content: bytes.toString('base64url'), encoding: 'base64url' }, bytes],
    ['hexadecimal', { content: ` ${bytes.toString('hex').toUpperCase()}`, encoding: 'hex' }, bytes],
  ])('verifies as %s', async (_, given, secret) => {
    expect(await outcome(given, tokenOf(secret))).toBe('accepted');
    expect(await outcome(given, tokenOf(`${String(secret)}x`))).toMatch(/^token_signature_invalid/);
  });

  it('verifies a token with any kid, if its encoding is named', async () => {
    expect(await outcome({ content: SECRET, encoding: 'utf8' }, tokenOf(SECRET, { kid: 'a' }))).toBe(
      'accepted',
    );
  });

  it('verifies only the algorithms that the keyset allows', async () => {
    const token = tokenOf(bytes, {}, 'sha512', 'HS512');
    expect(await outcome({ content: bytes.toString('hex'), encoding: 'hex' }, token)).toMatch(
      /^token_algorithm_refused/,
    );
  });

  it.each<[string, Given, RegExp]>([
    ['too short', { content: 'tiny-words' }, /has 10 bytes; HS256 needs at least 32/],
    [
      'too short once decoded',
      { content: randomBytes(16).toString('hex'), encoding: 'hex' },
      /has 16 bytes; HS256 needs at least 32/,
    ],
    [
      'not base64',
      { content: `${SECRET}!`, encoding: 'base64' },
      /the secret jwt is not base64 in secret\.key/,
    ],
    [
      'base64url where base64 is named',
      { content: `-_${bytes.toString('hex')}`, encoding: 'base64' },
      /is not base64 in/,
    ],
    ['not hexadecimal', { content: SECRET, encoding: 'hex' }, /the secret jwt is not hex in secret\.key/],
    [
      'PEM',
      { content: '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQ==\n-----END PUBLIC KEY-----' },
      /encoded key/,
    ],
  ])('is unusable if it is %s, and the reason does not repeat it', async (_, given, reason) => {
    const said = await outcome(given, tokenOf(SECRET));
    expect(said).toMatch(/^keyset_unavailable/);
    expect(said).toMatch(reason);
    expect(said).not.toContain(given.content);
  });

  it('is not read without the algorithms that it is for', async () => {
    const secrets = createMemoryStore({ jwt: { 'secret.key': Buffer.from(SECRET) } });
    const keySets = (more: object) => [{ secret: { name: 'jwt', key: 'secret.key', ...more } }] as never;
    const create = (more: object) =>
      createAuthenticator({ keySets: keySets(more), secrets, audience: 'orders' });
    expect(() => create({ encoding: 'utf8' })).toThrow(
      "keySets[0].allowedAlgorithms: expected algorithms of a symmetric secret, like ['HS256'], next to secret.encoding",
    );
    expect(() => create({ encoding: 'latin1' })).toThrow('keySets[0].secret.encoding: expected');
    const authenticator = create({});
    const cause = await authenticator.verify(tokenOf(SECRET)).catch((error: Error) => error.cause);
    await authenticator.close();
    expect(String(cause)).toContain("for a text that is the secret itself, set allowedAlgorithms: ['HS256']");
  });
});
