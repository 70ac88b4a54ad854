// Every name that this package exports. Add one deliberately: removing it later breaks
// applications.
import { readFileSync } from 'node:fs';
import * as core from '@latchkey/core';
import * as signingOfCore from '@latchkey/core/signing';
import { expect, it } from 'vitest';
import * as signing from '../src/core-signing.ts';
import * as adapter from '../src/index.ts';

it('exports what core exports at its root, and these values', () => {
  const own = Object.keys(adapter).filter((name) => !Object.hasOwn(core, name));
  expect({ ...adapter }).toMatchObject({ ...core });
  expect(own.sort()).toEqual([
    'authenticate',
    'healthCheck',
    'publicRoute',
    'publishKeys',
    'publishResource',
    'receiveEvents',
    'recentDecisions',
    'requireClaims',
    'routes',
    'signResponse',
  ]);
});

it('./signing exports what core exports there', () => {
  expect({ ...signing }).toEqual({ ...signingOfCore });
});

it('has these subpaths, also for npm and for node10 resolution', () => {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const subpaths = ['.', './signing', './augment', './package.json'];
  expect(Object.keys(manifest.exports)).toEqual(subpaths);
  expect(Object.keys(manifest.publishConfig.exports)).toEqual(subpaths);
  expect(Object.keys(manifest.typesVersions['*'])).toEqual(['signing', 'augment']);
});
