// What `pnpm matrix` runs: for each published package, the program and the commands at the top of
// its README, the packages that the README installs, and the versions that the manifest supports.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { published } from '../installed/published.ts';

export type Ranges = Readonly<Record<string, string>>;

/** The lowest version of all, the lowest one of the newest major version, and the highest one. */
export const KINDS = ['lowest', 'middle', 'highest'] as const;
export type Kind = (typeof KINDS)[number];

/**
 * `server` listens, prints tokens, and is asked by the commands of its README. `program` runs to
 * its end. `libraries` are loaded, and their types are checked: their READMEs need a directory, a
 * Redis or a vault.
 */
export interface Subject {
  readonly name: string;
  readonly kind: 'server' | 'program' | 'libraries';
  /** The packages of this repository that its project depends on. */
  readonly own: readonly string[];
  readonly program: string;
  /** The commands of the README, for `sh`. */
  readonly commands: string;
  /** The other packages of its project, by the kind of version. */
  readonly versions: ReadonlyMap<Kind, Ranges>;
}

/** Packages without a server whose programs need nothing but themselves. */
const PROGRAMS = ['core', 'testing'];

const own = (name: string) => name.startsWith('@latchkey/');
const scopeOf = (name: string) => (name.startsWith('@') ? name.split('/')[0] : undefined);

/** The version of a kind in a range such as `^4.21.0 || ^5.0.0`. */
function versionOf(range: string, kind: Kind): string {
  const parts = range.split('||').map((part) => part.trim());
  const lowest = parts.map((part) => {
    const [, version] = /^\^(\d+\.\d+\.\d+)$/.exec(part) ?? [];
    if (version === undefined) throw new Error(`expected a range such as ^4.21.0 || ^5.0.0, got ${range}`);
    return version;
  });
  if (kind === 'highest') return parts.at(-1) ?? range;
  return (kind === 'lowest' ? lowest[0] : lowest.at(-1)) ?? range;
}

/** The versions of peers, and of what a README installs next to them. */
function versionsOf(peers: Ranges, installed: readonly string[]): ReadonlyMap<Kind, Ranges> {
  const ranges = Object.values(peers);
  const kinds = KINDS.filter(
    (kind) => kind === 'highest' || ranges.some((range) => kind === 'lowest' || range.includes('||')),
  );
  return new Map(
    kinds.map((kind) => {
      const versions = new Map(Object.entries(peers).map(([name, range]) => [name, versionOf(range, kind)]));
      for (const name of installed) {
        // The packages of a framework have the version of the framework.
        const [sibling] = Object.keys(peers).filter((peer) => scopeOf(peer) === (scopeOf(name) ?? ''));
        if (!versions.has(name)) versions.set(name, versions.get(sibling ?? '') ?? '*');
      }
      return [kind, Object.fromEntries(versions)];
    }),
  );
}

const packages = published.map(({ folder, manifest }) => {
  const text = readFileSync(join(folder, 'README.md'), 'utf8');
  const blocks = [...text.matchAll(/^```(js|ts|sh)\n([\s\S]*?)^```$/gm)].map(
    ([, language = '', code = '']) => ({
      language,
      code,
    }),
  );
  const program = blocks.find(({ language }) => language !== 'sh');
  const commands = blocks.find(({ language, code }) => language === 'sh' && code.includes('localhost:3000'));
  const [install] = blocks.filter(({ language }) => language === 'sh');
  const installed = (install?.code ?? '')
    .split('\n')
    .filter((line) => line.startsWith('npm install '))
    .flatMap((line) => line.split(' ').slice(2))
    .filter((word) => !word.startsWith('-'));
  const optional = Object.keys(manifest.peerDependenciesMeta ?? {});
  // Peers of the repository come as they are packed. Optional ones are those of the README.
  const peers = Object.fromEntries(
    Object.entries(manifest.peerDependencies ?? {}).filter(
      ([name]) => !own(name) && (!optional.includes(name) || installed.includes(name)),
    ),
  );
  return { name: manifest.name, program, commands, installed, peers };
});

const withPrograms: readonly Subject[] = packages.flatMap(
  ({ name, program, commands, installed, peers }): readonly Subject[] => {
    const short = name.replace('@latchkey/', '');
    const kind = commands === undefined ? 'program' : 'server';
    if (program === undefined || (kind === 'program' && !PROGRAMS.includes(short))) return [];
    return [
      {
        name: short,
        kind,
        own: [...new Set([name, '@latchkey/testing', ...installed.filter(own)])],
        program: program.code,
        commands: commands?.code ?? '',
        versions: versionsOf(
          peers,
          installed.filter((one) => !own(one)),
        ),
      },
    ];
  },
);

const rest = packages.filter(({ name }) => !withPrograms.some((subject) => subject.own[0] === name));

const libraries: Subject = {
  name: 'libraries',
  kind: 'libraries',
  own: rest.map(({ name }) => name),
  program: '',
  commands: '',
  versions: versionsOf(Object.assign({}, ...rest.map(({ peers }) => peers)), ['@types/node']),
};

/** Those with the same number of kinds are next to each other: cells.ts counts on it. */
export const SUBJECTS: readonly Subject[] = [...withPrograms, libraries].toSorted(
  (one, other) => other.versions.size - one.versions.size,
);
