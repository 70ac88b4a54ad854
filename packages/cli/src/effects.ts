// How a change is shown by its effect, for `plan` and `routes diff`.
import type { Effect } from '@latchkey/core/tools';

/** The sign before a change. */
export const MARKS: Readonly<Record<Effect, string>> = { opens: '+', closes: '-', changes: '~' };
/** The colour of a change. */
export const COLOURS: Readonly<Record<Effect, 'red' | 'green' | 'yellow'>> = {
  opens: 'red',
  closes: 'green',
  changes: 'yellow',
};
