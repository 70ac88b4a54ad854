// Every command of `latchkey` in a block of a page is one that the program parses: its words, its
// flags and their values. Nothing runs: other tests run what the commands do.
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { expect, it } from 'vitest';
import { createContext } from '../src/context.ts';
import { createProgram } from '../src/program.ts';
import { createTerminal } from './terminal.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const pages = globSync(['*.md', 'docs/**/*.md', 'packages/*/README.md', 'apps/*/README.md'], {
  cwd: root,
  exclude: ['**/node_modules/**', '**/.vitepress/**'],
});

/** The commands of a page: the words after `latchkey`. */
function commandsOf(page: string): readonly (readonly string[])[] {
  const text = readFileSync(`${root}/${page}`, 'utf8');
  return [...text.matchAll(/^ *```(?:sh|bash)\n([\s\S]*?)^ *```$/gm)].flatMap(([, code = '']) =>
    code
      .replaceAll('\\\n', ' ')
      .split('\n')
      .flatMap((line) => commandsIn(line)),
  );
}

/** Splits a line into words and commands, as a shell does. */
function commandsIn(line: string): readonly (readonly string[])[] {
  const commands: string[][] = [[]];
  for (const [word, single, double, special] of line.matchAll(
    /'([^']*)'|"([^"]*)"|([|;&]+|<\(|\)|[<>]\s*[^\s(]+|(?<=\s|^)#.*)|[^\s|;&<>'")]+/g,
  )) {
    if (special === undefined) commands.at(-1)?.push(single ?? double ?? word);
    else if (/^(?:[|;&]|<\(|\))/.test(special)) commands.push([]);
  }
  return commands.flatMap((words) => {
    const index = words.findIndex((word) => !word.includes('=') && word !== 'npx');
    return words[index] === 'latchkey' ? [words.slice(index + 1)] : [];
  });
}

/** Makes a program whose commands do nothing. */
function program(): { readonly parse: (words: readonly string[]) => Promise<string> } {
  const { terminal, stderr } = createTerminal({ cwd: root });
  const made = createProgram(createContext(terminal));
  const disarm = (command: Command): void => {
    if (command.commands.length === 0) command.action(() => {});
    command.commands.forEach(disarm);
  };
  disarm(made);
  return {
    async parse(words) {
      return made.parseAsync([...words], { from: 'user' }).then(
        () => '',
        (error: unknown) => stderr() || String(error),
      );
    },
  };
}

it('every command of every page is parsed', async () => {
  const faults: string[] = [];
  let count = 0;
  for (const page of pages)
    for (const words of commandsOf(page)) {
      count += 1;
      const said = await program().parse(words);
      if (said !== '') faults.push(`${page}: latchkey ${words.join(' ')}: ${said}`);
    }
  expect(faults).toEqual([]);
  expect(count).toBeGreaterThan(50);
});

it('a command with a flag that does not exist is refused', async () => {
  expect(await program().parse(['lint', '--strickt'])).toContain("unknown option '--strickt'");
  expect(await program().parse(['jwks', 'ad'])).toContain('unknown command');
});
