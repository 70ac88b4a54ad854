// The published command in a process of its own: it runs until the keys are read, although no
// socket of the reading keeps a process alive.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { createIssuer } from '@latchkey/testing';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from './temporary.ts';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

it.each([
  ['discovery', (issuer: string) => ['--oidc-discovery', '--issuer', issuer]],
  ['a URL', (issuer: string) => ['--jwks-url', `${issuer}/jwks.json`, '--issuer', issuer]],
])('jwks add waits for the keys of %s', async (_, sourceOf) => {
  const issuer = await createIssuer();
  onTestFinished(() => issuer.close());
  const cwd = temporaryFolder('awaits-keys');
  const imports = ['--conditions=source', '--import', at('bin-from-source.ts'), at('../bin/latchkey.js')];
  const argv = ['jwks', 'add', ...sourceOf(issuer.issuer), '--allow-http'];
  const child = spawn(process.execPath, [...imports, ...argv], { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, 'close');
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('unsettled') });
  expect(existsSync(join(cwd, 'service.yaml'))).toBe(true);
});
