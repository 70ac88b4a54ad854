// The quick start of the README, run as it stands there but for its port.
import { runQuickStart } from '@latchkey/conformance';
import { expect, it } from 'vitest';

it('the quick start of the README works when pasted', async () => {
  const listen = {
    line: 'await app.listen({ port: 3000 });',
    url: `await app.listen({ port: 0, host: '127.0.0.1' })`,
    stop: 'await app.close();',
  };
  const answers = await runQuickStart(import.meta.url, listen, '/admin');
  expect(answers).toBe('200 null, 401 Bearer');
});
