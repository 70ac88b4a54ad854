// Runs the first program of the README, with the clients of the SDK.
import { startQuickStart } from '@latchkey/test-kit/quick-start';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect } from './servers.ts';

let quickStart: Awaited<ReturnType<typeof startQuickStart>>;
beforeAll(async () => {
  quickStart = await startQuickStart(import.meta.url);
});
afterAll(() => quickStart.stop());

it.each(['v1', 'v2'] as const)('the client of %s calls its tools', async (version) => {
  const connected = await connect[version](`${quickStart.url}/mcp`, quickStart.tokens.get('ALICE'));
  expect(await connected.callTool({ name: 'whoami' })).toMatchObject({ content: [{ text: 'alice' }] });
});
