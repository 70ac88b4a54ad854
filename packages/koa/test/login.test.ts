// Runs the login of docs/guides/signing.md as written, on another port.
import { runLoginExample } from '@latchkey/test-kit/login-example';
import { expect, it } from 'vitest';

it('the login of the guide forwards to a backend and signs its reply', async () => {
  expect(await runLoginExample(import.meta.url)).toEqual({
    status: 200,
    subjects: { access_token: 'john', refresh_token: 'john' },
    fields: ['access_token', 'refresh_token', 'exp'],
    refused: '401 {"error":"wrong password"}',
  });
});
