// The blocks of code of a page, and the modules that the compiler checks its programs as.

/** A block of code of a page. */
export interface Block {
  /** What the fence says, or an empty text. */
  readonly language: string;
  /** What follows the language in the line of the fence. */
  readonly title: string;
  readonly code: string;
  /** The line of the page with the first line of the code. */
  readonly line: number;
}

/** All blocks of a page. */
export function blocksIn(text: string): readonly Block[] {
  return [...text.matchAll(/^( *)```(\w*)(.*)\n([\s\S]*?)^\1```$/gm)].map(
    ({ index, 1: indent = '', 2: language = '', 3: title = '', 4: code = '' }) => ({
      language,
      title: title.trim(),
      code: indent === '' ? code : code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      line: text.slice(0, index).split('\n').length + 1,
    }),
  );
}

/** The blocks of a page in one of these languages. */
export function blocksOf(text: string, ...languages: readonly string[]): readonly Block[] {
  return blocksIn(text).filter(({ language }) => languages.includes(language));
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
    const file = fileOf(block);
    if (isCode && file !== undefined) programs.push({ file, block, following: [] });
    else if (!isCode) programs.at(-1)?.following.push(block);
  }
  return programs.map(({ file, block, following }) => ({ ...block, file, following }));
}

/** The file that the first line of a block names, or undefined. */
export function fileOf({ code }: Block): string | undefined {
  return /^\/\/ (?:src\/)?([\w.-]+\.m?[jt]s)$/m.exec(code.split('\n')[0] ?? '')?.[1];
}

/** What the programs of a page use and do not declare. */
export interface Given {
  /** The imports of names that a program may leave out, by name. */
  readonly imports: ReadonlyMap<string, string>;
  /** The types of values, by name. */
  readonly values: Readonly<Record<string, string>>;
}

/** A module, and for each of its lines the line of the page and whether it is JavaScript. */
export interface Module {
  readonly text: string;
  readonly lines: ReadonlyMap<number, { readonly line: number; readonly isScript: boolean }>;
}

const IMPORT = /^import\s[^;]*;/gm;
const GLOBAL = /^declare (?:global|module '[^']+') \{\n[\s\S]*?^\}$/gm;

/**
 * Makes modules of the blocks of a page. Each block is a function inside the function of the block
 * before it, so that it can use and declare again what earlier blocks declare. A block that imports
 * a name from another module than the blocks before it begins a new module.
 */
export function modulesOf(blocks: readonly Block[], givenTo: (code: string) => Given): readonly Module[] {
  const groups: Block[][] = [];
  let imported = new Map<string, string>();
  for (const block of blocks) {
    const own = new Map(importsOf(block));
    const isOther = [...own].some(([name, line]) => (imported.get(name) ?? line) !== line);
    if (isOther || groups.length === 0) {
      groups.push([]);
      imported = new Map();
    }
    groups.at(-1)?.push(block);
    for (const [name, line] of own) imported.set(name, line);
  }
  return groups.map((group) => moduleOf(group, givenTo(group.map(({ code }) => code).join('\n'))));
}

function moduleOf(blocks: readonly Block[], given: Given): Module {
  const all = blocks.map(({ code }) => code).join('\n');
  const isUsed = (name: string) => new RegExp(`(?<![\\w$.'/@-])${name}(?![\\w$])`).test(all);
  const imports = new Map(blocks.flatMap(importsOf));
  const text = [...imports.values()];
  for (const [name, line] of given.imports) if (isUsed(name) && !imports.has(name)) text.push(line);
  for (const [name, type] of Object.entries(given.values))
    if (isUsed(name) && !imports.has(name))
      text.push(`declare const ${name}: ${type.replaceAll('\n', ' ')};`);
  for (const { code } of blocks)
    for (const [declaration] of code.matchAll(GLOBAL)) text.push(...declaration.split('\n'));
  const lines = new Map<number, { readonly line: number; readonly isScript: boolean }>();
  for (const [index, { code, language, line }] of blocks.entries()) {
    text.push(`${index === 0 ? 'export ' : ''}async function block${index}() {`);
    for (const [offset, each] of bodyOf(code).entries()) {
      text.push(each);
      lines.set(text.length, { line: line + offset, isScript: language !== 'ts' });
    }
  }
  return { text: [...text, ...blocks.map(() => '}')].join('\n'), lines };
}

/** The lines of a block as lines of a function, as many as there were. */
function bodyOf(code: string): readonly string[] {
  return code
    .replaceAll(IMPORT, (statement) => statement.replaceAll(/[^\n]/g, ''))
    .replaceAll(GLOBAL, (declaration) => declaration.replaceAll(/[^\n]/g, ''))
    .replaceAll(/^export default (?!(?:async )?(?:function|class)\b)/gm, 'const exported = ')
    .replaceAll(/^export (?:default )?/gm, '')
    .split('\n');
}

/** One import for each name that a block imports. A later block may import the name again. */
function importsOf({ code }: Block): readonly (readonly [name: string, line: string])[] {
  return [...code.matchAll(IMPORT)].flatMap(([statement]) => importsIn(statement));
}

function importsIn(statement: string): readonly (readonly [name: string, line: string])[] {
  const [, type = '', names = '', from = '', attributes = ''] =
    /^import (type )?(?:([\s\S]*?) from )?('[^']+')( with \{[^}]*\})?;$/.exec(statement) ?? [];
  if (names === '') return [[from, `import ${from};`]];
  const [, main = '', listed = ''] = /^([^{,]*),?\s*(?:\{([\s\S]*)\})?$/.exec(names) ?? [];
  const inBraces = listed.split(',').map((name) => name.trim());
  const rest = `from ${from}${attributes};`;
  return [
    ...(main.trim() === '' ? [] : [[nameIn(main), `import ${type}${main.trim()} ${rest}`] as const]),
    ...inBraces
      .filter((name) => name !== '')
      .map((name) => [nameIn(name), `import ${type}{ ${name} } ${rest}`] as const),
  ];
}

/** `Filter` of `type ExceptionFilter as Filter`. */
function nameIn(specifier: string): string {
  return /(\S+)\s*$/.exec(specifier)?.[1] ?? '';
}
