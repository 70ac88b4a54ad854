// The software bills of materials of the published packages, in CycloneDX.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { filters, type PublishedPackage, packages } from './packages.ts';

const FOLDER = 'reports/release/sbom';

interface Bom {
  readonly specVersion: string;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}
interface Component {
  readonly group?: string;
  readonly name: string;
  readonly version: string;
  readonly 'bom-ref': string;
}

/** Writes one file for each published package. Each has what users install with the package. */
export function writeSboms(): readonly { readonly file: string; readonly of: PublishedPackage }[] {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const out = ['--split', '--out', join(FOLDER, '%s.json')];
  const args = [...filters(packages()), 'sbom', '--sbom-format', 'cyclonedx', '--prod', ...out];
  execFileSync('pnpm', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  return packages().map((of) => ({ file: join(FOLDER, `${fileName(of.name)}.json`), of }));
}

/** What is wrong with a file, by the schema of CycloneDX and by the manifest of the package. */
export async function sbomProblems(file: string, of: PublishedPackage): Promise<readonly string[]> {
  const text = readFileSync(file, 'utf8');
  const bom = JSON.parse(text) as Bom;
  const version = Object.values(Spec.Version).find((one) => one === bom.specVersion);
  if (version === undefined)
    return [`${file}: expected a version of CycloneDX that is known, got ${bom.specVersion}`];
  const errors = await new Validation.JsonStrictValidator(version).validate(text);
  if (errors !== null) return [`${file} is not valid: ${JSON.stringify(errors).slice(0, 1000)}`];
  const root = bom.metadata.component;
  const found = `${nameOf(root)}@${root.version}`;
  if (found !== `${of.name}@${of.version}`)
    return [`${file}: expected ${of.name}@${of.version}, got ${found}`];
  const needed = bom.dependencies.find(({ ref }) => ref === root['bom-ref'])?.dependsOn ?? [];
  const direct = bom.components.filter((one) => needed.includes(one['bom-ref'])).map(nameOf);
  return of.dependencies
    .filter((name) => !direct.includes(name))
    .map((name) => `${file}: expected the dependency ${name}`);
}

function nameOf({ group, name }: Component): string {
  return group === undefined ? name : `${group}/${name}`;
}

function fileName(name: string): string {
  return name.replace(/^@/, '').replace('/', '-');
}
