// Every name that this package exports. Add a name only on purpose: removing it later breaks users.
import { expect, it } from 'vitest';
import * as all from '../src/index.ts';

it('exports these values', () => {
  expect(Object.keys(all).sort()).toEqual([
    'attack',
    'createClientCertificate',
    'createClock',
    'createDpopKey',
    'createIssuer',
    'forge',
    'generateSigningKey',
    'mint',
  ]);
});
