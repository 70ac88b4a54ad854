// The adapter in docs/adapters.md is complete: it passes every case, exactly as the page has it.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const page = readFileSync(new URL('../../../docs/adapters.md', import.meta.url), 'utf8');
const folder = fileURLToPath(new URL('./.written/', import.meta.url));

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
for (const name of ['adapter.js', 'conformance.test.js']) writeFileSync(`${folder}${name}`, programOf(name));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// The import declares the suite.
await import(`${folder}conformance.test.js`);

/** Returns the program whose first line is a comment with its name. */
function programOf(name: string): string {
  const programs = [...page.matchAll(/```js\n([\s\S]*?)```/g)].map(([, program = '']) => program);
  const found = programs.find((program) => program.startsWith(`// ${name}`));
  if (found === undefined) throw new Error(`docs/adapters.md has no program ${name}`);
  return found;
}
