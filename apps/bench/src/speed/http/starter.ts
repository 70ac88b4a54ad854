// What the files of the frameworks hand out. Only types.
import type { Terms } from '../terms.ts';

/** Makes an application that does not listen yet. */
export type Starter<App> = (terms: Terms) => App | Promise<App>;

/** The contestants on one framework. */
export type Starters<App> = Readonly<Record<string, Starter<App>>>;
