// Loads undici, whose proxy the global fetch can use, with the first call that needs it: loading it
// takes longer than all other code here.
import type * as undici from 'undici';
import { exposeRequire } from '../values/builtin.ts';

/** Loads undici, also in a bundle that is one ES module. */
export async function loadUndici(): Promise<typeof undici> {
  try {
    // Eager: the bundle of a service is one file.
    return await import(/* webpackMode: "eager" */ 'undici');
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('Dynamic require of')) throw error;
    // The bundle has no require(). The global stays: undici requires TLS with the first use.
    exposeRequire();
    return import(/* webpackMode: "eager" */ 'undici');
  }
}
