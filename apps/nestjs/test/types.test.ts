// Checks the types of the sample service, because its start compiles it without that check.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('the service has no type errors', async () => {
  const { stdout } = await promisify(execFile)('tsc', ['-p', fileURLToPath(new URL('..', import.meta.url))]);
  expect(stdout).toBe('');
});
