// The programs of the README, run as they stand there but for their port.
import { runDescriptorExample, runQuickStart } from '@latchkey/test-kit/quick-start';
import { expect, it } from 'vitest';

const listen = {
  line: 'await app.listen({ port: 3000 });',
  url: `await app.listen({ port: 0, host: '127.0.0.1' })`,
  stop: 'await app.close();',
};

it('the quick start of the README works when pasted', async () => {
  const answers = await runQuickStart(import.meta.url, listen, '/admin');
  expect(answers).toBe('200 null, 401 Bearer');
});

it('and so do the options in a file', async () => {
  expect(await runDescriptorExample(import.meta.url, listen)).toBe('200 null, 401 Bearer');
});
