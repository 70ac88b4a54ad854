// The chapter about MCP: the client takes every step, and a wrong answer is noticed.
import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import { about, askAsMcpClient, outcomesOf, stepsFor } from '../src/mcp.ts';
import type { Exchange } from '../src/mcp-process.ts';
import { headOf, isExpected, type Outcome, recapOf, rowOf } from '../src/table.ts';

const steps = stepsFor('http://127.0.0.1:3000/mcp', 'http://127.0.0.1:4000');
const isGood = ({ step, answers }: Outcome) => answers.every((answer) => isExpected(step, answer));

/** The exchanges of a client that gets what it is to get. */
function exchangesOf(): Exchange[] {
  return steps.map(({ method, path, asks, expected, says }) => ({
    method,
    path,
    asks,
    status: expected,
    said: says.join(' '),
  }));
}

it('the client of the SDK takes every step', { timeout: 60_000 }, async () => {
  const { outcomes, exitCode } = await askAsMcpClient();
  expect(recapOf(outcomes, ['mcp']).map((line) => stripVTControlCharacters(line))).toEqual([]);
  expect(outcomes.map(({ answers: [answer] }) => answer?.status)).toEqual([
    401, 200, 200, 200, 200, 200, 403, 200, 200, 200,
  ]);
  expect(exitCode).toBe(0);
  const lines = [headOf(about, ['mcp']), ...outcomes.flatMap((outcome) => rowOf(outcome, ['mcp']))];
  const width = Math.max(...lines.map((line) => stripVTControlCharacters(line).trim().length));
  expect(width).toBeLessThanOrEqual(92);
});

it('a step without its request is not as expected', () => {
  expect(outcomesOf(steps, exchangesOf()).every(isGood)).toBe(true);
  for (const index of steps.keys()) {
    const exchanges = exchangesOf().filter((_, at) => at !== index);
    expect(outcomesOf(steps, exchanges).every(isGood)).toBe(false);
  }
});

it('an answer with another status or text is not as expected', () => {
  for (const [index, { says }] of steps.entries()) {
    const other = exchangesOf().map((exchange, at) =>
      at === index ? { ...exchange, status: 500 } : exchange,
    );
    expect(outcomesOf(steps, other).every(isGood)).toBe(false);
    const silent = exchangesOf().map((exchange, at) => (at === index ? { ...exchange, said: '' } : exchange));
    const outcome = outcomesOf(steps, silent)[index];
    expect(outcome?.answers).toEqual([
      { status: undefined, fault: `${steps[index]?.expected} without ${says.join(' and ')}` },
    ]);
  }
});
