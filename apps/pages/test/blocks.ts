// The programs of a page, and the modules that the compiler checks them as.

/** A block of code of a page. */
export interface Block {
  readonly language: string;
  /** What follows the language in the line of the fence. */
  readonly title: string;
  readonly code: string;
}

/** The blocks of a page in one of these languages. */
export function blocksOf(text: string, ...languages: readonly string[]): readonly Block[] {
  return [...text.matchAll(/^```(\w+)(.*)\n([\s\S]*?)^```$/gm)]
    .map(([, language = '', title = '', code = '']) => ({ language, title: title.trim(), code }))
    .filter(({ language }) => languages.includes(language));
}

/** A program of a page, and the blocks of other languages that follow it. */
export interface Program extends Block {
  /** The name in its first line: `// server.mjs`. */
  readonly file: string;
  readonly following: readonly Block[];
}

/** The programs of a page, in order. */
export function programsOf(text: string): readonly Program[] {
  const programs: { file: string; block: Block; following: Block[] }[] = [];
  for (const block of blocksOf(text, 'js', 'ts', 'sh', 'text')) {
    const isCode = block.language === 'js' || block.language === 'ts';
    const file = /^\/\/ (?:src\/)?([\w.-]+\.m?[jt]s)$/m.exec(block.code.split('\n')[0] ?? '')?.[1];
    if (isCode && file !== undefined) programs.push({ file, block, following: [] });
    else if (!isCode) programs.at(-1)?.following.push(block);
  }
  return programs.map(({ file, block, following }) => ({ ...block, file, following }));
}

/** A module, and which of its lines are JavaScript. */
export interface Module {
  readonly text: string;
  readonly scripts: readonly (readonly [first: number, last: number])[];
}

const IMPORT = /^import\s[^;]*;/gm;

/**
 * Makes one module of the blocks of a page. Each block is a function inside the function of the
 * block before it, so that it can use and declare again what earlier blocks declare.
 */
export function moduleOf(blocks: readonly Block[]): Module {
  const imports = new Map<string, string>();
  for (const { code } of blocks)
    for (const [statement] of code.matchAll(IMPORT))
      for (const [name, line] of importsIn(statement)) imports.set(name, line);
  const lines = [...imports.values()];
  const scripts: (readonly [number, number])[] = [];
  for (const [index, { code, language }] of blocks.entries()) {
    lines.push(`${index === 0 ? 'export ' : ''}async function block${index}() {`);
    const body = code
      .replaceAll(IMPORT, '')
      .replaceAll(/^export (?:default )?/gm, '')
      .split('\n');
    if (language === 'js') scripts.push([lines.length + 1, lines.length + body.length]);
    lines.push(...body);
  }
  return { text: [...lines, ...blocks.map(() => '}')].join('\n'), scripts };
}

/** One import for each name that a statement imports. A later block may import the name again. */
function importsIn(statement: string): readonly (readonly [name: string, line: string])[] {
  const [, type = '', names = '', from = ''] =
    /^import (type )?(?:([\s\S]*?) from )?('[^']+');$/.exec(statement) ?? [];
  if (names === '') return [[from, `import ${from};`]];
  const [, main = '', listed = ''] = /^([^{,]*),?\s*(?:\{([\s\S]*)\})?$/.exec(names) ?? [];
  const inBraces = listed.split(',').map((name) => name.trim());
  return [
    ...(main.trim() === '' ? [] : [[main.trim(), `import ${type}${main.trim()} from ${from};`] as const]),
    ...inBraces
      .filter((name) => name !== '')
      .map((name) => [/(\S+)$/.exec(name)?.[1] ?? '', `import ${type}{ ${name} } from ${from};`] as const),
  ];
}
