// A signer with a symmetric secret that is written in an encoding: it signs with the bytes that a
// keyset with the same `encoding` verifies with.
import { randomBytes } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createMemoryStore } from '../../src/index.ts';
import { createSigner } from '../../src/signing/index.ts';
import { startAuthenticator } from '../support/authenticators.ts';

const BYTES = randomBytes(32);
const ISSUER = 'https://issuer.example';

const signer = (text: string | Uint8Array, secret: object) => {
  const made = createSigner({
    secret: { name: 'shared', key: 'jwt.txt', ...secret },
    secrets: createMemoryStore({ shared: { 'jwt.txt': text } }),
    alg: 'HS256',
    issuer: ISSUER,
    expiresIn: '5m',
  });
  onTestFinished(() => made.close());
  return made;
};

const verifier = (secret: Uint8Array) =>
  startAuthenticator({
    keySets: [{ issuer: ISSUER, secret: { name: 'raw', encoding: 'base64' }, allowedAlgorithms: ['HS256'] }],
    secrets: createMemoryStore({ raw: { 'jwks.json': Buffer.from(secret).toString('base64') } }),
    audience: null,
  });

describe('encoding of a signing secret', () => {
  it.each(['base64', 'base64url', 'hex'] as const)('%s: the decoded bytes sign', async (encoding) => {
    for (const text of [BYTES.toString(encoding), `${BYTES.toString(encoding)}\n`])
      for (const more of [{}, { format: 'symmetric' }]) {
        const token = await signer(text, { encoding, ...more }).sign({ sub: 'alice' });
        expect((await verifier(BYTES).verify(token)).subject).toBe('alice');
      }
  });

  it('utf8 is the text itself, as without it', async () => {
    const text = BYTES.toString('base64');
    for (const secret of [{ encoding: 'utf8' }, { format: 'symmetric' }]) {
      const token = await signer(`${text}\n`, secret).sign({ sub: 'alice' });
      expect((await verifier(Buffer.from(text)).verify(token)).subject).toBe('alice');
    }
  });

  it('a text that is not in it signs nothing, and no message has it', async () => {
    const text = '!'.repeat(44);
    const error = await signer(text, { encoding: 'base64' })
      .sign({ sub: 'alice' })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(String((error as Error).message) + String((error as Error).cause)).not.toContain('!!!');
  });

  it.each([
    [{ encoding: 'base64', format: 'jwks' }, /^secret\.encoding: is allowed with format: 'symmetric' only/],
    [{ encoding: 'base64', format: 'pem' }, /^secret\.encoding: /],
    [{ encoding: 'ascii' }, /^secret\.encoding: expected/],
  ])('%j is refused at start', (secret, message) => {
    expect(() => signer('x', secret)).toThrow(message);
  });
});
