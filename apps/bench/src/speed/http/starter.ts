// The types that the frameworks' files share. No code is here.
import type { Terms } from '../terms.ts';

/** Creates an application that does not listen yet. */
export type Starter<App> = (terms: Terms) => App | Promise<App>;

/** The contestants on one framework. */
export type Starters<App> = Readonly<Record<string, Starter<App>>>;
