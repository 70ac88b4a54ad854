// The notes of a release: what the changelogs say of the version, each change once.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packages } from './packages.ts';

const FILE = 'reports/release/notes.md';

/** Writes the notes of a version, and returns the name of the file. */
export function writeNotes(version: string): string {
  const changelogs = packages().map(({ name, folder }) => {
    const file = join(folder, 'CHANGELOG.md');
    return { name, text: existsSync(file) ? readFileSync(file, 'utf8') : '' };
  });
  mkdirSync('reports/release', { recursive: true });
  writeFileSync(FILE, notesOf(version, changelogs));
  return FILE;
}

/** The notes from the changelogs. A change of several packages is there once, with all of them. */
export function notesOf(
  version: string,
  changelogs: readonly { readonly name: string; readonly text: string }[],
): string {
  const changes = new Map<string, string[]>();
  for (const { name, text } of changelogs)
    for (const change of changesIn(text, version)) {
      const names = changes.get(change) ?? [];
      if (!names.includes(name)) names.push(name);
      changes.set(change, names);
    }
  const lines = [...changes].map(([change, names]) => `- ${change}\n  (${names.join(', ')})`);
  return `# ${version}\n\n${lines.join('\n')}\n`;
}

function changesIn(changelog: string, version: string): readonly string[] {
  const section = changelog.split(/^## /m).find((part) => part.split('\n', 1)[0] === version) ?? '';
  return section
    .split(/^- /m)
    .slice(1)
    .map((item) => item.split(/^### /m, 1)[0]?.trim() ?? '')
    .filter((item) => !item.startsWith('Updated dependencies'))
    .map((item) => item.replace(/^[0-9a-f]{7,}: /, ''));
}
