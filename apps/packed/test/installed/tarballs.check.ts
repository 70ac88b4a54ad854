// The tarballs themselves: publint and attw judge their manifests, files and types.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { hasCommonJs, published } from './published.ts';
import { runs } from './run.ts';

describe.each(published)('$manifest.name', ({ manifest, tarball }) => {
  const path = join(inject('folder'), tarball);

  it('publishes its exports without the sources', () => {
    const { exports, publishConfig } = manifest;
    const expected = Object.entries(exports).map(([entry, target]) => {
      if (typeof target === 'string') return [entry, target];
      const { source: _source, ...rest } = target;
      return [entry, rest];
    });
    // As text, because the order of conditions counts.
    expect(JSON.stringify(publishConfig?.exports)).toBe(JSON.stringify(Object.fromEntries(expected)));
  });

  it('is installed with its license, without development dependencies, with what its maps name', () => {
    const folder = join(inject('folder'), 'today/node_modules', manifest.name);
    const installed = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    expect(installed).not.toHaveProperty('devDependencies');
    expect(existsSync(join(folder, 'LICENSE'))).toBe(true);
    const maps = globSync('dist/**/*.d.ts.map', { cwd: folder });
    expect(maps).not.toEqual([]);
    for (const map of maps) {
      const { sources } = JSON.parse(readFileSync(join(folder, map), 'utf8'));
      for (const source of sources) expect(existsSync(join(folder, dirname(map), source)), map).toBe(true);
    }
  });

  it('has a manifest without faults', async () => {
    await runs('publint', ['run', path, '--strict'], inject('folder'));
  });

  it('has types for every resolution, node10 included', async () => {
    // A package without CommonJS is not a library for services: require() of Node takes its ES
    // modules.
    const ignored = hasCommonJs(manifest) ? [] : ['--ignore-rules', 'cjs-resolves-to-esm'];
    await runs('attw', [path, ...ignored], inject('folder'));
  });
});
