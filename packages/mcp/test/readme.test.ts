// Runs the first program of the README, and its calls.
import { readFileSync } from 'node:fs';
import { startQuickStart } from '@latchkey/test-kit/quick-start';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, message, post } from './servers.ts';

let quickStart: Awaited<ReturnType<typeof startQuickStart>>;
beforeAll(async () => {
  quickStart = await startQuickStart(import.meta.url);
});
afterAll(() => quickStart.stop());

it('the calls of the README get what it says', async () => {
  const text = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const calls = [...text.matchAll(/^call (\$?\w+) (\w+) +# (\d+)$/gm)];
  expect(calls).toHaveLength(4);
  for (const [line, who = '', name, status] of calls) {
    const token = quickStart.tokens.get(who.slice(1)) ?? who;
    const answer = await post(`${quickStart.url}/mcp`, token, message('tools/call', { name }));
    expect(answer.status, line).toBe(Number(status));
  }
});

it.each(['v1', 'v2'] as const)('the client of %s calls its tools', async (version) => {
  const connected = await connect[version](`${quickStart.url}/mcp`, quickStart.tokens.get('ALICE'));
  expect(await connected.callTool({ name: 'whoami' })).toMatchObject({ content: [{ text: 'alice' }] });
});
