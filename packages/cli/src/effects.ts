// How a change is shown by its effect, for `plan` and `routes diff`.
import type { Effect } from '@latchkey/core/tools';

/** The sign before a change. */
export const MARKS = { opens: '+', closes: '-', changes: '~' } as const satisfies Record<Effect, string>;
/** The colour of a change. */
export const COLOURS = {
  opens: 'red',
  closes: 'green',
  changes: 'yellow',
} as const satisfies Record<Effect, string>;
