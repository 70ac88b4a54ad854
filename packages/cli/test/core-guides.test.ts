// Runs programs of the guides about core as written. Core cannot: the test kit depends on it.
import { createHmac, createPublicKey } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runBlock } from '@latchkey/test-kit/quick-start';
import { createIssuer, forge, generateSigningKey, mint } from '@latchkey/testing';
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';

const GUIDES = '../../../docs/guides';

afterEach(() => vi.restoreAllMocks());

it('keys from secrets and PEM files verify tokens', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const secret = 'kQ3tV9xZ2mN7pL5wR8yB4dF6hJ1sG0aC';
  await mkdir(join(folder, 'batch'));
  await writeFile(join(folder, 'batch', 'secret.key'), secret, { mode: 0o600 });
  const key = await generateSigningKey('ES256', 'billing');
  const pem = createPublicKey(key.privateKey).export({ type: 'spki', format: 'pem' });
  await writeFile(join(folder, 'billing.pem'), pem);
  const exp = Math.floor(Date.now() / 1000) + 300;
  const batchToken = forge({
    header: { alg: 'HS256' },
    payload: { iss: 'batch', aud: 'orders-api', sub: 'nightly', exp },
    signature: (input) => createHmac('sha256', secret).update(input).digest(),
  });
  const billingToken = await mint(key, { iss: 'billing', aud: 'orders-api', sub: 'invoices', exp });
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await runBlock(
    import.meta.url,
    'jwksHosts: [',
    { folder, batchToken, billingToken },
    `${GUIDES}/key-sources.md`,
  );
  expect(log.mock.calls).toEqual([['nightly', 'invoices']]);
});

it('several tokens in one request are required together, or one of them', async () => {
  const [login, maker] = await Promise.all([createIssuer(), createIssuer()]);
  const aud = 'orders-api';
  const user = await login.mint({ sub: 'alice', aud });
  const device = await maker.mint({ sub: 'till-7', aud, model: 'scanner' });
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await runBlock(
    import.meta.url,
    'requireAll({ user: users',
    {
      loginKeySets: login.options.keySets,
      deviceKeySets: maker.options.keySets,
      request: { method: 'GET', headers: { authorization: `Bearer ${user}`, 'x-device-token': device } },
    },
    `${GUIDES}/several-tokens.md`,
  );
  expect(log.mock.calls).toEqual([['alice', 'till-7'], [['user']]]);
  await Promise.all([login.close(), maker.close()]);
});
