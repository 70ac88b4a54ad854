// Reads the pages in docs/providers: for each command, the options that it writes, the same options
// in code, the claims of a token, and rules.
import { readdirSync, readFileSync } from 'node:fs';
import type { JsonObject } from '@latchkey/core';
import { parse } from 'yaml';

/** One command of a page, and what follows it up to the next command. */
export interface PageCommand {
  readonly page: string;
  /** The words after `latchkey`. */
  readonly words: readonly string[];
  readonly provider: string;
  /** The file that the command writes. */
  readonly written: string;
  /** The argument of `createAuthenticator`. */
  readonly options: unknown;
  readonly claims: JsonObject;
  readonly routes: { readonly [name: string]: JsonObject };
}

const FOLDER = new URL('../../../docs/providers/', import.meta.url);

/** The pages, without the index. */
export const PAGES: readonly string[] = readdirSync(FOLDER).filter((file) => file !== 'README.md');

/** The text of a page. */
export function textOf(page: string): string {
  return readFileSync(new URL(page, FOLDER), 'utf8');
}

/** The blocks of a page in a language, in their order. */
export function blocksOf(text: string, language: string): readonly string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, block = '']) => block,
  );
}

/** The commands of all pages. */
export const COMMANDS: readonly PageCommand[] = PAGES.flatMap((page) => {
  const [, ...parts] = textOf(page).split(/^```sh\n(?=latchkey jwks add)/m);
  return parts.map((part) => {
    const [line = ''] = part.split('\n```\n');
    const words = line.replaceAll('\\\n', ' ').trim().split(/\s+/).slice(1);
    const [written = ''] = blocksOf(part, 'yaml');
    const [code = ''] = blocksOf(part, 'js');
    const [claims = ''] = blocksOf(part, 'json');
    const rules = blocksOf(part, 'yaml').find((block) => block.startsWith('routes:'));
    return {
      page,
      words,
      provider: words[words.indexOf('--provider') + 1] ?? '',
      written,
      options: argumentOf(code),
      claims: JSON.parse(claims),
      routes: rules === undefined ? {} : parse(rules).routes,
    };
  });
});

/** Runs a program of a page with a function that returns its argument. */
export function argumentOf(code: string): unknown {
  const evaluate = new Function('createAuthenticator', `${code}; return authenticator;`);
  return evaluate((options: unknown) => options);
}
