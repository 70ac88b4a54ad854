// Written by `pnpm tables` from the package.json of this package. A bundle has no package.json.

/** The version of this package. */
export const VERSION = '0.0.0';
