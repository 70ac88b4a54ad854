// `latchkey jwks migrate` of keys that only sign: which get a keyset, and what lint says then.
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseDescriptor } from '@latchkey/core/tools';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { run } from '../src/index.ts';
import { createTerminal } from './terminal.ts';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'latchkey-migrate-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

async function latchkey(line: string) {
  const { terminal, stdout, stderr } = createTerminal({ cwd, env: {} });
  const code = await run(line.split(' '), terminal);
  return { code, stdout: stdout(), stderr: stderr() };
}

type Half = 'pair' | 'private';

function setUp(keys: readonly (readonly [keyId: string, issuer: string | undefined, half: Half])[]) {
  const list = keys.map(([keyId, issuer, half]) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const directory = join(cwd, 'secrets', keyId);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const put = (name: string, text: string | Buffer) =>
      writeFileSync(join(directory, name), text, { mode: 0o600 });
    put('private.key', privateKey.export({ type: 'pkcs8', format: 'pem' }));
    if (half === 'pair') put('public.key', publicKey.export({ type: 'spki', format: 'pem' }));
    return {
      keyId,
      ...(issuer === undefined ? {} : { issuer }),
      algorithm: 'ES256',
      secret: { name: keyId },
    };
  });
  const text = JSON.stringify({ name: 'shop', service: { jwt: { audience: 'shop', keys: list } } });
  writeFileSync(join(cwd, 'service.yaml'), text);
}
const issuersAfter = () => {
  const { jwt } = parseDescriptor(readFileSync(join(cwd, 'service.yaml'), 'utf8'), 'service.yaml');
  return (jwt.keySets as readonly { readonly issuer?: string }[]).map(({ issuer }) => issuer);
};

it('writes no keyset for a key that only signs, and lint finds nothing afterwards', async () => {
  setUp([
    ['a', 'a', 'pair'],
    ['b', 'b', 'private'],
  ]);
  const { code, stdout, stderr } = await latchkey('jwks migrate');
  expect(code).toBe(0);
  expect(issuersAfter()).toEqual(['a']);
  expect(stdout).not.toContain('shop-b');
  expect(stderr).toContain('b only signs: it is in signing.json of shop-b');
  expect(JSON.parse(readFileSync(join(cwd, 'secrets/shop-b/signing.json'), 'utf8')).keys).toHaveLength(1);
  expect(await latchkey('lint --strict')).toMatchObject({ code: 0, stdout: 'service.yaml: nothing found\n' });
});

it.each([
  ['where a keyset without an issuer could verify its tokens', [['n', undefined, 'pair']], [undefined, 'b']],
  ['where the service would have none', [], ['b']],
] as const)('keeps a keyset without keys %s, and says so', async (_, others, issuers) => {
  setUp([...others, ['b', 'b', 'private']]);
  const { code, stderr } = await latchkey('jwks migrate');
  expect(code).toBe(0);
  expect(issuersAfter()).toEqual(issuers);
  expect(stderr).toContain('the keyset of shop-b has no key: as before, every token of b is refused');
  const lint = await latchkey('lint -o json');
  expect(lint.code).toBe(0);
  expect(JSON.parse(lint.stdout).findings).toContainEqual(expect.objectContaining({ rule: 'keyset-empty' }));
});
