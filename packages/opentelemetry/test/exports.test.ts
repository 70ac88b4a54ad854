// Every name that this package exports. Add one deliberately: removing it later breaks
// applications.
import { expect, it } from 'vitest';
import * as all from '../src/index.ts';

it('exports these values', () => {
  expect(Object.keys(all)).toEqual(['instrumentLatchkey']);
});
