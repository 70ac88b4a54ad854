// Runs the quick start of the README as written, on another port.
import { runQuickStart } from '@latchkey/test-kit/quick-start';
import { expect, it } from 'vitest';

it('the quick start of the README reaches what it says', async () => {
  expect(await runQuickStart(import.meta.url)).toEqual([
    'expected 401, got 401',
    'expected 200, got 200',
    'expected 403, got 403',
  ]);
});
