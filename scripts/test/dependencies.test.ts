// Checks what `pnpm dependencies:check` refuses. `pnpm check` runs the command itself.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { isAllowed, licenseProblems } from '../release/licenses.ts';
import { sbomProblems } from '../release/sbom.ts';

const folder = mkdtempSync(join(tmpdir(), 'latchkey-sbom-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each(['MIT', '(MIT OR GPL-3.0-only)', 'Apache-2.0 AND MIT', '(MIT)'])('allows %s', (license) => {
  expect(isAllowed(license)).toBe(true);
});

it.each([
  'GPL-3.0-only',
  'AGPL-3.0-or-later',
  'MIT AND GPL-3.0-only',
  '(MIT AND (ISC OR GPL-3.0-only))',
  'mit-like',
  'Unknown',
  'UNLICENSED',
  'SEE LICENSE IN LICENSE.txt',
  '',
])('refuses %j', (license) => {
  expect(isAllowed(license)).toBe(false);
});

it('names the dependency whose license is not allowed, and what to do', () => {
  const listing = {
    MIT: [{ name: 'a', versions: ['1.0.0'] }],
    'GPL-3.0-only': [{ name: 'b', versions: ['2.0.0'] }],
  };
  expect(licenseProblems(listing, ['a', 'b'])).toEqual([
    'b@2.0.0 has the license GPL-3.0-only; replace it (pnpm why b says who asks for it), or read the ' +
      'license and add it to scripts/release/licenses.ts',
  ]);
});

it('takes no listing that lacks a dependency', () => {
  expect(licenseProblems({}, ['a'])).toEqual([
    'a is a dependency, and pnpm lists no license for it; run pnpm install',
  ]);
});

const of = { name: '@latchkey/web', version: '0.1.0', folder: 'packages/web', dependencies: ['yaml'] };
const root = { type: 'library', group: '@latchkey', name: 'web', version: '0.1.0', 'bom-ref': 'root' };
const yaml = { type: 'library', name: 'yaml', version: '2.9.1', 'bom-ref': 'yaml' };
const good = {
  bomFormat: 'CycloneDX',
  specVersion: '1.7',
  version: 1,
  metadata: { timestamp: '2026-01-01T00:00:00.000Z', component: root },
  components: [yaml],
  dependencies: [{ ref: 'root', dependsOn: ['yaml'] }],
};

it('accepts an SBOM that is valid and complete', async () => {
  expect(await problemsOf(good)).toEqual([]);
});

it.each([
  ['an unknown version of CycloneDX', { ...good, specVersion: '9.0' }, 'expected a version of CycloneDX'],
  ['a member that the schema does not have', { ...good, odd: true }, 'is not valid'],
  ['a component without a type', { ...good, components: [{ ...yaml, type: undefined }] }, 'is not valid'],
  [
    'the version before',
    { ...good, metadata: { component: { ...root, version: '0.0.9' } } },
    'expected @latchkey/web@0.1.0, got @latchkey/web@0.0.9',
  ],
  ['no dependency', { ...good, dependencies: [{ ref: 'root' }] }, 'expected the dependency yaml'],
])('refuses an SBOM with %s', async (_, bom, problem) => {
  expect(await problemsOf(bom)).toEqual([expect.stringContaining(problem)]);
});

function problemsOf(bom: object): Promise<readonly string[]> {
  const file = join(folder, 'bom.json');
  writeFileSync(file, JSON.stringify(bom));
  return sbomProblems(file, of);
}
