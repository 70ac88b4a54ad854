// Runs the program of docs/guides/descriptor.md as written, on another port.
import { runDescriptorExample } from '@latchkey/test-kit/quick-start';
import { expect, it } from 'vitest';

const listen = {
  line: 'await app.listen({ port: 3000 });',
  url: `await app.listen({ port: 0, host: '127.0.0.1' })`,
  stop: 'await app.close();',
};

it('the options in a file work when pasted', async () => {
  expect(await runDescriptorExample(import.meta.url, listen)).toBe('200 null, 401 Bearer');
});
