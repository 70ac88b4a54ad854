// The sample service is compiled without a look at its types when it starts. Here they are looked
// at.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('the types of the service hold', async () => {
  const { stdout } = await promisify(execFile)('tsc', ['-p', fileURLToPath(new URL('..', import.meta.url))]);
  expect(stdout).toBe('');
});
