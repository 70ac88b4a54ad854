// Runs the program of docs/guides/descriptor.md as written, on another port.
import { runDescriptorExample } from '@latchkey/test-kit/quick-start';
import { expect, it } from 'vitest';

const listen = {
  line: 'app.listen(3000);',
  url: `await new Promise((resolve) => {
    const server = app.listen(0, '127.0.0.1', () => resolve('http://127.0.0.1:' + server.address().port));
    globalThis.server = server;
  })`,
  stop: 'server.close();',
};

it('the options in a file work when pasted', async () => {
  expect(await runDescriptorExample(import.meta.url, listen)).toBe('200 null, 401 Bearer');
});
