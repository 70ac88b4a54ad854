// Every name that this package exports. Add one deliberately: removing it later breaks
// applications.
import * as core from '@latchkey/core';
import { expect, it } from 'vitest';
import * as mcp from '../src/index.ts';

it('exports what core exports at its root, and these values', () => {
  const own = Object.keys(mcp).filter((name) => !Object.hasOwn(core, name));
  expect({ ...mcp }).toMatchObject({ ...core });
  expect(own.sort()).toEqual([
    'authInfoOf',
    'createSessions',
    'endAtExpiry',
    'endedAtExpiry',
    'filterLists',
    'ownerOf',
    'principalOf',
    'scopeChallenge',
    'tokenVerifier',
    'withAuthInfo',
  ]);
});
