// The quick start of the README, run as it stands there but for its port.
import { runQuickStart } from '@latchkey/conformance';
import { expect, it } from 'vitest';

it('the quick start of the README works when pasted', async () => {
  const answers = await runQuickStart(import.meta.url, {
    line: 'app.listen(3000);',
    url: `await new Promise((resolve) => {
      const server = app.listen(0, '127.0.0.1', () => resolve('http://127.0.0.1:' + server.address().port));
      globalThis.server = server;
    })`,
    stop: 'server.close();',
  });
  expect(answers).toBe('200 null, 401 Bearer');
});
