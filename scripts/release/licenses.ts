// The licenses of the dependencies that users install with the published packages.
import { execFileSync } from 'node:child_process';
import { filters, packages } from './packages.ts';

/** What a production dependency may have. None of them asks anything of the code that uses it. */
const ALLOWED = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'ISC', 'MIT'];

/** What `pnpm licenses list --json` prints: packages by license. */
export type Listing = Readonly<
  Record<string, readonly { readonly name: string; readonly versions: readonly string[] }[]>
>;

/** The production dependencies of the published packages, by license. */
export function listLicenses(): Listing {
  const args = [...filters(packages()), 'licenses', 'list', '--prod', '--json'];
  return JSON.parse(execFileSync('pnpm', args, { encoding: 'utf8' })) as Listing;
}

/** One line for each dependency that has another license, or none, or that the listing lacks. */
export function licenseProblems(listing: Listing, dependencies: readonly string[]): readonly string[] {
  const listed = new Set(Object.values(listing).flatMap((list) => list.map(({ name }) => name)));
  const lacking = dependencies
    .filter((name) => !listed.has(name))
    .map((name) => `${name} is a dependency, and pnpm lists no license for it; run pnpm install`);
  const refused = Object.entries(listing)
    .filter(([license]) => !isAllowed(license))
    .flatMap(([license, list]) =>
      list.map(
        ({ name, versions }) =>
          `${name}@${versions.join(', ')} has the license ${license}; replace it (pnpm why ${name} says ` +
          'who asks for it), or read the license and add it to scripts/release/licenses.ts',
      ),
    );
  return [...lacking, ...refused];
}

/** True for an allowed license, or an SPDX expression of them. Others are not read. */
export function isAllowed(license: string): boolean {
  const expression = /^\(([^()]*)\)$/.exec(license)?.[1] ?? license;
  return expression
    .split(' OR ')
    .some((choice) => choice.split(' AND ').every((name) => ALLOWED.includes(name)));
}
