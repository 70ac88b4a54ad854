// `pnpm release`: checks, writes the versions, publishes, tags, and writes the notes. A run that
// failed half way can be run again: what the registry has already is not published again.
//   --dry-run     says what it would do, and changes nothing
//   --canary      publishes a canary, under the dist-tag "canary": no commit, no tag
//   --checked     the checks have passed elsewhere: does not run them
//   --committed   the versions are committed: changesets that are left are an error
//   --provenance  publishes with provenance, which only a workflow can
import { parseArgs } from 'node:util';
import { clean, git, run } from './release/commands.ts';
import { writeNotes } from './release/notes.ts';
import { packages, plannedVersion, versionOf } from './release/packages.ts';
import { publish } from './release/publish.ts';

const { values: options } = parseArgs({
  options: {
    'dry-run': { type: 'boolean', default: false },
    canary: { type: 'boolean', default: false },
    checked: { type: 'boolean', default: false },
    committed: { type: 'boolean', default: false },
    provenance: { type: 'boolean', default: false },
  },
});

const planned = plannedVersion();
const current = versionOf(packages());
if (options.committed && !options.canary && planned !== undefined)
  throw new Error(
    `expected committed versions, got changesets for ${planned}; run pnpm run version and commit`,
  );
if (options.canary && planned === undefined) throw new Error('expected a changeset; a canary needs a change');
if (options['dry-run']) {
  sayPlan();
} else {
  clean();
  if (!options.checked) run('pnpm', ['check']);
  if (options.canary) releaseCanary();
  else release();
}

function release(): void {
  if (planned !== undefined) {
    run('pnpm', ['run', 'version']);
    git('add', '--all');
    git('commit', '--quiet', '--message', `chore: release ${planned}`);
  }
  const version = versionOf(packages());
  run('pnpm', ['build']);
  clean();
  publish(packages(), 'latest', options.provenance);
  if (git('tag', '--list', `v${version}`) === '')
    git('tag', '--annotate', '--message', version, `v${version}`);
  console.log(`released ${version}; notes: ${writeNotes(version)}; next: git push --follow-tags`);
}

function releaseCanary(): void {
  try {
    run('pnpm', ['exec', 'changeset', 'version', '--snapshot', 'canary']);
    run('pnpm', ['tables']);
    run('pnpm', ['build']);
    publish(packages(), 'canary', options.provenance);
    console.log(`canary ${versionOf(packages())}`);
  } finally {
    // The tree was clean before.
    git('restore', '--staged', '--worktree', '.');
    git('clean', '--force', '--quiet', '--', 'packages', '.changeset');
  }
}

function sayPlan(): void {
  const tag = options.canary ? 'canary' : 'latest';
  const version = planned ?? current;
  if (!options.checked) console.log('would run pnpm check');
  if (planned !== undefined)
    console.log(
      options.canary
        ? `would write canary versions of ${planned}, and take them back afterwards`
        : `would write the versions and changelogs of ${planned} (now ${current}), and commit them`,
    );
  console.log('would run pnpm build');
  for (const { name } of packages())
    console.log(`would publish ${name}@${version}${options.canary ? '-canary-…' : ''} under ${tag}`);
  if (!options.canary) console.log(`would tag v${version} and write reports/release/notes.md`);
}
