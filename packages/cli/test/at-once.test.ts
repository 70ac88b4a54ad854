// Commands that run at once over one descriptor: what one of them says that it has done is done.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { run } from '../src/index.ts';
import { temporaryFolder } from './temporary.ts';
import { createTerminal } from './terminal.ts';

const add = (number: number) => [
  ...['jwks', 'add', '--jwks-url', `https://${number}.example/jwks`, '--issuer', `https://${number}.example`],
  '--skip-validation',
];

async function latchkey(cwd: string, argv: readonly string[]) {
  const { terminal, stderr } = createTerminal({ cwd });
  return { code: await run(argv, terminal), stderr: stderr() };
}

it.each(['a new descriptor', 'a descriptor that is there'])('no edit of %s is lost', async (name) => {
  const cwd = temporaryFolder('at-once');
  const text = () => readFileSync(join(cwd, 'service.yaml'), 'utf8');
  const first = name.startsWith('a new') ? [] : [await latchkey(cwd, add(99))];
  const others = await Promise.all([...Array(8).keys()].map((number) => latchkey(cwd, add(number))));
  const done = [...first, ...others].filter(({ code }) => code === 0);
  expect(text().match(/jwksUrl/g)).toHaveLength(done.length);
  expect(done.length).toBeGreaterThan(first.length);
  for (const { stderr } of others.filter(({ code }) => code !== 0))
    expect(stderr).toContain('meanwhile; try again');
  // No lock stays.
  expect(readdirSync(cwd)).toEqual(['service.yaml']);
});

it('what is removed stays removed while something else is added', async () => {
  const cwd = temporaryFolder('at-once');
  await latchkey(cwd, add(1));
  await latchkey(cwd, add(2));
  const [removed, added] = await Promise.all([
    latchkey(cwd, ['jwks', 'remove', '--issuer', 'https://1.example']),
    latchkey(cwd, add(3)),
  ]);
  const text = readFileSync(join(cwd, 'service.yaml'), 'utf8');
  expect([removed.code, added.code].filter((code) => code === 0)).toHaveLength(1);
  expect(text.includes('https://1.example')).toBe(removed.code !== 0);
  expect(text.includes('https://3.example')).toBe(added.code === 0);
});
