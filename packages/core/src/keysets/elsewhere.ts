// Says what to write if a URL answers with something else than the options expect of it: the URL of
// an issuer in place of that of its keys, for example.
import { isElsewhere } from '../net/https.ts';

/**
 * Adds a hint to failures that say that the document is somewhere else, until it was there once.
 * After that, the URL is right, and its server is at fault.
 */
export function hinting<Args extends readonly unknown[], L>(
  load: (...args: Args) => Promise<L>,
  hint: string,
): (...args: Args) => Promise<L> {
  let wasThere = false;
  return async (...args) => {
    try {
      const loaded = await load(...args);
      wasThere = true;
      return loaded;
    } catch (error) {
      if (!wasThere && isElsewhere(error)) error.message += `; ${hint}`;
      throw error;
    }
  };
}
