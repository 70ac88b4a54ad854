// Runs the programs of the README as written, on another port.
import { runDescriptorExample, runQuickStart } from '@latchkey/test-kit/quick-start';
import { expect, it } from 'vitest';

const listen = {
  line: 'await app.listen({ port: 3000 });',
  url: `await app.listen({ port: 0, host: '127.0.0.1' })`,
  stop: 'await app.close();',
};

const REACHED = ['expected 401, got 401', 'expected 200, got 200', 'expected 403, got 403'];

it('the quick start of the README reaches what it says', async () => {
  expect(await runQuickStart(import.meta.url)).toEqual(REACHED);
});

it('the options in a file of the README work when pasted', async () => {
  expect(await runDescriptorExample(import.meta.url, listen)).toBe('200 null, 401 Bearer');
});
