// `pnpm dependencies:check`: checks the licenses of all that users install with the published
// packages, and writes an SBOM of each package to reports/release/sbom, for the page of a release.
import { licenseProblems, listLicenses } from './release/licenses.ts';
import { packages } from './release/packages.ts';
import { sbomProblems, writeSboms } from './release/sbom.ts';

const names = new Set(packages().map(({ name }) => name));
const dependencies = [...new Set(packages().flatMap((one) => one.dependencies))].filter(
  (name) => !names.has(name),
);
const problems = [...licenseProblems(listLicenses(), dependencies)];
for (const { file, of } of writeSboms()) problems.push(...(await sbomProblems(file, of)));
for (const problem of problems) console.error(problem);
console.log(problems.length === 0 ? 'no problems in the dependencies' : `${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
