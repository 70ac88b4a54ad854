// The pages of the API reference, from the TSDoc of the packages that are published. TypeDoc has
// its own TypeScript 6: the programming interface that it needs is not in TypeScript 7.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Application, ConsoleLogger, LogLevel, type TypeDocOptions } from 'typedoc';
import type { PluginOptions } from 'typedoc-plugin-markdown';
import { ROOT } from './pages.ts';

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports?: { readonly [subpath: string]: string | { readonly source?: string } };
}

interface Entry {
  /** What a program imports, such as `@latchkey/core/signing`. */
  readonly specifier: string;
  readonly source: string;
}

/** What programs can import, of all packages that are published. */
function entries(): readonly Entry[] {
  return globSync('packages/*/package.json', { cwd: ROOT })
    .toSorted()
    .flatMap((path) => {
      const manifest = JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as Manifest;
      if (manifest.private === true) return [];
      return Object.entries(manifest.exports ?? {}).flatMap(([subpath, target]) => {
        const source = typeof target === 'string' ? undefined : target.source;
        // The first changes types of the whole program, and exports nothing.
        if (source === undefined || subpath === './augment') return [];
        return [{ specifier: join(manifest.name, subpath), source: join(ROOT, dirname(path), source) }];
      });
    });
}

/** A logger that keeps quiet of names in a rest parameter, which TypeDoc does not look for. */
class TolerantLogger extends ConsoleLogger {
  override log(message: string, level: Exclude<LogLevel, LogLevel.None>): void {
    if (!/The signature .* has an @param with name .*, which was not used/.test(message))
      super.log(message, level);
  }
}

/**
 * Writes one page for each module into a folder.
 * @throws if TypeDoc has a warning
 */
export async function writeReference(folder: string): Promise<void> {
  const modules = entries();
  const app = await Application.bootstrapWithPlugins({
    entryPoints: modules.map(({ source }) => source),
    tsconfig: join(ROOT, 'apps/docs/tsconfig.reference.json'),
    plugin: ['typedoc-plugin-markdown'],
    // The same program is compiled by the TypeScript of this repository.
    skipErrorChecking: true,
    excludeInternal: true,
    excludePrivate: true,
    disableSources: true,
    readme: 'none',
    logLevel: LogLevel.Warn,
    outputs: [{ name: 'markdown', path: folder }],
    router: 'module',
    entryFileName: 'index',
    flattenOutputFiles: true,
    excludeScopesInPaths: true,
    hidePageHeader: true,
    hideBreadcrumbs: true,
    name: 'API reference',
    useCodeBlocks: true,
    // VitePress numbers headings of the same text in another way than TypeDoc does in its links.
    useHTMLAnchors: true,
    anchorPrefix: 'api-',
    expandObjects: true,
    parametersFormat: 'table',
    tableColumnSettings: { leftAlignHeaders: true },
  } as Partial<TypeDocOptions & PluginOptions>);
  app.logger = new TolerantLogger();
  app.logger.level = LogLevel.Warn;
  const project = await app.convert();
  if (project === undefined) throw new Error('TypeDoc could not read the packages');
  // TypeDoc names a module by its folder.
  for (const [index, module] of (project.children ?? []).entries())
    module.name = modules[index]?.specifier ?? module.name;
  await app.generateOutputs(project);
  if (app.logger.hasWarnings() || app.logger.hasErrors()) throw new Error('TypeDoc has warnings: see above');
}
